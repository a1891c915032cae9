"""Views of tensors: what shares the storage of a larger tensor, all of which a save writes (run on 2.13)."""

from __future__ import annotations

from ckpt_lint.facts.kinds import STATE_DICT, TENSOR
from ckpt_lint.facts.values import Values
from ckpt_lint.source import tree as t
from ckpt_lint.source.module import ModuleFacts, last_name

_SAME_STORAGE = frozenset({"detach", "cpu", "requires_grad_", "squeeze", "unsqueeze", "view", "t"})
_PARTS = frozenset({"narrow", "select", "diagonal"})
_PIECES = frozenset({"split", "chunk", "unbind", "tensor_split"})
_OF_MODULES = frozenset({"weight", "bias", "data"})
_STEPS = 6


def view_in(values: Values, module: ModuleFacts, value: t.Expr) -> t.Expr | None:
    """The view that a value is, or was made from without copying; None where it is no view, or a copy."""
    for _ in range(_STEPS):
        if isinstance(value, t.Call) and module.names.is_a(value.func, "copy.deepcopy") and value.args:
            value = value.args[0].value
        elif isinstance(value, t.Call) and isinstance(value.func, t.Attribute):
            if value.func.attr in _PARTS and _is_tensor(values, module, value.func.value):
                return value
            if value.func.attr == "contiguous" and not _first_rows(value.func.value):
                return None
            if value.func.attr not in _SAME_STORAGE and value.func.attr != "contiguous":
                return None
            value = value.func.value
        elif isinstance(value, t.Subscript):
            return value if _is_view(values, module, value) else None
        elif isinstance(value, t.Name):
            bindings = module.names.bindings(value)
            bound = bindings[0].value if len(bindings) == 1 and bindings[0].how == "assign" else None
            if bound is None:
                return None
            value = bound
        else:
            return None
    return None


def _first_rows(value: t.Expr) -> bool:
    """`big[0]`, `big[:10]`: contiguous as they are, so that `.contiguous()` copies nothing."""
    return isinstance(value, t.Subscript) and not isinstance(value.sub, t.Sequence)


def _is_view(values: Values, module: ModuleFacts, value: t.Subscript) -> bool:
    whole = value.value
    if isinstance(whole, t.Call) and isinstance(whole.func, t.Attribute) and whole.func.attr in _PIECES:
        return _is_tensor(values, module, whole.func.value)
    if isinstance(whole, t.Call) and last_name(whole.func) in _PIECES and whole.args:
        return any(name.startswith("torch.") for name in module.names.of(whole.func))
    return _basic(value.sub) and _is_tensor(values, module, whole)


def _basic(sub: t.Expr) -> bool:
    """Slices and whole numbers: anything else picks elements, and copies them."""
    parts = sub.items if isinstance(sub, t.Sequence) and sub.kind == "tuple" else (sub,)
    if not any(isinstance(part, t.Slice) for part in parts):
        return all(isinstance(p, t.Constant) and isinstance(p.value, int) for p in parts)
    if len(parts) == 1 and isinstance(sub, t.Slice):
        return sub.lower is not None or sub.upper is not None
    return all(isinstance(p, t.Slice) or (isinstance(p, t.Constant) and isinstance(p.value, int)) for p in parts)


def _is_tensor(values: Values, module: ModuleFacts, expr: t.Expr) -> bool:
    """Whether a value is a tensor: made by torch, annotated so, or a weight of a module."""
    if TENSOR in values.kinds(module, expr):
        return True
    if isinstance(expr, t.Attribute) and expr.attr in _OF_MODULES:
        return expr.attr != "data" or _is_tensor(values, module, expr.value)
    if isinstance(expr, t.Subscript):
        constant = isinstance(expr.sub, t.Constant) and isinstance(expr.sub.value, str)
        return constant and STATE_DICT in values.kinds(module, expr.value)
    return False
