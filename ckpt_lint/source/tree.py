"""The syntax facts: what LibCST saw in a file, as small values with spans and without a single LibCST node.

The shapes follow those of the standard library's `ast`, so that they read familiarly. `start` and `end` are character
offsets in the file's decoded text. A tree is built by `ckpt_lint.source.record`, linked once, and not changed after
that; two nodes are equal when they are the same node.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from types import EllipsisType
from typing import ClassVar, TypeAlias

from ckpt_lint.model import Span

Value: TypeAlias = str | bytes | int | float | complex | bool | EllipsisType | None


@dataclass(slots=True, eq=False)
class Node:
    """Anything with a place in the file. `role` is the field of `parent` it stands in; `index` its pre-order rank."""

    CHILDREN: ClassVar[tuple[str, ...]] = ()
    start: int
    end: int
    parent: Node = field(init=False, repr=False)
    role: str = field(init=False, repr=False)
    index: int = field(init=False, repr=False)

    @property
    def span(self) -> Span:
        """The node's characters."""
        return Span(self.start, self.end)


@dataclass(slots=True, eq=False)
class Expr(Node):
    """An expression."""


@dataclass(slots=True, eq=False)
class Stmt(Node):
    """A statement."""


# --- expressions ---------------------------------------------------------------------------------------------------


@dataclass(slots=True, eq=False)
class Name(Expr):
    """A plain name, read or bound."""

    id: str


@dataclass(slots=True, eq=False)
class Attribute(Expr):
    """`value.attr`."""

    CHILDREN = ("value",)
    value: Expr
    attr: str


@dataclass(slots=True, eq=False)
class Argument(Node):
    """One argument of a call or base of a class. `star` is "", "*" or "**"."""

    CHILDREN = ("value",)
    value: Expr
    keyword: str | None
    star: str


@dataclass(slots=True, eq=False)
class Call(Expr):
    """`func(args)`."""

    CHILDREN = ("func", "args")
    func: Expr
    args: tuple[Argument, ...]


@dataclass(slots=True, eq=False)
class Constant(Expr):
    """A literal, implicit string concatenations included."""

    value: Value


@dataclass(slots=True, eq=False)
class JoinedStr(Expr):
    """An f-string: `values` are its parts in order, literal text as `Constant`."""

    CHILDREN = ("values",)
    values: tuple[Expr, ...]


@dataclass(slots=True, eq=False)
class Dict(Expr):
    """A dict display; a key is None where the value is unpacked by `**`."""

    CHILDREN = ("keys", "values")
    keys: tuple[Expr | None, ...]
    values: tuple[Expr, ...]


@dataclass(slots=True, eq=False)
class Sequence(Expr):
    """A list, tuple or set display, as `kind` says."""

    CHILDREN = ("items",)
    kind: str
    items: tuple[Expr, ...]


@dataclass(slots=True, eq=False)
class Subscript(Expr):
    """`value[index]`."""

    CHILDREN = ("value", "sub")
    value: Expr
    sub: Expr


@dataclass(slots=True, eq=False)
class Slice(Expr):
    """`lower:upper:step` inside a subscript."""

    CHILDREN = ("lower", "upper", "step")
    lower: Expr | None
    upper: Expr | None
    step: Expr | None


@dataclass(slots=True, eq=False)
class Parameter(Node):
    """A parameter; `kind` is "positional", "star", "keyword" or "double-star"."""

    CHILDREN = ("annotation", "default")
    name: str
    kind: str
    annotation: Expr | None
    default: Expr | None


@dataclass(slots=True, eq=False)
class Lambda(Expr):
    """`lambda params: body`."""

    CHILDREN = ("params", "body")
    params: tuple[Parameter, ...]
    body: Expr


@dataclass(slots=True, eq=False)
class Generator(Node):
    """One `for target in iter if ...` of a comprehension."""

    CHILDREN = ("target", "iter", "ifs")
    target: Expr
    iter: Expr
    ifs: tuple[Expr, ...]


