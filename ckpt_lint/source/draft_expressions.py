"""Drafting expressions: the same facts as `record_expressions` writes, from `ast` alone (see `ckpt_lint.source.draft`)."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable
from typing import Any

from ckpt_lint.source import tree as t
from ckpt_lint.source.positions import Places

OPERATORS: dict[type[Any], str] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//", ast.Mod: "%", ast.Pow: "**",
    ast.MatMult: "@", ast.BitAnd: "&", ast.BitOr: "|", ast.BitXor: "^", ast.LShift: "<<", ast.RShift: ">>",
    ast.And: "and", ast.Or: "or", ast.Not: "not", ast.USub: "-", ast.UAdd: "+", ast.Invert: "~", ast.Eq: "==",
    ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.In: "in", ast.NotIn: "not in",
    ast.Is: "is", ast.IsNot: "is not",
}  # fmt: skip


class Expressions:
    """Turns `ast` expressions into syntax facts."""

    def __init__(self, places: Places) -> None:
        self.at = places.of

    def record(self, node: ast.expr) -> t.Expr:
        """One expression."""
        kind = type(node)
        if kind is ast.Name:
            return t.Name(*self.at(node), node.id)  # type: ignore[attr-defined]
        return _HANDLERS.get(kind, Expressions._unknown)(self, node)

    def _unknown(self, node: ast.expr) -> t.Expr:
        return t.Unknown(*self.at(node))

    def _attribute(self, node: ast.Attribute) -> t.Expr:
        return t.Attribute(*self.at(node), self.record(node.value), node.attr)

    def _constant(self, node: ast.Constant) -> t.Expr:
        return t.Constant(*self.at(node), node.value)

    def optional(self, node: ast.expr | None) -> t.Expr | None:
        """One expression, or none."""
        return self.record(node) if node is not None else None

    def _call(self, node: ast.Call) -> t.Expr:
        start, end = self.at(node)
        args = self.arguments(node.args, node.keywords)
        if node.keywords and node.args:
            args.sort(key=_start)
        return t.Call(start, end, self.record(node.func), tuple(args))

    def arguments(self, plain: Iterable[ast.expr], keywords: Iterable[ast.keyword]) -> list[t.Argument]:
        """Positional arguments, then keyword ones, each in source order."""
        out = []
        for arg in plain:
            if isinstance(arg, ast.Starred):
                value = self.record(arg.value)
                out.append(t.Argument(self.at(arg)[0], value.end, value, None, "*"))
            else:
                value = self.record(arg)
                out.append(t.Argument(value.start, value.end, value, None, ""))
        for keyword in keywords:
            value = self.record(keyword.value)
            star = "" if keyword.arg is not None else "**"
            out.append(t.Argument(self.at(keyword)[0], value.end, value, keyword.arg, star))
        return out

    def formatted(self, node: ast.JoinedStr) -> t.Expr:
        """An f-string. What stands in it stands at the whole string: Python 3.11 and older misplace it."""
        start, end = self.at(node)
        inner = Expressions(_Fixed(start, end))
        parts = (part.value if isinstance(part, ast.FormattedValue) else part for part in node.values)
        return t.JoinedStr(start, end, tuple(inner.record(part) for part in parts))

    def _dict(self, node: ast.Dict) -> t.Expr:
        keys, values = [], []
        for key, value in zip(node.keys, node.values):
            keys.append(self.optional(key))
            values.append(self.record(value))
        return t.Dict(*self.at(node), tuple(keys), tuple(values))

    def _sequence(self, node: ast.List | ast.Tuple | ast.Set) -> t.Expr:
        items = tuple([self.record(item) for item in node.elts])
        return t.Sequence(*self.at(node), type(node).__name__.lower(), items)

    def _starred(self, node: ast.Starred) -> t.Expr:
        return t.Starred(*self.at(node), self.record(node.value))

    def _subscript(self, node: ast.Subscript) -> t.Expr:
        return t.Subscript(*self.at(node), self.record(node.value), self.record(node.slice))

    def _slice(self, node: ast.Slice) -> t.Expr:
        parts = [self.optional(part) for part in (node.lower, node.upper, node.step)]
        return t.Slice(*self.at(node), *parts)

    def parameters(self, node: ast.arguments) -> tuple[t.Parameter, ...]:
        """All parameters in the order they are declared."""
        plain = [*node.posonlyargs, *node.args]
        defaults: list[ast.expr | None] = [None] * (len(plain) - len(node.defaults)) + list(node.defaults)
        out = [self._parameter(p, d, "positional") for p, d in zip(plain, defaults)]
        if node.vararg is not None:
            out.append(self._parameter(node.vararg, None, "star"))
        out += [self._parameter(p, d, "keyword") for p, d in zip(node.kwonlyargs, node.kw_defaults)]
        if node.kwarg is not None:
            out.append(self._parameter(node.kwarg, None, "double-star"))
        return tuple(out)

    def _parameter(self, node: ast.arg, default: ast.expr | None, kind: str) -> t.Parameter:
        note = self.optional(node.annotation)
        return t.Parameter(*self.at(node), node.arg, kind, note, self.optional(default))

    def _lambda(self, node: ast.Lambda) -> t.Expr:
        return t.Lambda(*self.at(node), self.parameters(node.args), self.record(node.body))

    def _comprehension(self, node: Any) -> t.Expr:
        kind = {"ListComp": "list", "SetComp": "set", "DictComp": "dict"}.get(type(node).__name__, "generator")
        generators = []
        for part in node.generators:
            target, source = self.record(part.target), self.record(part.iter)
            ifs = tuple([self.record(test) for test in part.ifs])
            generators.append(t.Generator(target.start, (ifs[-1] if ifs else source).end, target, source, ifs))
        if isinstance(node, ast.DictComp):
            element, value = self.record(node.key), self.optional(node.value)
        else:
            element, value = self.record(node.elt), None
        return t.Comprehension(*self.at(node), kind, tuple(generators), element, value)

    def _binary(self, node: ast.BinOp) -> t.Expr:
        spine: list[ast.BinOp] = []
        current: ast.expr = node
        while isinstance(current, ast.BinOp):  # a + b + c + ... leans left: no recursion
            spine.append(current)
            current = current.left
        left = self.record(current)
        for part in reversed(spine):
            left = t.BinOp(*self.at(part), left, OPERATORS[type(part.op)], self.record(part.right))
        return left

    def _boolean(self, node: ast.BoolOp) -> t.Expr:
        return t.BoolOp(*self.at(node), OPERATORS[type(node.op)], tuple([self.record(v) for v in node.values]))

    def _compare(self, node: ast.Compare) -> t.Expr:
        ops = tuple([OPERATORS[type(op)] for op in node.ops])
        return t.Compare(*self.at(node), self.record(node.left), ops, tuple([self.record(c) for c in node.comparators]))

    def _unary(self, node: ast.UnaryOp) -> t.Expr:
        return t.UnaryOp(*self.at(node), OPERATORS[type(node.op)], self.record(node.operand))

    def _conditional(self, node: ast.IfExp) -> t.Expr:
        return t.IfExp(*self.at(node), self.record(node.test), self.record(node.body), self.record(node.orelse))

    def _named(self, node: ast.NamedExpr) -> t.Expr:
        return t.NamedExpr(*self.at(node), self.record(node.target), self.record(node.value))

    def _await(self, node: ast.Await) -> t.Expr:
        return t.Await(*self.at(node), self.record(node.value))

    def _yield(self, node: ast.Yield | ast.YieldFrom) -> t.Expr:
        return t.Yield(*self.at(node), self.optional(node.value))


_HANDLERS: dict[type[Any], Callable[[Expressions, Any], t.Expr]] = {
    ast.Attribute: Expressions._attribute, ast.Constant: Expressions._constant, ast.Call: Expressions._call,
    ast.JoinedStr: Expressions.formatted, ast.Dict: Expressions._dict, ast.List: Expressions._sequence,
    ast.Tuple: Expressions._sequence, ast.Set: Expressions._sequence, ast.Subscript: Expressions._subscript,
    ast.Lambda: Expressions._lambda, ast.ListComp: Expressions._comprehension, ast.SetComp: Expressions._comprehension,
    ast.GeneratorExp: Expressions._comprehension, ast.DictComp: Expressions._comprehension,
    ast.Slice: Expressions._slice, ast.BinOp: Expressions._binary, ast.BoolOp: Expressions._boolean,
    ast.Compare: Expressions._compare, ast.UnaryOp: Expressions._unary, ast.IfExp: Expressions._conditional,
    ast.NamedExpr: Expressions._named, ast.Await: Expressions._await, ast.Yield: Expressions._yield,
    ast.YieldFrom: Expressions._yield, ast.Starred: Expressions._starred,
}  # fmt: skip


def _start(node: t.Node) -> int:
    return node.start


class _Fixed(Places):
    """Every node at one and the same place."""

    def __init__(self, start: int, end: int) -> None:
        self.place = (start, end)

    def of(self, node: Any) -> tuple[int, int]:
        return self.place
