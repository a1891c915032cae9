"""Tests that stand above a node: what is known to have come out true or false where it runs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ckpt_lint.source import flow
from ckpt_lint.source import tree as t


@dataclass(frozen=True, slots=True, eq=False)
class Test:
    """A test and how it came out where some node runs; `node` is the statement or expression that asks."""

    node: t.Node
    test: t.Expr
    outcome: bool


def tests_above(node: t.Node) -> Iterator[Test]:
    """The tests that hold at a node inside its function, nearest first: branches, early exits, assertions.

    `not` is taken off, `and` that came out true and `or` that came out false are taken apart.
    """
    child = node
    while child.parent is not child:
        parent = child.parent
        if isinstance(parent, (t.If, t.IfExp, t.While)) and child.role in ("body", "orelse"):
            if not isinstance(parent, t.While) or child.role == "body":
                yield from taken_apart(parent, parent.test, child.role == "body")
        elif isinstance(parent, t.BoolOp):
            for value in parent.values:
                if value is child:
                    break
                yield from taken_apart(parent, value, parent.op == "and")
        if isinstance(child, t.Stmt):
            yield from _earlier(child)
        if isinstance(parent, (t.FunctionDef, t.ClassDef, t.Lambda)):
            return
        child = parent


def _earlier(statement: t.Stmt) -> Iterator[Test]:
    """What the statements before one in its block leave known: `if x: return`, `assert x`."""
    for earlier in flow.block_of(statement):
        if earlier is statement:
            return
        if isinstance(earlier, t.Assert):
            yield from taken_apart(earlier, earlier.test, True)
        elif isinstance(earlier, t.If):
            if flow.leaves(earlier.body):
                yield from taken_apart(earlier, earlier.test, False)
            elif earlier.orelse and flow.leaves(earlier.orelse):
                yield from taken_apart(earlier, earlier.test, True)


def taken_apart(node: t.Node, test: t.Expr, outcome: bool) -> Iterator[Test]:
    """A test with `not` taken off, in the parts that are known to have come out each for itself."""
    while isinstance(test, t.UnaryOp) and test.op == "not":
        test, outcome = test.operand, not outcome
    if isinstance(test, t.BoolOp) and (test.op == "and") == outcome:
        for value in test.values:
            yield from taken_apart(node, value, outcome)
    else:
        yield Test(node, test, outcome)


def same_test(one: t.Expr, other: t.Expr) -> bool:
    """Whether two expressions are written alike."""
    return expression_key(one) == expression_key(other)


def expression_key(expr: t.Node) -> tuple[object, ...]:
    """An expression without its place: equal for expressions that are written alike."""
    own: list[object] = [type(expr).__name__]
    for name in ("id", "attr", "value", "op", "ops", "keyword", "star", "kind"):
        field = getattr(expr, name, None)
        if field is not None and not isinstance(field, (t.Node, type(...))):
            own.append((name, repr(field)))
    return (*own, *(expression_key(child) for _, child in t.children(expr)))
