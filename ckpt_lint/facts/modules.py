"""Which values are whole modules: what RULES.md calls module-like, and nothing that TorchScript made."""

from __future__ import annotations

from collections.abc import Iterator

from ckpt_lint import apis
from ckpt_lint.facts.guards import expression_key, tests_above
from ckpt_lint.facts.kinds import DICT, LOADED, SCRIPT, STATE_DICT
from ckpt_lint.facts.roles import role_of
from ckpt_lint.facts.saves import Save
from ckpt_lint.facts.values import Values
from ckpt_lint.source import flow
from ckpt_lint.source import tree as t
from ckpt_lint.source.module import ModuleFacts, bound_target, last_name

_ONLY_ON_MODULES = frozenset({
    "parameters", "named_parameters", "modules", "named_modules", "children", "eval", "train", "forward",
    "load_state_dict",
})  # fmt: skip
_MODULES = ("torch.nn.Module", "torch.nn.modules.Module", "torch.nn.modules.module.Module")
_TURNS = frozenset({"half", "float", "eval", "train", "requires_grad_", "bfloat16"})


def is_whole_module(values: Values, module: ModuleFacts, expr: t.Expr) -> bool:
    """Whether a value is a module itself, by construction, annotation, use or conventional name."""
    role = role_of(values, module, expr)
    if {SCRIPT, STATE_DICT, DICT} & values.kinds(module, expr):
        return False
    if role not in (apis.MODULE, apis.EMA):
        return _tested(values, module, expr) or _turned(values, module, expr)
    return role == apis.MODULE or _averaged_module(values, module, expr)


def _tested(values: Values, module: ModuleFacts, expr: t.Expr) -> bool:
    """Whether `isinstance(x, nn.Module)` came out true where the value stands, or where it was picked."""
    if not isinstance(expr, (t.Name, t.Attribute)):
        return False
    if any(test.outcome and _asks_for_module(module, test.test, expr) for test in tests_above(expr)):
        return True
    for binding in module.names.bindings(expr):
        picked = binding.value if binding.how == "assign" else None
        if isinstance(picked, t.IfExp) and _asks_for_module(module, picked.test, _passed(values, module, picked.body)):
            return True
    return False


def _asks_for_module(module: ModuleFacts, test: t.Expr, expr: t.Expr) -> bool:
    """`isinstance(x, nn.Module)` of the same `x`, which is not bound again on the way."""
    if not isinstance(test, t.Call) or not module.names.is_a(test.func, "builtins.isinstance") or len(test.args) != 2:
        return False
    kinds = test.args[1].value
    listed = kinds.items if isinstance(kinds, t.Sequence) else (kinds,)
    if not listed or not all(module.names.is_a(kind, *_MODULES) for kind in listed):
        return False
    if expression_key(test.args[0].value) != expression_key(expr):
        return False
    low, high = sorted((test.start, expr.start))
    return not any(bound_target(place) and low < place.start < high for place in module.uses(expr))


def _passed(values: Values, module: ModuleFacts, expr: t.Expr) -> t.Expr:
    """What a copy or a cast was made of: `x` of `deepcopy(x).half()`."""
    while isinstance(expr, t.Call) and (inner := values.passed_through(module, expr)) is not None:
        expr = inner
    return expr


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
    return any(_calls(place, _ONLY_ON_MODULES) for place in module.uses(expr)) or _turned(values, module, expr)


def _turned(values: Values, module: ModuleFacts, expr: t.Expr) -> bool:
    """Whether a value is what `.eval()` or `.train()` gave back: `deepcopy(x).eval().cpu()`, also under a name."""
    if not isinstance(expr, t.Name):
        return _turns(values, module, expr)
    made = (b for b in module.names.bindings(expr) if b.how == "assign" and b.value is not None)
    return any(_turns(values, module, b.value) for b in made if flow.body_of(b.node) is flow.body_of(expr))


def _turns(values: Values, module: ModuleFacts, expr: t.Expr | None) -> bool:
    """A chain with `.eval()` or `.train()` in it. Alone it is not enough: trainers have a `.train()` of their own."""
    turned, steps = False, 0
    while isinstance(expr, t.Call) and (inner := values.passed_through(module, expr)) is not None:
        turned = turned or (last_name(expr.func) in ("eval", "train") and not expr.args)
        expr, steps = inner, steps + 1
    return turned and steps > 1


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
