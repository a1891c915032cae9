"""Carrying a syntax tree to disk and back, as one flat table: no recursion, no pickles, nothing executed."""

from __future__ import annotations

import marshal
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from ckpt_lint.source import tree as t

FORMAT = 1


def _kinds() -> tuple[type[t.Node], ...]:
    found = [value for value in vars(t).values() if isinstance(value, type) and issubclass(value, t.Node)]
    return tuple(sorted(found, key=lambda kind: kind.__name__))


KINDS = _kinds()
CODES = {kind: code for code, kind in enumerate(KINDS)}
FIELDS = {
    kind: tuple((f.name, f.name in kind.CHILDREN) for f in fields(kind) if f.init and f.name not in ("start", "end"))
    for kind in KINDS
}


def encode(root: t.Node) -> bytes:
    """The tree below `root` as bytes. Children are named by their pre-order index, which is written into the nodes.

    The tree need not be linked, and is not linked here: one without links to parents is freed when it is let go.
    """
    return marshal.dumps((FORMAT, _rows(root)))


def encode_linked(nodes: Sequence[t.Node]) -> bytes:
    """The same of the nodes of a linked tree, in pre-order."""
    return marshal.dumps((FORMAT, _rows_of(nodes)))


def same(one: t.Node, other: t.Node) -> bool:
    """Whether two trees are equal, in every node, place and value."""
    return _rows(one) == _rows(other)


def alike(one: t.Node, other: t.Node) -> bool:
    """Whether two trees are equal in what both of them hold: the body of a function may be blank in either."""
    stack: list[tuple[Any, Any]] = [(one, other)]
    while stack:
        mine, its = stack.pop()
        if mine is its:  # None: `**more` in a dict
            continue
        kind = type(mine)
        if kind is not type(its) or mine.start != its.start or mine.end != its.end:
            return False
        left_out = kind is t.FunctionDef and (_is_blank(mine.body) or _is_blank(its.body))
        for name, is_child in FIELDS[kind]:
            if left_out and name == "body":
                continue
            value, its_value = getattr(mine, name), getattr(its, name)
            if not is_child:
                if value != its_value or type(value) is not type(its_value):
                    return False
            elif isinstance(value, t.Node) and isinstance(its_value, t.Node):
                stack.append((value, its_value))
            elif isinstance(value, tuple) and isinstance(its_value, tuple) and len(value) == len(its_value):
                stack.extend(zip(value, its_value))
            elif value is not its_value:
                return False
    return True


def _is_blank(body: t.Block) -> bool:
    """Whether slicing has left nothing of a body but a string of blanks (see `slices`)."""
    first = body[0] if len(body) == 1 else None
    return isinstance(first, t.ExprStmt) and isinstance(first.value, t.Constant) and first.value.value == ""


def _rows(root: t.Node) -> list[tuple[Any, ...]]:
    nodes = list(t.walk(root))
    for index, node in enumerate(nodes):
        node.index = index
    return _rows_of(nodes)


def _rows_of(nodes: Sequence[t.Node]) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = []
    for node in nodes:
        row: list[Any] = [CODES[type(node)], node.start, node.end]
        for name, is_child in FIELDS[type(node)]:
            value = getattr(node, name)
            row.append(_refs(value) if is_child else value)
        rows.append(tuple(row))
    return rows


def _refs(value: Any) -> Any:
    if value is None:
        return None
    if isinstance(value, tuple):
        return tuple(-1 if item is None else item.index for item in value)
    return value.index


def decode(data: bytes) -> t.Module:
    """The tree that `encode` wrote, not linked. Raises ValueError where `data` is not of this format."""
    try:
        version, rows = marshal.loads(data)
    except (EOFError, TypeError, ValueError) as error:
        raise ValueError(f"not a syntax table: {error}") from error
    if version != FORMAT or not rows:
        raise ValueError("a syntax table of another version")
    built: list[Any] = [None] * len(rows)
    for index in range(len(rows) - 1, -1, -1):
        built[index] = _build(rows[index], built)
    root: t.Module = built[0]
    return root


def _build(row: tuple[Any, ...], built: list[Any]) -> t.Node:
    kind = KINDS[row[0]]
    values = []
    for (_, is_child), value in zip(FIELDS[kind], row[3:], strict=True):
        if not is_child or value is None:
            values.append(value)
        elif isinstance(value, tuple):
            values.append(tuple(None if item == -1 else built[item] for item in value))
        else:
            values.append(built[value])
    node: t.Node = kind(row[1], row[2], *values)
    return node
