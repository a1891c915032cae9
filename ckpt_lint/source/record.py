"""The recorder: walks a LibCST module once and writes down syntax facts.

Structure comes from LibCST; positions come from `ast`, walked in step (`ckpt_lint.source.positions`). Statements are
recorded here, expressions in `ckpt_lint.source.record_expressions`. Both recurse only as deep as `parse` allows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import libcst as cst

from ckpt_lint.source import tree as t
from ckpt_lint.source.positions import ABSENT, Positions
from ckpt_lint.source.record_expressions import Expressions


def dotted(node: cst.BaseExpression | None) -> str:
    """`a.b.c` of an import as text, "" for none."""
    names: list[str] = []
    while isinstance(node, cst.Attribute):
        names.append(node.attr.value)
        node = node.value
    if isinstance(node, cst.Name):
        names.append(node.value)
    return ".".join(reversed(names))


class Recorder:
    """Turns LibCST statements into syntax facts. One instance serves one parsed text."""

    def __init__(self, positions: Positions) -> None:
        self.at = positions.of
        self.expressions = Expressions(positions)
        self.expr = self.expressions.record
        self.table: dict[type[cst.CSTNode], Callable[[Any, Any], t.Stmt]] = {
            cst.Expr: self._expression, cst.Assign: self._assign, cst.AugAssign: self._augmented,
            cst.AnnAssign: self._annotated, cst.Return: self._return, cst.Raise: self._raise, cst.Del: self._delete,
            cst.Assert: self._assert, cst.Import: self._import, cst.ImportFrom: self._import_from,
            cst.Global: self._declare, cst.Nonlocal: self._declare, cst.Pass: self._jump, cst.Break: self._jump,
            cst.Continue: self._jump, cst.If: self._if, cst.For: self._for, cst.While: self._while, cst.Try: self._try,
            cst.TryStar: self._try, cst.With: self._with, cst.FunctionDef: self._function, cst.ClassDef: self._class,
            cst.Match: self._match,
        }  # fmt: skip

    def module(self, node: cst.Module, twin: Any, start: int, end: int) -> t.Module:
        """The facts of a whole text that stands at `start:end` of its file."""
        return t.Module(start, end, self._block(node.body, twin.body))

    def _block(self, body: Iterable[cst.CSTNode], twins: Any) -> t.Block:
        out: list[t.Stmt] = []
        twin = iter(twins)
        for line in body:
            if isinstance(line, cst.SimpleStatementLine):
                out.extend(self._statement(small, next(twin)) for small in line.body)
            else:
                out.append(self._statement(line, next(twin)))
        return tuple(out)

    def _suite(self, suite: Any, twins: Any) -> t.Block:
        if suite is None:
            return ()
        if isinstance(suite, cst.SimpleStatementSuite):
            return tuple(self._statement(small, twin) for small, twin in zip(suite.body, twins, strict=False))
        return self._block(suite.body, twins)

    def _statement(self, node: cst.CSTNode, twin: Any) -> t.Stmt:
        handler = self.table.get(type(node))
        if handler is None:  # `type X = ...`: binds a name that no rule asks for
            return t.Jump(*self.at(node, twin), "pass")
        return handler(node, twin)

    def _expression(self, node: cst.Expr, twin: Any) -> t.Stmt:
        return t.ExprStmt(*self.at(node, twin), self.expr(node.value, twin.value))

    def _assign(self, node: cst.Assign, twin: Any) -> t.Stmt:
        targets = tuple(self.expr(a.target, b) for a, b in zip(node.targets, twin.targets, strict=False))
        return t.Assign(*self.at(node, twin), targets, self.expr(node.value, twin.value))

    def _augmented(self, node: cst.AugAssign, twin: Any) -> t.Stmt:
        op = type(node.operator).__name__.removesuffix("Assign")
        target = self.expr(node.target, twin.target)
        return t.AugAssign(*self.at(node, twin), target, op, self.expr(node.value, twin.value))

    def _annotated(self, node: cst.AnnAssign, twin: Any) -> t.Stmt:
        return t.AnnAssign(
            *self.at(node, twin),
            self.expr(node.target, twin.target),
            self.expr(node.annotation.annotation, twin.annotation),
            self.expr(node.value, twin.value) if node.value else None,
        )

    def _return(self, node: cst.Return, twin: Any) -> t.Stmt:
        return t.Return(*self.at(node, twin), self.expr(node.value, twin.value) if node.value else None)

    def _raise(self, node: cst.Raise, twin: Any) -> t.Stmt:
        return t.Raise(*self.at(node, twin), self.expr(node.exc, twin.exc) if node.exc else None)

    def _delete(self, node: cst.Del, twin: Any) -> t.Stmt:
        target = node.target
        if isinstance(target, cst.Tuple) and not target.lpar:
            parts = zip((e.value for e in target.elements), twin.targets, strict=False)
            targets = tuple(self.expr(a, b) for a, b in parts)
        else:
            targets = (self.expr(target, twin.targets[0]),)
        return t.Delete(*self.at(node, twin), targets)

    def _assert(self, node: cst.Assert, twin: Any) -> t.Stmt:
        message = self.expr(node.msg, twin.msg) if node.msg else None
        return t.Assert(*self.at(node, twin), self.expr(node.test, twin.test), message)

    def _import(self, node: cst.Import, twin: Any) -> t.Stmt:
        names = tuple(self._alias(a, b) for a, b in zip(node.names, twin.names, strict=False))
        return t.Import(*self.at(node, twin), names)

    def _import_from(self, node: cst.ImportFrom, twin: Any) -> t.Stmt:
        start, end = self.at(node, twin)
        if isinstance(node.names, cst.ImportStar):
            names: tuple[t.Alias, ...] = (t.Alias(start, end, "*", None),)
        else:
            names = tuple(self._alias(a, b) for a, b in zip(node.names, twin.names, strict=False))
        return t.ImportFrom(start, end, dotted(node.module), names, len(node.relative))

    def _alias(self, node: cst.ImportAlias, twin: Any) -> t.Alias:
        asname = node.asname.name.value if node.asname and isinstance(node.asname.name, cst.Name) else None
        return t.Alias(*self.at(node, twin), dotted(node.name), asname)

    def _declare(self, node: cst.Global | cst.Nonlocal, twin: Any) -> t.Stmt:
        names = tuple(item.name.value for item in node.names)
        return t.Declare(*self.at(node, twin), "global" if isinstance(node, cst.Global) else "nonlocal", names)

    def _jump(self, node: cst.CSTNode, twin: Any) -> t.Stmt:
        return t.Jump(*self.at(node, twin), type(node).__name__.lower())

    def _if(self, node: cst.If, twin: Any) -> t.Stmt:
        chain: list[tuple[cst.If, Any]] = []
        current: Any = node
        while isinstance(current, cst.If):  # an `elif` chain may be hundreds long: no recursion
            chain.append((current, twin))
            current = current.orelse
            twin = twin.orelse if not isinstance(current, cst.If) else twin.orelse[0]
        orelse = self._suite(current.body, twin) if current is not None else ()
        for part, mate in reversed(chain):
            test = self.expr(part.test, mate.test)
            orelse = (t.If(*self.at(part, mate), test, self._suite(part.body, mate.body), orelse),)
        return orelse[0]

    def _else(self, node: cst.Else | cst.Finally | None, twins: Any) -> t.Block:
        return self._suite(node.body, twins) if node is not None else ()

    def _for(self, node: cst.For, twin: Any) -> t.Stmt:
        return t.For(
            *self.at(node, twin),
            self.expr(node.target, twin.target),
            self.expr(node.iter, twin.iter),
            self._suite(node.body, twin.body),
            self._else(node.orelse, twin.orelse),
        )

    def _while(self, node: cst.While, twin: Any) -> t.Stmt:
        test = self.expr(node.test, twin.test)
        return t.While(
            *self.at(node, twin), test, self._suite(node.body, twin.body), self._else(node.orelse, twin.orelse)
        )

    def _try(self, node: cst.Try, twin: Any) -> t.Stmt:
        handlers = tuple(self._handler(a, b) for a, b in zip(node.handlers, twin.handlers, strict=False))
        return t.Try(
            *self.at(node, twin),
            self._suite(node.body, twin.body),
            handlers,
            self._else(node.orelse, twin.orelse),
            self._else(node.finalbody, twin.finalbody),
        )

    def _handler(self, node: cst.ExceptHandler, twin: Any) -> t.Handler:
        kind = self.expr(node.type, twin.type) if node.type else None
        name = node.name.name.value if node.name and isinstance(node.name.name, cst.Name) else None
        return t.Handler(*self.at(node, twin), kind, name, self._suite(node.body, twin.body))

    def _with(self, node: cst.With, twin: Any) -> t.Stmt:
        items = []
        for item, mate in zip(node.items, twin.items, strict=False):
            value = self.expr(item.item, mate.context_expr)
            target = self.expr(item.asname.name, mate.optional_vars) if item.asname else None
            items.append(t.WithItem(value.start, target.end if target else value.end, value, target))
        return t.With(*self.at(node, twin), tuple(items), self._suite(node.body, twin.body))

    def _function(self, node: cst.FunctionDef, twin: Any) -> t.Stmt:
        return t.FunctionDef(
            *self.at(node, twin),
            node.name.value,
            self._decorators(node, twin),
            self.expressions.parameters(node.params, twin.args),
            self.expr(node.returns.annotation, twin.returns) if node.returns else None,
            self._suite(node.body, twin.body),
        )

    def _decorators(self, node: cst.FunctionDef | cst.ClassDef, twin: Any) -> tuple[t.Expr, ...]:
        return tuple(self.expr(a.decorator, b) for a, b in zip(node.decorators, twin.decorator_list, strict=False))

    def _class(self, node: cst.ClassDef, twin: Any) -> t.Stmt:
        bases = self.expressions.arguments([*node.bases, *node.keywords], twin.bases, twin.keywords)
        body = self._suite(node.body, twin.body)
        return t.ClassDef(*self.at(node, twin), node.name.value, self._decorators(node, twin), bases, body)

    def _match(self, node: cst.Match, twin: Any) -> t.Stmt:
        cases = tuple(self._case(a, b) for a, b in zip(node.cases, twin.cases, strict=False))
        return t.Match(*self.at(node, twin), self.expr(node.subject, twin.subject), cases)

    def _case(self, node: cst.MatchCase, twin: Any) -> t.Case:
        names: set[str] = set()
        stack: list[cst.CSTNode] = [node.pattern]
        while stack:
            part = stack.pop()
            if isinstance(part, (cst.MatchAs, cst.MatchStar)) and part.name is not None:
                names.add(part.name.value)
            stack.extend(part.children)
        guard = self.expr(node.guard, twin.guard) if node.guard else None
        body = self._suite(node.body, twin.body)
        start = self.at(node.pattern, twin.pattern)[0]
        return t.Case(start, body[-1].end if body else start, tuple(sorted(names)), guard, body)


def record(module: cst.Module, twin: Any, positions: Positions, *, start: int, end: int) -> t.Module:
    """Syntax facts of a parsed text; `twin` is its `ast.Module` or None. Not linked yet: `tree.link` does that."""
    return Recorder(positions).module(module, twin if twin is not None else ABSENT, start, end)
