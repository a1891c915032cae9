"""Which values are whole modules: what RULES.md calls module-like, and nothing that TorchScript made."""

from __future__ import annotations

from collections.abc import Iterator

from ckpt_lint import apis
from ckpt_lint.facts.kinds import DICT, LOADED, SCRIPT, STATE_DICT
from ckpt_lint.facts.roles import role_of
from ckpt_lint.facts.saves import Save
from ckpt_lint.facts.values import Values
from ckpt_lint.source import tree as t
from ckpt_lint.source.module import ModuleFacts

_ONLY_ON_MODULES = frozenset({
    "parameters", "named_parameters", "modules", "named_modules", "children", "eval", "train", "forward",
    "load_state_dict",
})  # fmt: skip
_TURNS = frozenset({"half", "float", "eval", "train", "requires_grad_", "bfloat16"})


def is_whole_module(values: Values, module: ModuleFacts, expr: t.Expr) -> bool:
    """Whether a value is a module itself, by construction, annotation, use or conventional name."""
    role = role_of(values, module, expr)
    if role not in (apis.MODULE, apis.EMA) or {SCRIPT, STATE_DICT, DICT} & values.kinds(module, expr):
        return False
    return role == apis.MODULE or _averaged_module(values, module, expr)


def _averaged_module(values: Values, module: ModuleFacts, expr: t.Expr) -> bool:
    """Many EMA classes are no modules and hold a dict: a name is not enough."""
    if {apis.EMA, apis.MODULE} & values.kinds(module, expr):
        return True
    if isinstance(expr, t.Name) and apis.MODULE_NAMES.match(expr.id) and values.module_like(module, expr):
        return True
    if isinstance(expr, t.Call) and isinstance(expr.func, t.Attribute) and expr.func.attr in _TURNS:
        return not expr.args
    return any(_calls(place, _ONLY_ON_MODULES) for place in module.uses(expr))


def is_module_by_evidence(values: Values, module: ModuleFacts, expr: t.Expr) -> bool:
    """The same, but by construction, annotation or use: a conventional name is not enough."""
    if not is_whole_module(values, module, expr):
        return False
    if {apis.EMA, apis.MODULE} & values.kinds(module, expr):
        return True
    return any(_calls(place, _ONLY_ON_MODULES) for place in module.uses(expr))


def modules_in_loaded(values: Values, save: Save) -> Iterator[t.Expr]:
    """Entries of a loaded dict that the code uses as modules, where the dict itself is saved again: the first one."""
    value = save.value
    if not isinstance(value, (t.Name, t.Attribute)) or LOADED not in values.kinds(save.module, value):
        return
    for place in save.module.uses(value):
        entry = place.parent
        if not isinstance(entry, t.Subscript) or place.role != "value" or not isinstance(entry.sub, t.Constant):
            continue
        if isinstance(entry.sub.value, str) and _calls(entry, _ONLY_ON_MODULES):
            yield entry
            return


def _calls(place: t.Expr, methods: frozenset[str]) -> bool:
    """Whether one of `methods` is called on a value at a place."""
    parent = place.parent
    if not isinstance(parent, t.Attribute) or parent.value is not place or parent.attr not in methods:
        return False
    return isinstance(parent.parent, t.Call) and parent.role == "func"
