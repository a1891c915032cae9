"""Which modules are moved to a device that is not the CPU."""

from __future__ import annotations

from ckpt_lint.facts.values import Values
from ckpt_lint.source import tree as t
from ckpt_lint.source.module import ModuleFacts

_MOVES = frozenset({"cuda", "xpu", "npu"})
_STEPS = 6


def moved_to_device(values: Values, module: ModuleFacts, expr: t.Expr) -> t.Call | None:
    """The call that moves a module to a device: `x.cuda()`, `x.to(device)`, under its name or on its way."""
    base = expr.value if isinstance(expr, t.Attribute) and expr.attr == "module" else expr
    for place in module.uses(base):
        found = _move(module, place)
        if found is not None:
            return found
    for binding in module.names.bindings(base):
        if binding.how == "assign" and binding.value is not None:
            found = _on_the_way(module, binding.value)
            if found is not None:
                return found
    return None


def unmoved(values: Values, module: ModuleFacts, expr: t.Expr) -> t.Expr:
    """The variable behind `x.eval()`, `deepcopy(x).float()` and the like."""
    for _ in range(_STEPS):
        inner = values.passed_through(module, expr) if isinstance(expr, t.Call) else None
        if inner is None:
            break
        expr = inner
    return expr


def _move(module: ModuleFacts, place: t.Expr) -> t.Call | None:
    method = place.parent
    call = method.parent if isinstance(method, t.Attribute) and method.value is place else None
    return call if isinstance(call, t.Call) and _is_move(module, call) else None


def _on_the_way(module: ModuleFacts, value: t.Expr) -> t.Call | None:
    for _ in range(_STEPS):
        if not isinstance(value, t.Call):
            return None
        if _is_move(module, value):
            return value
        inner = value.args[0].value if value.args else None
        if isinstance(value.func, t.Attribute) and not module.names.of(value.func):
            inner = value.func.value
        if inner is None:
            return None
        value = inner
    return None


def _is_move(module: ModuleFacts, call: t.Call) -> bool:
    if not isinstance(call.func, t.Attribute) or module.names.of(call.func):
        return False
    if call.func.attr in _MOVES:
        return True
    if call.func.attr != "to" or not call.args:
        return False
    given = call.args[0].value
    if isinstance(given, t.Constant):
        return isinstance(given.value, str) and not given.value.startswith("cpu")
    return not any(name.startswith("torch.") for name in module.names.of(given))