@dataclass(slots=True, eq=False)
class Comprehension(Expr):
    """A comprehension; `kind` is "list", "set", "dict" or "generator"; `value` is there for a dict only."""

    CHILDREN = ("generators", "element", "value")
    kind: str
    generators: tuple[Generator, ...]
    element: Expr
    value: Expr | None


@dataclass(slots=True, eq=False)
class BinOp(Expr):
    """`left op right`; `op` is the token."""

    CHILDREN = ("left", "right")
    left: Expr
    op: str
    right: Expr


@dataclass(slots=True, eq=False)
class BoolOp(Expr):
    """`a and b and c` or `a or b or c`."""

    CHILDREN = ("values",)
    op: str
    values: tuple[Expr, ...]


@dataclass(slots=True, eq=False)
class Compare(Expr):
    """`left op right op right ...`; the ops are tokens such as "not in"."""

    CHILDREN = ("left", "comparators")
    left: Expr
    ops: tuple[str, ...]
    comparators: tuple[Expr, ...]


@dataclass(slots=True, eq=False)
class UnaryOp(Expr):
    """`not x`, `-x`, `+x`, `~x`."""

    CHILDREN = ("operand",)
    op: str
    operand: Expr


@dataclass(slots=True, eq=False)
class IfExp(Expr):
    """`body if test else orelse`."""

    CHILDREN = ("test", "body", "orelse")
    test: Expr
    body: Expr
    orelse: Expr


@dataclass(slots=True, eq=False)
class Starred(Expr):
    """`*value` in a display or a target."""

    CHILDREN = ("value",)
    value: Expr


@dataclass(slots=True, eq=False)
class NamedExpr(Expr):
    """`target := value`."""

    CHILDREN = ("target", "value")
    target: Expr
    value: Expr


@dataclass(slots=True, eq=False)
class Await(Expr):
    """`await value`."""

    CHILDREN = ("value",)
    value: Expr


@dataclass(slots=True, eq=False)
class Yield(Expr):
    """`yield value` or `yield from value`."""

    CHILDREN = ("value",)
    value: Expr | None


@dataclass(slots=True, eq=False)
class Unknown(Expr):
    """Syntax this version does not look into (a template string, say)."""


# --- statements ----------------------------------------------------------------------------------------------------


@dataclass(slots=True, eq=False)
class ExprStmt(Stmt):
    """An expression as a statement."""

    CHILDREN = ("value",)
    value: Expr


@dataclass(slots=True, eq=False)
class Assign(Stmt):
    """`a = b = value`."""

    CHILDREN = ("targets", "value")
    targets: tuple[Expr, ...]
    value: Expr


@dataclass(slots=True, eq=False)
class AugAssign(Stmt):
    """`target op= value`."""

    CHILDREN = ("target", "value")
    target: Expr
    op: str
    value: Expr


@dataclass(slots=True, eq=False)
class AnnAssign(Stmt):
    """`target: annotation = value`."""

    CHILDREN = ("target", "annotation", "value")
    target: Expr
    annotation: Expr
    value: Expr | None


@dataclass(slots=True, eq=False)
class Return(Stmt):
    """`return value`."""

    CHILDREN = ("value",)
    value: Expr | None


@dataclass(slots=True, eq=False)
class Raise(Stmt):
    """`raise exc`."""

    CHILDREN = ("exc",)
    exc: Expr | None


@dataclass(slots=True, eq=False)
class Delete(Stmt):
    """`del a, b`."""

    CHILDREN = ("targets",)
    targets: tuple[Expr, ...]


@dataclass(slots=True, eq=False)
class Assert(Stmt):
    """`assert test, msg`."""

    CHILDREN = ("test", "msg")
    test: Expr
    msg: Expr | None


@dataclass(slots=True, eq=False)
class Alias(Node):
    """`name as asname` of an import; `name` is dotted, or "*"."""

    name: str
    asname: str | None


@dataclass(slots=True, eq=False)
class Import(Stmt):
    """`import a.b as c`."""

    CHILDREN = ("names",)
    names: tuple[Alias, ...]


