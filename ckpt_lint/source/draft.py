"""The draft: the syntax facts of a text from `ast` alone, which costs a tenth of what LibCST costs.

The draft decides whether LibCST has to see a file at all: rules judge the draft, and where one of them speaks LibCST
reads the file, and its facts are the ones that count (`ckpt_lint.source.read.confirmed`). Both recorders write equal
facts; tests and benchmarks hold them against each other, node by node.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ckpt_lint.source import tree as t
from ckpt_lint.source.draft_expressions import Expressions
from ckpt_lint.source.positions import Places


class Drafter:
    """Turns `ast` statements into syntax facts. One instance serves one parsed text."""

    def __init__(self, places: Places) -> None:
        self.at = places.of
        self.expressions = Expressions(places)
        self.expr = self.expressions.record
        self.optional = self.expressions.optional

    def block(self, body: Iterable[ast.stmt]) -> t.Block:
        """Statements in their order."""
        return tuple([_HANDLERS.get(type(node), Drafter._pass)(self, node) for node in body])

    def _pass(self, node: ast.stmt) -> t.Stmt:
        """`pass`, or `type X = ...`: it binds a name that no rule asks for."""
        return t.Jump(*self.at(node), "pass")

    def _jump(self, node: ast.Break | ast.Continue) -> t.Stmt:
        return t.Jump(*self.at(node), type(node).__name__.lower())

    def _expression(self, node: ast.Expr) -> t.Stmt:
        return t.ExprStmt(*self.at(node), self.expr(node.value))

    def _assign(self, node: ast.Assign) -> t.Stmt:
        return t.Assign(*self.at(node), tuple([self.expr(target) for target in node.targets]), self.expr(node.value))

    def _augmented(self, node: ast.AugAssign) -> t.Stmt:
        name = _AUGMENTED[type(node.op)]
        return t.AugAssign(*self.at(node), self.expr(node.target), name, self.expr(node.value))

    def _annotated(self, node: ast.AnnAssign) -> t.Stmt:
        return t.AnnAssign(
            *self.at(node), self.expr(node.target), self.expr(node.annotation), self.optional(node.value)
        )

    def _return(self, node: ast.Return) -> t.Stmt:
        return t.Return(*self.at(node), self.optional(node.value))

    def _raise(self, node: ast.Raise) -> t.Stmt:
        return t.Raise(*self.at(node), self.optional(node.exc))

    def _delete(self, node: ast.Delete) -> t.Stmt:
        return t.Delete(*self.at(node), tuple([self.expr(target) for target in node.targets]))

    def _assert(self, node: ast.Assert) -> t.Stmt:
        message = self.optional(node.msg)
        return t.Assert(*self.at(node), self.expr(node.test), message)

    def _import(self, node: ast.Import) -> t.Stmt:
        return t.Import(*self.at(node), tuple([self._alias(alias) for alias in node.names]))

    def _import_from(self, node: ast.ImportFrom) -> t.Stmt:
        start, end = self.at(node)
        if node.names[0].name == "*":
            names: tuple[t.Alias, ...] = (t.Alias(start, end, "*", None),)
        else:
            names = tuple([self._alias(alias) for alias in node.names])
        return t.ImportFrom(start, end, node.module or "", names, node.level)

    def _alias(self, node: ast.alias) -> t.Alias:
        return t.Alias(*self.at(node), node.name, node.asname)

    def _declare(self, node: ast.Global | ast.Nonlocal) -> t.Stmt:
        return t.Declare(*self.at(node), "global" if isinstance(node, ast.Global) else "nonlocal", tuple(node.names))

    def _if(self, node: ast.If) -> t.Stmt:
        chain = [node]
        while len(chain[-1].orelse) == 1 and isinstance(inner := chain[-1].orelse[0], ast.If):
            chain.append(inner)  # an `elif` chain may be hundreds long: no recursion
        orelse = self.block(chain[-1].orelse)
        for part in reversed(chain):
            orelse = (t.If(*self.at(part), self.expr(part.test), self.block(part.body), orelse),)
        return orelse[0]

    def _for(self, node: ast.For | ast.AsyncFor) -> t.Stmt:
        target, source = self.expr(node.target), self.expr(node.iter)
        return t.For(*self.at(node), target, source, self.block(node.body), self.block(node.orelse))

    def _while(self, node: ast.While) -> t.Stmt:
        return t.While(*self.at(node), self.expr(node.test), self.block(node.body), self.block(node.orelse))

    def _try(self, node: Any) -> t.Stmt:
        handlers = tuple([self._handler(handler) for handler in node.handlers])
        body, orelse = self.block(node.body), self.block(node.orelse)
        return t.Try(*self.at(node), body, handlers, orelse, self.block(node.finalbody))

    def _handler(self, node: ast.ExceptHandler) -> t.Handler:
        return t.Handler(*self.at(node), self.optional(node.type), node.name, self.block(node.body))

    def _with(self, node: ast.With | ast.AsyncWith) -> t.Stmt:
        items = []
        for item in node.items:
            value, target = self.expr(item.context_expr), self.optional(item.optional_vars)
            items.append(t.WithItem(value.start, target.end if target else value.end, value, target))
        return t.With(*self.at(node), tuple(items), self.block(node.body))

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> t.Stmt:
        decorators = tuple([self.expr(decorator) for decorator in node.decorator_list])
        params = self.expressions.parameters(node.args)
        return t.FunctionDef(
            *self.at(node), node.name, decorators, params, self.optional(node.returns), self.block(node.body)
        )

    def _class(self, node: ast.ClassDef) -> t.Stmt:
        bases = tuple(self.expressions.arguments(node.bases, node.keywords))
        decorators = tuple([self.expr(decorator) for decorator in node.decorator_list])
        return t.ClassDef(*self.at(node), node.name, decorators, bases, self.block(node.body))

    def _match(self, node: ast.Match) -> t.Stmt:
        return t.Match(*self.at(node), self.expr(node.subject), tuple([self._case(case) for case in node.cases]))

    def _case(self, node: ast.match_case) -> t.Case:
        names = tuple(sorted(set(_captured(node.pattern))))
        body = self.block(node.body)
        start = self.at(node.pattern)[0]
        return t.Case(start, body[-1].end if body else start, names, self.optional(node.guard), body)


_HANDLERS: dict[type[Any], Callable[[Drafter, Any], t.Stmt]] = {
    ast.Expr: Drafter._expression, ast.Assign: Drafter._assign, ast.AugAssign: Drafter._augmented,
    ast.AnnAssign: Drafter._annotated, ast.Return: Drafter._return, ast.Raise: Drafter._raise,
    ast.Delete: Drafter._delete, ast.Assert: Drafter._assert, ast.Import: Drafter._import,
    ast.ImportFrom: Drafter._import_from, ast.Global: Drafter._declare, ast.Nonlocal: Drafter._declare,
    ast.If: Drafter._if, ast.For: Drafter._for, ast.AsyncFor: Drafter._for, ast.While: Drafter._while,
    ast.Try: Drafter._try, ast.With: Drafter._with, ast.AsyncWith: Drafter._with, ast.FunctionDef: Drafter._function,
    ast.AsyncFunctionDef: Drafter._function, ast.ClassDef: Drafter._class, ast.Match: Drafter._match,
    ast.Break: Drafter._jump, ast.Continue: Drafter._jump,
}  # fmt: skip
"""Of functions, not of bound methods: those would tie each drafter, and all that it holds, into a cycle."""
if hasattr(ast, "TryStar"):  # Python 3.11
    _HANDLERS[ast.TryStar] = Drafter._try


_AUGMENTED = {
    ast.Add: "Add", ast.Sub: "Subtract", ast.Mult: "Multiply", ast.Div: "Divide", ast.FloorDiv: "FloorDivide",
    ast.Mod: "Modulo", ast.Pow: "Power", ast.MatMult: "MatrixMultiply", ast.BitAnd: "BitAnd", ast.BitOr: "BitOr",
    ast.BitXor: "BitXor", ast.LShift: "LeftShift", ast.RShift: "RightShift",
}  # fmt: skip
"""Operators of augmented assignments, as LibCST names them."""


def _captured(pattern: ast.pattern) -> Iterator[str]:
    for node in ast.walk(pattern):
        if isinstance(node, (ast.MatchAs, ast.MatchStar)) and node.name is not None:
            yield node.name


def draft(module: ast.Module, places: Places, *, start: int, end: int) -> t.Module:
    """Syntax facts of a text that stands at `start:end` of its file. Not linked yet: `tree.link` does that."""
    return t.Module(start, end, Drafter(places).block(module.body))
