"""Statements (see `ckpt_lint.source.tree`)."""

from __future__ import annotations

from dataclasses import dataclass

from ckpt_lint.source.tree_expressions import Argument, Parameter
from ckpt_lint.source.tree_nodes import Expr, Node, Stmt


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
