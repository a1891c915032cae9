"""The syntax facts: what LibCST saw in a file, as small values with spans and without a single LibCST node.

The shapes follow those of the standard library's `ast`, so that they read familiarly. `start` and `end` are character
offsets in the file's decoded text. A tree is built by `ckpt_lint.source.record`, linked once, and not changed after
that; two nodes are equal when they are the same node.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from ckpt_lint.source.tree_expressions import (
    Argument,
    Attribute,
    Await,
    BinOp,
    BoolOp,
    Call,
    Compare,
    Comprehension,
    Constant,
    Dict,
    Generator,
    IfExp,
    JoinedStr,
    Lambda,
    Name,
    NamedExpr,
    Parameter,
    Sequence,
    Slice,
    Starred,
    Subscript,
    UnaryOp,
    Unknown,
    Yield,
)
from ckpt_lint.source.tree_nodes import Expr, Node, Stmt, Value
from ckpt_lint.source.tree_statements import (
    Alias,
    AnnAssign,
    Assert,
    Assign,
    AugAssign,
    Case,
    ClassDef,
    Declare,
    Delete,
    ExprStmt,
    For,
    FunctionDef,
    Handler,
    If,
    Import,
    ImportFrom,
    Jump,
    Match,
    Module,
    Raise,
    Return,
    Try,
    While,
    With,
    WithItem,
)

__all__ = [
    "Alias",
    "AnnAssign",
    "Argument",
    "Assert",
    "Assign",
    "Attribute",
    "AugAssign",
    "Await",
    "BinOp",
    "Block",
    "BoolOp",
    "Call",
    "Case",
    "ClassDef",
    "Compare",
    "Comprehension",
    "Constant",
    "Declare",
    "Delete",
    "Dict",
    "Expr",
    "ExprStmt",
    "For",
    "Function",
    "FunctionDef",
    "Generator",
    "Handler",
    "If",
    "IfExp",
    "Import",
    "ImportFrom",
    "JoinedStr",
    "Jump",
    "Lambda",
    "Match",
    "Module",
    "Name",
    "NamedExpr",
    "Node",
    "Parameter",
    "Raise",
    "Return",
    "Sequence",
    "Slice",
    "Starred",
    "Stmt",
    "Subscript",
    "Try",
    "UnaryOp",
    "Unknown",
    "Value",
    "While",
    "With",
    "WithItem",
    "Yield",
    "ancestors",
    "children",
    "link",
    "unlink",
    "walk",
]

Function: TypeAlias = FunctionDef | Lambda
Block: TypeAlias = tuple[Stmt, ...]


def children(node: Node) -> Iterator[tuple[str, Node]]:
    """The direct children of a node with the field each stands in, in source order of the fields."""
    for name in node.CHILDREN:
        value = getattr(node, name)
        if value is None:
            continue
        if isinstance(value, tuple):
            for item in value:
                if item is not None:
                    yield name, item
        else:
            yield name, value


def link(root: Node) -> tuple[Node, ...]:
    """Fill `parent`, `role` and `index` of everything below `root`; returns all nodes in pre-order.

    The root is its own parent, with the role "".
    """
    root.parent, root.role = root, ""
    order: list[Node] = []
    stack = [root]
    while stack:
        node = stack.pop()
        node.index = len(order)
        order.append(node)
        if not node.CHILDREN:
            continue
        below: list[Node] = []
        for name in node.CHILDREN:
            value = getattr(node, name)
            if type(value) is tuple:
                for child in value:
                    if child is not None:
                        child.parent, child.role = node, name
                        below.append(child)
            elif value is not None:
                value.parent, value.role = node, name
                below.append(value)
        below.reverse()
        stack += below
    return tuple(order)


def unlink(nodes: tuple[Node, ...]) -> None:
    """Take the links to parents away: a tree without them is freed once it is let go, and no collector has to find it."""
    for node in nodes:
        del node.parent


def walk(node: Node) -> Iterator[Node]:
    """`node` and everything below it, in pre-order."""
    stack = [node]
    while stack:
        current = stack.pop()
        yield current
        stack.extend(child for _, child in reversed(list(children(current))))


def ancestors(node: Node) -> Iterator[Node]:
    """The parents of a node, nearest first, the root last."""
    while node.parent is not node:
        node = node.parent
        yield node
