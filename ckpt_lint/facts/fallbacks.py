"""Loads that are tried with `weights_only=True` and, when that fails, without. RULES.md, CKP312."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ckpt_lint import apis
from ckpt_lint.facts.loads import Load
from ckpt_lint.source import flow
from ckpt_lint.source import tree as t

if TYPE_CHECKING:
    from ckpt_lint.facts.view import View


def fallbacks(view: View) -> Iterator[tuple[Load, Load]]:
    """Pairs of a safe load in a `try` and the load of the same file in its handler that is not."""
    loads = [load for load in view.loads if load.api in (apis.TORCH_LOAD, apis.HUB_LOAD)]
    for safe in loads:
        if not _is_constant(safe, True):
            continue
        for handler in _handlers(safe.call):
            for other in loads:
                if _inside(other.call, handler) and _unsafe(other) and _same_file(safe, other):
                    if not _asked_for(other, handler):
                        yield safe, other
                        break


def is_fallback(view: View, load: Load) -> bool:
    """Whether a load is the unsafe half of such a pair."""
    return any(unsafe.call is load.call for _, unsafe in fallbacks(view))


def _handlers(node: t.Node) -> Iterator[t.Handler]:
    current = node
    while current.parent is not current and not isinstance(current, t.FunctionDef):
        if isinstance(current.parent, t.Try) and current.role == "body":
            yield from current.parent.handlers
        current = current.parent


def _inside(node: t.Node, handler: t.Handler) -> bool:
    return handler.start <= node.start < handler.end and handler in t.ancestors(node)


def _is_constant(load: Load, value: bool) -> bool:
    constant = load.module.constant(load.value("weights_only"))
    return constant is not None and constant.value is value


def _unsafe(load: Load) -> bool:
    return _is_constant(load, False) or ("weights_only" not in load.given and not load.open and not load.forwards)


def _same_file(one: Load, other: Load) -> bool:
    if one.path is None or other.path is None:
        return False
    return _written(one.path) == _written(other.path) != ""


def _written(expr: t.Expr) -> str:
    return repr(expr.value) if isinstance(expr, t.Constant) else flow.spelled(expr) or _rendered(expr)


def _rendered(expr: t.Node) -> str:
    """An expression by its shape, for comparing two."""
    parts = []
    for node in t.walk(expr):
        parts.append(type(node).__name__)
        for name in ("id", "attr", "value", "op", "keyword"):
            value = getattr(node, name, None)
            if isinstance(value, (str, int)):
                parts.append(str(value))
    return " ".join(parts)


def _asked_for(load: Load, handler: t.Handler) -> bool:
    """Whether the handler loads only where a parameter or an option says so."""
    for parent in t.ancestors(load.call):
        if parent is handler:
            return False
        if isinstance(parent, t.If):
            return True
    return False
