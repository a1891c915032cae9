"""Modules that run for their results: where they run without gradients or are traced, what may switch their mode."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ckpt_lint import apis
from ckpt_lint.facts.view import View
from ckpt_lint.facts.wrapping import PREFIXES
from ckpt_lint.source import flow
from ckpt_lint.source import tree as t
from ckpt_lint.source.module import ModuleFacts, bound_target, last_name

TRACERS = frozenset({"torch.jit.trace", "torch.export.export", "torch.jit.trace_module"})
PLUMBING = frozenset({
    "to", "cuda", "cpu", "half", "float", "double", "bfloat16", "load_state_dict", "state_dict", "parameters", "eval",
    "named_parameters", "buffers", "named_buffers", "modules", "named_modules", "children", "named_children", "apply",
    "train", "requires_grad_", "zero_grad", "register_forward_hook", "register_buffer", "share_memory", "compile",
    "add_module", "get_submodule", "type", "xpu", "to_empty", "items", "keys", "get", "values",
})  # fmt: skip
"""Methods of a module that compute nothing."""

HARMLESS = frozenset({
    "print", "len", "isinstance", "type", "id", "hasattr", "getattr", "setattr", "str", "repr", "info", "debug", "save",
    "summary", "callable", "warning", "dump", "vars", "dir",
})  # fmt: skip
_SWITCHES = ("eval", "train")
_SAME = frozenset({
    "to", "cuda", "cpu", "half", "float", "double", "bfloat16", "requires_grad_", "eval", "train",
})  # fmt: skip
"""Methods that give the module back."""
_WRAPPERS = frozenset({"DataParallel", "DistributedDataParallel", "compile"})


@dataclass(frozen=True, slots=True, eq=False)
class Scope:
    """All places of a variable and of the names that the same object goes by (`net = DataParallel(model)`)."""

    places: tuple[t.Expr, ...]
    escapes: tuple[t.Expr, ...]
    switched: bool = False
    """Whether it is given to a function of the project that switches the mode of something."""


def scope_of(view: View, variable: t.Expr) -> Scope:
    """The places that name an object, and those where it gets out of sight, so that its mode may be switched."""
    places: list[t.Expr] = []
    escapes: list[t.Expr] = []
    seen = set()
    stack = [variable]
    while stack:
        current = stack.pop()
        key = view.module.variable(current)
        if key is None or key in seen:
            continue
        seen.add(key)
        for place in view.module.uses(current):
            places.append(place)
            if bound_target(place):
                continue
            alias = _alias(view, place)
            if alias is not None:
                stack.append(alias)
            elif _escapes(view, place):
                escapes.append(place)
    switched = any(_is_switched_by_callee(view, place) for place in escapes)
    return Scope(tuple(sorted(places, key=lambda p: p.start)), tuple(escapes), switched)


def _alias(view: View, place: t.Expr) -> t.Expr | None:
    """The other name that an object gets at a place, itself, moved or wrapped."""
    current: t.Node = place
    while True:
        parent = current.parent
        if isinstance(parent, t.Argument) and isinstance(parent.parent, t.Call) and _wraps(view.module, parent.parent):
            current = parent.parent
        elif isinstance(parent, t.Attribute) and isinstance(parent.parent, t.Call) and parent.parent.func is parent:
            if parent.attr not in _SAME:
                return None
            current = parent.parent
        elif isinstance(parent, t.Attribute) and parent.attr == "module" and isinstance(parent.parent, t.Assign):
            current = parent
        elif isinstance(parent, t.Assign) and current.role == "value" and len(parent.targets) == 1:
            target = parent.targets[0]
            return target if isinstance(target, (t.Name, t.Attribute)) else None
        else:
            return None


def _wraps(module: ModuleFacts, call: t.Call) -> bool:
    return bool(set(module.names.of(call.func)) & set(PREFIXES)) or last_name(call.func) == "deepcopy"


def _escapes(view: View, place: t.Expr) -> bool:
    """Whether an object goes, at a place, where we do not see what happens to its mode."""
    parent = place.parent
    if isinstance(parent, t.Argument) and isinstance(parent.parent, t.Call):
        return _may_switch(view, parent.parent)
    if isinstance(parent, (t.Sequence, t.Dict, t.Yield, t.Starred, t.IfExp, t.BoolOp)):
        return True
    if isinstance(parent, (t.Assign, t.AnnAssign)) and place.role == "value":
        return True  # an alias that nobody follows
    return isinstance(parent, t.Return) and isinstance(flow.body_of(place), t.Lambda)


def _is_switched_by_callee(view: View, place: t.Expr) -> bool:
    call = place.parent.parent if isinstance(place.parent, t.Argument) else None
    found = view.facts.world.callees(view.module, call) if isinstance(call, t.Call) else ()
    return any(switches_mode(definition.node) for definition in found)


def _may_switch(view: View, call: t.Call) -> bool:
    """Whether a called function may put its argument in another mode: project functions are looked into, one deep."""
    names = view.module.names.of(call.func)
    if last_name(call.func) in HARMLESS or any(name.startswith(("torch.", "builtins.")) for name in names):
        return False
    found = view.facts.world.callees(view.module, call)
    return not found or any(switches_mode(definition.node) for definition in found)


def switches_mode(node: t.Node) -> bool:
    """Whether code calls `.eval()` or `.train(...)` of anything."""
    return any(isinstance(n, t.Attribute) and n.attr in _SWITCHES and n.role == "func" for n in t.walk(node))


def runs(view: View, place: t.Expr) -> bool:
    """Whether an object computes at a place without gradients, or is traced there."""
    parent = place.parent
    if isinstance(parent, t.Argument) and isinstance(parent.parent, t.Call) and parent.parent.args[0] is parent:
        return bool(set(view.module.names.of(parent.parent.func)) & TRACERS)
    called = isinstance(parent, t.Call) and place.role == "func"
    if isinstance(parent, t.Attribute) and isinstance(parent.parent, t.Call) and parent.role == "func":
        called = parent.attr not in PLUMBING and not parent.attr.startswith("_")
    return called and without_gradients(view.module, place)


def without_gradients(module: ModuleFacts, node: t.Node) -> bool:
    """Whether a node runs under `no_grad`, `inference_mode` or `set_grad_enabled(False)`."""
    for parent in t.ancestors(node):
        if isinstance(parent, t.With) and any(_switches_off(module, item.value) for item in parent.items):
            return True
        if isinstance(parent, t.FunctionDef) and any(_switches_off(module, d) for d in parent.decorators):
            return True
    return any(_in_force(module, call, node) for call in module.calls_by_name.get("set_grad_enabled", ()))


def _switches_off(module: ModuleFacts, expr: t.Expr) -> bool:
    func = expr.func if isinstance(expr, t.Call) else expr
    if not set(module.names.of(func)) & apis.NO_GRAD:
        return False
    if last_name(func) != "set_grad_enabled" and not (isinstance(expr, t.Call) and expr.args):
        return True
    mode = module.constant(expr.args[0].value) if isinstance(expr, t.Call) and expr.args else None
    if last_name(func) == "inference_mode":
        return mode is not None and mode.value is True
    return mode is not None and mode.value is False


def _in_force(module: ModuleFacts, call: t.Call, node: t.Node) -> bool:
    """A statement `torch.set_grad_enabled(False)` before a node in its body, or at the top of the module."""
    if not isinstance(call.parent, t.ExprStmt) or not _switches_off(module, call):
        return False
    body = flow.body_of(call)
    return isinstance(body, t.Module) or (body is flow.body_of(node) and call.start < node.start)


def mode_calls(places: tuple[t.Expr, ...]) -> Iterator[t.Call]:
    """The calls of `.eval()` and `.train(...)` on an object, or on what holds it or is part of it."""
    for place in places:
        current: t.Node = place
        while (outer := _around(current)) is not None:
            current = outer
            if isinstance(current, t.Call) and last_name(current.func) in _SWITCHES:
                yield current
                break


def _around(node: t.Node) -> t.Node | None:
    """The attribute, the call of one, or the `DataParallel(model)` around a module: its mode is switched with theirs."""
    if isinstance(node.parent, (t.Attribute, t.Call)) and node.role in ("value", "func"):
        return node.parent
    call = node.parent.parent if isinstance(node.parent, t.Argument) else None
    return call if isinstance(call, t.Call) and last_name(call.func) in _WRAPPERS else None
