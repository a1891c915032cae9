"""Calls that take a wrapper off: `unwrap_model(m)`, `de_parallel(m)`, `getattr(m, "module", m)`, project helpers."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ckpt_lint.facts.world import World, bind, is_method_call
from ckpt_lint.source import tree as t
from ckpt_lint.source.module import ModuleFacts, last_name

MODULE_ATTRIBUTES = ("module", "_orig_mod")
_TAKEN = tuple(f".{name}" for name in MODULE_ATTRIBUTES)
UNWRAPPERS = re.compile(
    r"^_?((get_)?(unwrap(ped)?|de_?parallel(ize)?|un_?ddp|strip_ddp|remove_ddp|unparallel(ize)?)(_(model|module|net|ddp|parallel|compile))*"
    r"|get_(raw|bare|core)_(model|module|net)|extract_model_from_parallel|get_model_from_parallel|remove_parallel)$"
)
_RETURNS = 6


def unwrapped_argument(world: World, module: ModuleFacts, call: t.Call) -> t.Expr | None:
    """The value that a call takes the wrappers off; None where it is no such call."""
    names = module.names.of(call.func)
    if not call.args or call.args[0].star:
        return None
    first = call.args[0].value
    if "builtins.getattr" in names:
        return first if taken_attribute(module, call) is not None else None
    if any(name.lstrip(":.") in world.api.unwrappers for name in names):
        return first
    if UNWRAPPERS.match(last_name(call.func)):
        return first
    return _through_helper(world, module, call)


def taken_attribute(module: ModuleFacts, call: t.Call) -> str | None:
    """"module" of `getattr(m, "module", m)`."""
    if len(call.args) < 2 or not module.names.is_a(call.func, "builtins.getattr"):
        return None
    name = module.string(call.args[1].value)
    return name if name in MODULE_ATTRIBUTES else None


def _through_helper(world: World, module: ModuleFacts, call: t.Call) -> t.Expr | None:
    """The argument of a project function that gives back its parameter or the module in it, and nothing else."""
    for found in world.callees_where(module, call, lambda path, name: world.files.contains(path, _TAKEN)):
        function = found.node
        if not isinstance(function, t.FunctionDef):
            return None
        pieces = list(_returned(function))
        roots = {_root(piece) for piece in pieces}
        if not 0 < len(pieces) <= _RETURNS or len(roots) != 1 or not any(_takes(piece) for piece in pieces):
            return None
        bound = bind(call, function, instance=is_method_call(call, function))
        return bound.values.get(roots.pop())
    return None


def _returned(function: t.FunctionDef) -> Iterator[t.Expr]:
    for node in t.walk(function):
        value = node.value if isinstance(node, t.Return) else None
        if isinstance(node, t.Assign) and len(node.targets) == 1 and _root(node.targets[0]) == _root(node.value):
            value = node.value
        if value is not None:
            yield from _branches(value)


def _branches(value: t.Expr) -> Iterator[t.Expr]:
    if isinstance(value, t.IfExp):
        yield from _branches(value.body)
        yield from _branches(value.orelse)
    else:
        yield value


def _root(value: t.Expr) -> str:
    """The name of which an expression is the `.module` (or that it is); a mark of its own for anything else."""
    while isinstance(value, t.Attribute) and value.attr in MODULE_ATTRIBUTES:
        value = value.value
    if isinstance(value, t.IfExp):
        return _root(value.body)
    return value.id if isinstance(value, t.Name) else f"<{value.start}>"


def _takes(value: t.Expr) -> bool:
    return isinstance(value, t.Attribute) and value.attr in MODULE_ATTRIBUTES