@dataclass(slots=True, eq=False)
class ImportFrom(Stmt):
    """`from ..module import names`; `level` counts the dots."""

    CHILDREN = ("names",)
    module: str
    names: tuple[Alias, ...]
    level: int


@dataclass(slots=True, eq=False)
class Declare(Stmt):
    """`global names` or `nonlocal names`, as `kind` says."""

    kind: str
    names: tuple[str, ...]


@dataclass(slots=True, eq=False)
class Jump(Stmt):
    """`pass`, `break` or `continue`, as `kind` says."""

    kind: str


@dataclass(slots=True, eq=False)
class If(Stmt):
    """`if test: body else: orelse`; an `elif` is an `If` alone in `orelse`."""

    CHILDREN = ("test", "body", "orelse")
    test: Expr
    body: tuple[Stmt, ...]
    orelse: tuple[Stmt, ...]


@dataclass(slots=True, eq=False)
class For(Stmt):
    """`for target in iter: body else: orelse`."""

    CHILDREN = ("target", "iter", "body", "orelse")
    target: Expr
    iter: Expr
    body: tuple[Stmt, ...]
    orelse: tuple[Stmt, ...]


@dataclass(slots=True, eq=False)
class While(Stmt):
    """`while test: body else: orelse`."""

    CHILDREN = ("test", "body", "orelse")
    test: Expr
    body: tuple[Stmt, ...]
    orelse: tuple[Stmt, ...]


@dataclass(slots=True, eq=False)
class Handler(Node):
    """`except type as name: body`."""

    CHILDREN = ("type", "body")
    type: Expr | None
    name: str | None
    body: tuple[Stmt, ...]


@dataclass(slots=True, eq=False)
class Try(Stmt):
    """`try: body except ...: else: orelse finally: final`."""

    CHILDREN = ("body", "handlers", "orelse", "final")
    body: tuple[Stmt, ...]
    handlers: tuple[Handler, ...]
    orelse: tuple[Stmt, ...]
    final: tuple[Stmt, ...]


@dataclass(slots=True, eq=False)
class WithItem(Node):
    """`value as target` of a `with`."""

    CHILDREN = ("value", "target")
    value: Expr
    target: Expr | None


@dataclass(slots=True, eq=False)
class With(Stmt):
    """`with items: body`."""

    CHILDREN = ("items", "body")
    items: tuple[WithItem, ...]
    body: tuple[Stmt, ...]


@dataclass(slots=True, eq=False)
class FunctionDef(Stmt):
    """A function or method; `name_start` is where its name stands."""

    CHILDREN = ("decorators", "params", "returns", "body")
    name: str
    decorators: tuple[Expr, ...]
    params: tuple[Parameter, ...]
    returns: Expr | None
    body: tuple[Stmt, ...]


@dataclass(slots=True, eq=False)
class ClassDef(Stmt):
    """A class; `bases` holds keywords such as `metaclass=` too."""

    CHILDREN = ("decorators", "bases", "body")
    name: str
    decorators: tuple[Expr, ...]
    bases: tuple[Argument, ...]
    body: tuple[Stmt, ...]


@dataclass(slots=True, eq=False)
class Case(Node):
    """One `case` of a `match`; `names` are what its pattern binds."""

    CHILDREN = ("guard", "body")
    names: tuple[str, ...]
    guard: Expr | None
    body: tuple[Stmt, ...]


@dataclass(slots=True, eq=False)
class Match(Stmt):
    """`match subject: cases`."""

    CHILDREN = ("subject", "cases")
    subject: Expr
    cases: tuple[Case, ...]


@dataclass(slots=True, eq=False)
class Module(Node):
    """A file, or one module of a notebook."""

    CHILDREN = ("body",)
    body: tuple[Stmt, ...]


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
        below = list(children(node))
        for name, child in below:
            child.parent, child.role = node, name
        stack.extend(child for _, child in reversed(below))
    return tuple(order)


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
