"""Expressions (see `ckpt_lint.source.tree`)."""

from __future__ import annotations

from dataclasses import dataclass

from ckpt_lint.source.tree_nodes import Expr, Node, Value


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
