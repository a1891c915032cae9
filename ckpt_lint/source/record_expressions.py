"""Recording expressions: LibCST gives the structure, `ast` the positions (see `ckpt_lint.source.record`)."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from typing import Any

import libcst as cst

from ckpt_lint.source import draft_expressions
from ckpt_lint.source import tree as t
from ckpt_lint.source.positions import ABSENT, Positions

OPERATORS = {
    "Add": "+", "Subtract": "-", "Multiply": "*", "Divide": "/", "FloorDivide": "//", "Modulo": "%", "Power": "**",
    "MatrixMultiply": "@", "BitAnd": "&", "BitOr": "|", "BitXor": "^", "LeftShift": "<<", "RightShift": ">>",
    "And": "and", "Or": "or", "Not": "not", "Minus": "-", "Plus": "+", "BitInvert": "~", "Equal": "==",
    "NotEqual": "!=", "LessThan": "<", "LessThanEqual": "<=", "GreaterThan": ">", "GreaterThanEqual": ">=",
    "In": "in", "NotIn": "not in", "Is": "is", "IsNot": "is not",
}  # fmt: skip


def token(operator: cst.CSTNode) -> str:
    """The operator as it is written."""
    return OPERATORS.get(type(operator).__name__, "?")


class Expressions:
    """Turns LibCST expressions into syntax facts."""

    def __init__(self, positions: Positions) -> None:
        self.positions = positions
        self.at = positions.of
        self.drafted = draft_expressions.Expressions(positions.places).formatted
        self.table: dict[type[cst.CSTNode], Callable[[Any, Any], t.Expr]] = {
            cst.Name: self._name, cst.Attribute: self._attribute, cst.Call: self._call,
            cst.SimpleString: self._literal, cst.ConcatenatedString: self._concatenated, cst.Integer: self._literal,
            cst.Float: self._literal, cst.Imaginary: self._literal, cst.Ellipsis: self._literal,
            cst.FormattedString: self._formatted, cst.Dict: self._dict, cst.List: self._sequence,
            cst.Tuple: self._sequence, cst.Set: self._sequence, cst.Subscript: self._subscript,
            cst.Lambda: self._lambda, cst.ListComp: self._comprehension, cst.SetComp: self._comprehension,
            cst.GeneratorExp: self._comprehension, cst.DictComp: self._comprehension,
            cst.BinaryOperation: self._binary, cst.BooleanOperation: self._boolean, cst.Comparison: self._compare,
            cst.UnaryOperation: self._unary, cst.IfExp: self._conditional, cst.NamedExpr: self._named,
            cst.Await: self._await, cst.Yield: self._yield,
        }  # fmt: skip

    def record(self, node: cst.CSTNode, twin: Any) -> t.Expr:
        """One expression. `twin` is its `ast` node, or `ABSENT`."""
        handler = self.table.get(type(node))
        if handler is None:
            return t.Unknown(*self.at(node, twin))
        return handler(node, twin)

    def _name(self, node: cst.Name, twin: Any) -> t.Expr:
        start, end = self.at(node, twin)
        value = node.value
        if value in ("True", "False", "None"):
            return t.Constant(start, end, {"True": True, "False": False, "None": None}[value])
        return t.Name(start, end, value)

    def _attribute(self, node: cst.Attribute, twin: Any) -> t.Expr:
        return t.Attribute(*self.at(node, twin), self.record(node.value, twin.value), node.attr.value)

    def _call(self, node: cst.Call, twin: Any) -> t.Expr:
        start, end = self.at(node, twin)
        args = self.arguments(node.args, twin.args, twin.keywords)
        return t.Call(start, end, self.record(node.func, twin.func), args)

    def arguments(self, args: Sequence[cst.Arg], plain: Any, keywords: Any) -> tuple[t.Argument, ...]:
        """Arguments in source order; `ast` keeps positional and keyword ones apart, each in source order."""
        plain, keywords = iter(plain), iter(keywords)
        out = []
        for arg in args:
            if arg.keyword is not None or arg.star == "**":
                twin = next(keywords)
                value = self.record(arg.value, twin.value)
                start = self.at(arg, twin)[0] if twin is not ABSENT else value.start
                out.append(t.Argument(start, value.end, value, arg.keyword.value if arg.keyword else None, arg.star))
                continue
            twin = next(plain)
            value = self.record(arg.value, twin.value if arg.star else twin)
            start = self.at(arg, twin)[0] if arg.star and twin is not ABSENT else value.start
            out.append(t.Argument(start, value.end, value, None, arg.star))
        return tuple(out)

    def _literal(self, node: Any, twin: Any) -> t.Expr:
        start, end = self.at(node, twin)
        value = twin.value if twin is not ABSENT else getattr(node, "evaluated_value", ...)
        return t.Constant(start, end, value)

    def _concatenated(self, node: cst.ConcatenatedString, twin: Any) -> t.Expr:
        start, end = self.at(node, twin)
        if isinstance(twin, ast.JoinedStr):
            return self.drafted(twin)
        value = twin.value if twin is not ABSENT else node.evaluated_value
        if isinstance(value, (str, bytes)):
            return t.Constant(start, end, value)
        parts: list[t.Expr] = []
        for piece in _pieces(node):
            if isinstance(piece, cst.FormattedString):
                parts.extend(self._format_parts(piece, start, end))
            elif isinstance(piece, cst.SimpleString):
                parts.append(t.Constant(start, end, piece.evaluated_value))
        return t.JoinedStr(start, end, tuple(parts))

    def _formatted(self, node: cst.FormattedString, twin: Any) -> t.Expr:
        """An f-string: Python's own parser says what its parts are, with escapes and neighbours put together."""
        if isinstance(twin, ast.JoinedStr):
            return self.drafted(twin)
        start, end = self.at(node, twin)
        return t.JoinedStr(start, end, tuple(self._format_parts(node, start, end)))

    def _format_parts(self, node: cst.FormattedString, start: int, end: int) -> list[t.Expr]:
        """Expressions in an f-string stand at the whole string: `ast` of Python 3.11 and older misplaces them."""
        inner = Expressions(_Fixed(start, end))
        out: list[t.Expr] = []
        for part in node.parts:
            if isinstance(part, cst.FormattedStringText):
                out.append(t.Constant(start, end, part.value))
            elif isinstance(part, cst.FormattedStringExpression):
                out.append(inner.record(part.expression, ABSENT))
        return out

    def _dict(self, node: cst.Dict, twin: Any) -> t.Expr:
        keys: list[t.Expr | None] = []
        values: list[t.Expr] = []
        for element, key, value in zip(node.elements, twin.keys, twin.values, strict=False):
            keys.append(self.record(element.key, key) if isinstance(element, cst.DictElement) else None)
            values.append(self.record(element.value, value))
        return t.Dict(*self.at(node, twin), tuple(keys), tuple(values))

    def _sequence(self, node: cst.List | cst.Tuple | cst.Set, twin: Any) -> t.Expr:
        items = tuple(self._element(a, b) for a, b in zip(node.elements, twin.elts, strict=False))
        return t.Sequence(*self.at(node, twin), type(node).__name__.lower(), items)

    def _element(self, node: cst.BaseElement, twin: Any) -> t.Expr:
        if isinstance(node, cst.StarredElement):
            value = self.record(node.value, twin.value)
            start, end = (value.start - 1, value.end) if twin is ABSENT else self.at(node, twin)
            return t.Starred(start, end, value)
        return self.record(node.value, twin)

    def _subscript(self, node: cst.Subscript, twin: Any) -> t.Expr:
        value = self.record(node.value, twin.value)
        start, end = self.at(node, twin)
        elements = node.slice
        if len(elements) == 1 and not isinstance(elements[0].comma, cst.Comma) and not _is_starred(elements[0].slice):
            return t.Subscript(start, end, value, self._index(elements[0].slice, twin.slice))
        items = tuple(self._index(e.slice, b) for e, b in zip(elements, twin.slice.elts, strict=False))
        place = self.at(node, twin.slice) if twin is not ABSENT else (items[0].start, items[-1].end)
        return t.Subscript(start, end, value, t.Sequence(*place, "tuple", items))

    def _index(self, node: cst.BaseSlice, twin: Any) -> t.Expr:
        if isinstance(node, cst.Slice):
            parts = [
                self.record(part, mate) if part is not None else None
                for part, mate in ((node.lower, twin.lower), (node.upper, twin.upper), (node.step, twin.step))
            ]
            return t.Slice(*self.at(node, twin), *parts)
        assert isinstance(node, cst.Index)
        if node.star:
            value = self.record(node.value, twin.value)
            place = self.at(node, twin) if twin is not ABSENT else (value.start - 1, value.end)
            return t.Starred(*place, value)
        return self.record(node.value, twin)

    def parameters(self, node: cst.Parameters, twin: Any) -> tuple[t.Parameter, ...]:
        """All parameters in the order they are declared."""
        plain = [*node.posonly_params, *node.params]
        mates = [*twin.posonlyargs, *twin.args] if twin is not ABSENT else [ABSENT] * len(plain)
        defaults = list(twin.defaults) if twin is not ABSENT else [ABSENT] * len(plain)
        defaults = [ABSENT] * (len(plain) - len(defaults)) + defaults
        out = [
            self._parameter(p, m, d, "positional") for p, m, d in zip(plain, mates, defaults, strict=False)
        ]
        if isinstance(node.star_arg, cst.Param):
            out.append(self._parameter(node.star_arg, twin.vararg, ABSENT, "star"))
        for p, m, d in zip(node.kwonly_params, twin.kwonlyargs, twin.kw_defaults, strict=False):
            out.append(self._parameter(p, m, d, "keyword"))
        if node.star_kwarg is not None:
            out.append(self._parameter(node.star_kwarg, twin.kwarg, ABSENT, "double-star"))
        return tuple(out)

    def _parameter(self, node: cst.Param, twin: Any, default: Any, kind: str) -> t.Parameter:
        note = self.record(node.annotation.annotation, twin.annotation) if node.annotation else None
        value = self.record(node.default, default) if node.default is not None else None
        return t.Parameter(*self.at(node, twin), node.name.value, kind, note, value)

    def _lambda(self, node: cst.Lambda, twin: Any) -> t.Expr:
        params = self.parameters(node.params, twin.args)
        return t.Lambda(*self.at(node, twin), params, self.record(node.body, twin.body))

    def _comprehension(self, node: Any, twin: Any) -> t.Expr:
        kind = {"ListComp": "list", "SetComp": "set", "DictComp": "dict"}.get(type(node).__name__, "generator")
        generators = []
        part, mates = node.for_in, iter(twin.generators)
        while part is not None:
            mate = next(mates)
            target = self.record(part.target, mate.target)
            source = self.record(part.iter, mate.iter)
            ifs = tuple(self.record(a.test, b) for a, b in zip(part.ifs, mate.ifs, strict=False))
            generators.append(t.Generator(target.start, (ifs[-1] if ifs else source).end, target, source, ifs))
            part = part.inner_for_in
        if isinstance(node, cst.DictComp):
            element, value = self.record(node.key, twin.key), self.record(node.value, twin.value)
        else:
            element, value = self.record(node.elt, twin.elt), None
        return t.Comprehension(*self.at(node, twin), kind, tuple(generators), element, value)

    def _binary(self, node: cst.BinaryOperation, twin: Any) -> t.Expr:
        spine: list[tuple[Any, Any]] = []
        current: Any = node
        while isinstance(current, cst.BinaryOperation):  # a + b + c + ... leans left: no recursion
            spine.append((current, twin))
            current, twin = current.left, twin.left
        left = self.record(current, twin)
        for part, mate in reversed(spine):
            left = t.BinOp(*self.at(part, mate), left, token(part.operator), self.record(part.right, mate.right))
        return left

    def _boolean(self, node: cst.BooleanOperation, twin: Any) -> t.Expr:
        kind = type(node.operator)
        parts: list[Any] = [node.right]
        current: Any = node.left
        while isinstance(current, cst.BooleanOperation) and type(current.operator) is kind and not current.lpar:
            parts.append(current.right)
            current = current.left
        parts.append(current)
        values = tuple(self.record(a, b) for a, b in zip(reversed(parts), twin.values, strict=False))
        return t.BoolOp(*self.at(node, twin), token(node.operator), values)

    def _compare(self, node: cst.Comparison, twin: Any) -> t.Expr:
        left = self.record(node.left, twin.left)
        ops = tuple(token(part.operator) for part in node.comparisons)
        rights = tuple(
            self.record(a.comparator, b) for a, b in zip(node.comparisons, twin.comparators, strict=False)
        )
        return t.Compare(*self.at(node, twin), left, ops, rights)

    def _unary(self, node: cst.UnaryOperation, twin: Any) -> t.Expr:
        return t.UnaryOp(*self.at(node, twin), token(node.operator), self.record(node.expression, twin.operand))

    def _conditional(self, node: cst.IfExp, twin: Any) -> t.Expr:
        parts = [self.record(a, b) for a, b in
                 ((node.test, twin.test), (node.body, twin.body), (node.orelse, twin.orelse))]  # fmt: skip
        return t.IfExp(*self.at(node, twin), *parts)

    def _named(self, node: cst.NamedExpr, twin: Any) -> t.Expr:
        target = self.record(node.target, twin.target)
        return t.NamedExpr(*self.at(node, twin), target, self.record(node.value, twin.value))

    def _await(self, node: cst.Await, twin: Any) -> t.Expr:
        return t.Await(*self.at(node, twin), self.record(node.expression, twin.value))

    def _yield(self, node: cst.Yield, twin: Any) -> t.Expr:
        inner = node.value.item if isinstance(node.value, cst.From) else node.value
        value = self.record(inner, twin.value) if inner is not None else None
        return t.Yield(*self.at(node, twin), value)


def _is_starred(node: cst.BaseSlice) -> bool:
    return isinstance(node, cst.Index) and bool(node.star)


def _pieces(node: cst.CSTNode) -> list[cst.CSTNode]:
    out: list[cst.CSTNode] = []
    while isinstance(node, cst.ConcatenatedString):
        out.append(node.left)
        node = node.right
    return [*out, node]


class _Fixed(Positions):
    """Every node at one and the same place."""

    def __init__(self, start: int, end: int) -> None:
        super().__init__("", 0)
        self.place = (start, end)

    def of(self, node: cst.CSTNode, twin: Any) -> tuple[int, int]:
        return self.place
