"""Loads that are tried with `weights_only=True` and, when that fails, without. RULES.md, CKP312."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ckpt_lint import apis
from ckpt_lint.facts.loads import Load
from ckpt_lint.source import flow
from ckpt_lint.source import tree as t
from ckpt_lint.source.module import ModuleFacts

if TYPE_CHECKING:
    from ckpt_lint.facts.view import View

Pair = tuple[Load, Load]


def fallbacks(view: View) -> tuple[Pair, ...]:
    """Pairs of a safe load in a `try` and the load of the same file in its handler that is not."""
    key = ("fallbacks", view.module)
    known = view.facts.world.memo.get(key)
    if not isinstance(known, tuple):
        known = view.facts.world.memo[key] = tuple(_find(view))
    return known


def is_fallback(view: View, load: Load) -> bool:
    """Whether a load is the unsafe half of such a pair."""
    return any(unsafe.call is load.call for _, unsafe in fallbacks(view))


def _find(view: View) -> Iterator[Pair]:
    loads = [load for load in view.loads if load.api in (apis.TORCH_LOAD, apis.HUB_LOAD)]
    for safe in loads:
        if not _is_constant(safe, True):
            continue
        for handler in _handlers(safe.call):
            for other in loads:
                if _inside(other.call, handler) and _unsafe(view, other) and _same_file(safe, other):
                    if not _asked_for(other, handler):
                        yield safe, other
                        break


def _handlers(node: t.Node) -> Iterator[t.Handler]:
    current = node
    while current.parent is not current and not isinstance(current, t.FunctionDef):
        if isinstance(current.parent, t.Try) and current.role == "body":
            yield from current.parent.handlers
        current = current.parent


def _inside(node: t.Node, handler: t.Handler) -> bool:
    return handler.start <= node.start < handler.end and handler in t.ancestors(node)


def _is_constant(load: Load, value: bool) -> bool:
    constant = load.constant("weights_only")
    return constant is not None and constant.value is value


def _unsafe(view: View, load: Load) -> bool:
    """Without the argument, a load is unsafe where some allowed torch has the old default."""
    if _is_constant(load, False):
        return True
    return not load.has("weights_only") and (load.api == apis.HUB_LOAD or not view.bounds.default_is_safe)


def _same_file(one: Load, other: Load) -> bool:
    if one.path is None or other.path is None:
        return False
    return _rendered(one.path) == _rendered(other.path)


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
    """Whether the handler loads only where a parameter, an option or the user says so, or only on an old torch."""
    for parent in t.ancestors(load.call):
        if parent is handler:
            break
        if isinstance(parent, (t.If, t.IfExp)) and _asks(load.module, parent.test, handler):
            return True
    return any(
        isinstance(earlier, t.If) and flow.leaves(earlier.body) and _asks(load.module, earlier.test, handler)
        for earlier in _before(load.call, handler)
    )


def _before(node: t.Node, handler: t.Handler) -> Iterator[t.Stmt]:
    """The statements of a handler that stand before a node, on the way down to it."""
    statement: t.Node = flow.statement_of(node)
    while isinstance(statement, t.Stmt) and statement.start > handler.start:
        yield from (s for s in flow.block_of(statement) if s.start < statement.start)
        statement = statement.parent


def _asks(module: ModuleFacts, test: t.Expr, handler: t.Handler) -> bool:
    """Whether a test is about more than the exception: a parameter, an option, an answer, the version of torch."""
    names = (node for node in t.walk(test) if isinstance(node, t.Name) and node.id != handler.name)
    return any(not _is_plain(module, name) for name in names)


def _is_plain(module: ModuleFacts, name: t.Name) -> bool:
    names = module.names.of(name)
    if any(n == "builtins.input" for n in names):
        return False
    if any(n.startswith(("builtins.", "pickle", "torch.serialization")) for n in names):
        return True
    return _comes_from_exception(module, name)


def _comes_from_exception(module: ModuleFacts, name: t.Name) -> bool:
    """`message = str(error)` of a handler."""
    bindings = module.names.bindings(name)
    return bool(bindings) and all(
        b.how == "except"
        or (b.value is not None
        and any(
            isinstance(n, t.Name) and any(c.how == "except" for c in module.names.bindings(n)) for n in t.walk(b.value)
        ))
        for b in bindings
    )
