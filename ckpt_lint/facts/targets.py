"""Where a save goes: a path that is the same each time, a temporary file that is renamed after."""

from __future__ import annotations

import re

from ckpt_lint.facts.paths import path_facts
from ckpt_lint.facts.progress import Progress
from ckpt_lint.facts.saves import Save
from ckpt_lint.facts.values import Values
from ckpt_lint.facts.world import Definition, bind, is_method_call
from ckpt_lint.source import flow
from ckpt_lint.source import tree as t
from ckpt_lint.source.module import ModuleFacts, last_name

_RENAMES = frozenset({"replace", "rename", "move", "renames"})
_TEMPORARY = re.compile(r"(^|[^a-z])(te?mp|partial|part|new|incomplete)([^a-z]|$)|atomic", re.IGNORECASE)
_VARYING = re.compile(r"^(strftime|now|time|uuid\d|getpid|format_time|count)$")
_STEPS = 3


def is_repeated(values: Values, save: Save) -> bool:
    """Whether a save is seen to run more than once: in a loop, or in a function that a loop calls, or a method."""
    if flow.loops_around(save.call):
        return True
    function = flow.function_of(save.call)
    if function is None:
        return False
    sites = values.world.callers(Definition(save.module, function))
    return any(flow.loops_around(site.call) for site in sites)


def is_fixed(values: Values, progress: Progress, save: Save) -> bool:
    """Whether a save writes the same path each time."""
    if save.path is None or progress.in_path(save):
        return False
    return _fixed(values, save.path_module, save.path, _STEPS)


def _fixed(values: Values, module: ModuleFacts, expr: t.Expr, steps: int) -> bool:
    if steps <= 0:
        return True
    for node in t.walk(expr):
        if isinstance(node, t.Call) and _VARYING.match(last_name(node.func)):
            return False
        if not isinstance(node, (t.Name, t.Attribute)):
            continue
        for binding in module.names.bindings(node):
            if binding.how in ("item", "augment"):
                return False
            if isinstance(binding.node, t.Parameter) and not _given_fixed(values, module, binding.node, steps):
                return False
            followed = binding.value if binding.how in ("assign", "with") else None
            if followed is not None and followed is not expr and not _fixed(values, module, followed, steps - 1):
                return False
    return True


def _given_fixed(values: Values, module: ModuleFacts, param: t.Parameter, steps: int) -> bool:
    """Whether every known caller gives a parameter the same path each time; options of a whole run are fixed."""
    function = param.parent
    if not isinstance(function, t.FunctionDef) or param.name in ("self", "args", "opt", "cfg", "config", "hparams"):
        return True
    sites = values.world.callers(Definition(module, function))
    given = [
        (site.module, bind(site.call, function, instance=is_method_call(site.call, function)).values.get(param.name))
        for site in sites
    ]
    return bool(given) and all(value is None or _fixed(values, where, value, steps - 1) for where, value in given)


def is_replaced_after(values: Values, save: Save) -> bool:
    """Whether a save writes a temporary file: by its name, or because it is renamed in the same function."""
    if save.path is None:
        return False
    module = save.path_module
    if _TEMPORARY.search(path_facts(values, module, save.path).words):
        return True
    written = {module.variable(node) for node in t.walk(save.path) if isinstance(node, (t.Name, t.Attribute))} - {None}
    for name in sorted(_RENAMES):
        for call in module.calls_by_name.get(name, ()):
            if flow.function_of(call) is not flow.function_of(save.path) or call.start < save.path.start:
                continue
            source = call.func.value if isinstance(call.func, t.Attribute) and len(call.args) == 1 else None
            first = source or (call.args[0].value if call.args else None)
            if first is not None and any(module.variable(node) in written for node in t.walk(first)):
                return True
    return False
