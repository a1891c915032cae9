"""Loops that change the dict they go through."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ckpt_lint.source import flow
from ckpt_lint.source import tree as t
from ckpt_lint.source.module import ModuleFacts

VIEWS = frozenset({"keys", "items", "values"})
REMOVERS = frozenset({"pop", "popitem", "clear"})


@dataclass(frozen=True, slots=True, eq=False)
class Mutation:
    """`node` removes a key from, or adds one to, the dict that the loop around it goes through."""

    node: t.Node
    removes: bool


def iterated_dict(module: ModuleFacts, loop: t.For) -> t.Expr | None:
    """The variable whose keys or items a `for` goes through itself, with no copy in between."""
    source = loop.iter
    if isinstance(source, t.Call) and module.names.is_a(source.func, "builtins.enumerate") and source.args:
        source = source.args[0].value
    if isinstance(source, t.Call) and isinstance(source.func, t.Attribute) and source.func.attr in VIEWS:
        source = source.func.value if not source.args else source
    return source if module.variable(source) is not None else None


def mutations(module: ModuleFacts, loop: t.For, source: t.Expr) -> Iterator[Mutation]:
    """The places in a loop's body that change the size of `source` and go on iterating."""
    variable = module.variable(source)
    for place in module.uses(source):
        if not _in_body(loop, place) or module.variable(place) != variable:
            continue
        found = _mutation(module, place)
        if found is not None and _goes_on(loop, place) and not _rebound(module, loop, place):
            yield found


def _in_body(loop: t.For, node: t.Node) -> bool:
    inside = any(first.start <= node.start < first.end for first in loop.body)
    return inside and flow.body_of(node) is flow.body_of(loop)


def _mutation(module: ModuleFacts, place: t.Expr) -> Mutation | None:
    parent = place.parent
    if isinstance(parent, t.Subscript) and place.role == "value":
        if isinstance(parent.parent, t.Delete):
            return Mutation(parent.parent, True)
        if isinstance(parent.parent, t.Assign) and parent.role == "targets" and not _keeps_size(module, parent.sub):
            return Mutation(parent, False)
    if isinstance(parent, t.Attribute) and isinstance(parent.parent, t.Call) and parent.role == "func":
        if parent.attr in REMOVERS:
            return Mutation(parent.parent, True)
        if parent.attr == "update" and not _updates_in_place(module, parent.parent):
            return Mutation(parent.parent, False)
    return None


def _keeps_size(module: ModuleFacts, sub: t.Expr) -> bool:
    """Whether a subscript is the key that the loop is at, or one that may be there already."""
    if not isinstance(sub, t.Name):
        return isinstance(sub, t.Constant)  # setting a constant key twice adds it at most once: it may be there
    return not any(b.how == "assign" and isinstance(b.value, _COMPUTED) for b in module.names.bindings(sub))


_COMPUTED = (t.Call, t.BinOp, t.JoinedStr, t.Subscript, t.IfExp)
"""What makes a new key of an old one: text is joined, cut or replaced."""


def _updates_in_place(module: ModuleFacts, call: t.Call) -> bool:
    """`d.update({key: ...})` of the key the loop is at."""
    if len(call.args) != 1 or not isinstance(call.args[0].value, t.Dict):
        return not call.args
    return all(key is not None and _keeps_size(module, key) for key in call.args[0].value.keys)


def _goes_on(loop: t.For, place: t.Expr) -> bool:
    """Whether the loop goes round again after a change: no `break`, `return` or `raise` follows in its block."""
    current: t.Node = flow.statement_of(place)
    while current is not loop and isinstance(current, t.Stmt):
        block = flow.block_of(current)
        behind = [s for s in block if s.start >= current.start]
        if any(_ends_loop(s) for s in behind):
            return False
        if any(isinstance(s, t.Jump) and s.kind == "continue" for s in behind):
            return True
        current = current.parent
    return True


def _ends_loop(statement: t.Stmt) -> bool:
    return isinstance(statement, (t.Return, t.Raise)) or (
        isinstance(statement, t.Jump) and statement.kind == "break"
    )


def _rebound(module: ModuleFacts, loop: t.For, place: t.Expr) -> bool:
    """Whether the name means another dict at `place` than at the head of the loop."""
    inside = [b for b in module.names.bindings(place) if _in_body(loop, b.node) and b.how in ("assign", "with")]
    return bool(inside)
