"""What is known of a path that is saved to or loaded from: its constant text, its last component, its expression."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from ckpt_lint.facts.values import Values
from ckpt_lint.source import tree as t
from ckpt_lint.source.module import ModuleFacts, last_name
from ckpt_lint.source.names import path_key

WILD = "\0"
"""Stands for a computed piece in the text of a path."""

_WRAPPERS = frozenset({
    "os.path.abspath", "os.path.expanduser", "os.path.realpath", "pathlib.Path", "pathlib.PurePath", "builtins.str",
    "os.fspath", "os.path.normpath", "builtins.open", "pathlib.PosixPath",
})  # fmt: skip
_METHODS = frozenset({"open", "as_posix", "resolve", "absolute", "expanduser", "__str__"})
_PERCENT = re.compile(r"%[-+ #0-9.]*[a-zA-Z]")
_BRACES = re.compile(r"\{[^{}]*\}")
_DEPTH = 8


@dataclass(frozen=True, slots=True)
class PathFacts:
    """`text` is the path with `WILD` for what is computed; `expression` the variable it is, with the scope it is in."""

    text: str
    expression: str = ""

    @property
    def constant(self) -> bool:
        """Whether nothing of it is computed."""
        return bool(self.text) and WILD not in self.text

    @property
    def last(self) -> str:
        """The last path component where it is constant, else ""."""
        tail = re.split(r"[\\/]", self.text)[-1]
        return "" if WILD in tail else tail

    @property
    def suffix(self) -> str:
        """The file suffix where it is constant, lower case, with its dot."""
        return os.path.splitext(re.split(r"[\\/]", self.text)[-1])[1].lower() if self.text else ""

    @property
    def words(self) -> str:
        """All constant text, and the names in the expression: what a path says of itself."""
        return f"{self.text} {self.expression}".replace(WILD, " ")


def path_facts(values: Values, module: ModuleFacts, expr: t.Expr | None) -> PathFacts:
    """What is known of a path expression."""
    if expr is None:
        return PathFacts("")
    text = path_text(values, module, expr, _DEPTH)
    return PathFacts("" if not text.strip(WILD) else text, path_key(_unwrapped(module, expr)))


def _unwrapped(module: ModuleFacts, expr: t.Expr) -> t.Expr:
    for _ in range(_DEPTH):
        if isinstance(expr, t.Call) and module.names.is_a(expr.func, *_WRAPPERS) and expr.args:
            expr = expr.args[0].value
        elif isinstance(expr, t.Call) and isinstance(expr.func, t.Attribute) and expr.func.attr in _METHODS:
            expr = _receiver_or_first(module, expr, expr.func)
        elif isinstance(expr, t.Name) and (stream := opened(module, expr)) is not None:
            expr = stream
        else:
            break
    return expr


def opened(module: ModuleFacts, stream: t.Expr) -> t.Call | None:
    """The `open(path)` that gave a stream its name: two streams of one name are not one path."""
    blocks = [parent for parent in t.ancestors(stream) if isinstance(parent, t.With)]
    for binding in module.names.bindings(stream):
        value = binding.value if binding.how == "with" else None
        if isinstance(value, t.Call) and last_name(value.func) == "open":
            if any(block.start <= value.start < stream.start for block in blocks):
                return value
    return None


def _receiver_or_first(module: ModuleFacts, call: t.Call, func: t.Attribute) -> t.Expr:
    """The path of `path.open()`, and of `PathManager.open(path)`, which is something imported."""
    imported = func.attr == "open" and bool(module.names.of(func)) and bool(call.args)
    return call.args[0].value if imported else func.value


def path_text(values: Values, module: ModuleFacts, expr: t.Expr, depth: int) -> str:
    """The text of a path expression, `WILD` for every piece that is computed."""
    if depth <= 0:
        return WILD
    if isinstance(expr, t.Constant):
        return expr.value if isinstance(expr.value, str) else WILD
    if isinstance(expr, t.JoinedStr):
        pieces = [p.value if isinstance(p, t.Constant) and isinstance(p.value, str) else WILD for p in expr.values]
        return "".join(pieces)
    if isinstance(expr, t.BinOp):
        return _of_operator(values, module, expr, depth)
    if isinstance(expr, t.Call):
        return _of_call(values, module, expr, depth)
    if isinstance(expr, (t.Name, t.Attribute)):
        return _of_variable(values, module, expr, depth)
    return WILD


def _of_operator(values: Values, module: ModuleFacts, expr: t.BinOp, depth: int) -> str:
    if expr.op == "%":
        left = path_text(values, module, expr.left, depth - 1)
        return _PERCENT.sub(WILD, left)
    if expr.op in ("+", "/"):
        left, right = (path_text(values, module, side, depth - 1) for side in (expr.left, expr.right))
        return f"{left}{'/' if expr.op == '/' else ''}{right}"
    return WILD


def _of_call(values: Values, module: ModuleFacts, call: t.Call, depth: int) -> str:
    names = module.names.of(call.func)
    args = [arg.value for arg in call.args if arg.keyword is None and not arg.star]
    if any(name.endswith("path.join") for name in names) or last_name(call.func) == "joinpath":
        own = [call.func.value] if last_name(call.func) == "joinpath" and isinstance(call.func, t.Attribute) else []
        return "/".join(path_text(values, module, part, depth - 1) for part in [*own, *args])
    if set(names) & _WRAPPERS and args:
        return path_text(values, module, args[0], depth - 1)
    if isinstance(call.func, t.Attribute):
        if call.func.attr == "format":
            return _BRACES.sub(WILD, path_text(values, module, call.func.value, depth - 1))
        if call.func.attr in _METHODS:
            return path_text(values, module, _receiver_or_first(module, call, call.func), depth - 1)
    return WILD


def _of_variable(values: Values, module: ModuleFacts, expr: t.Expr, depth: int) -> str:
    bindings = [b for b in module.names.bindings(expr) if b.how in ("assign", "with", "param")]
    texts = {
        path_text(values, module, b.value, depth - 1) if b.value is not None and b.how != "param" else WILD
        for b in bindings
    }
    return texts.pop() if len(texts) == 1 else WILD
