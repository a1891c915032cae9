"""What a finding is recognised by in a text that has changed since: its statement and the scope of that.

Neither rows nor cells count, nor what a formatter does to a statement: white space, comments, kinds of quotes, trailing
commas, parentheses. Of a compound statement only the head counts.
"""

from __future__ import annotations

import ast
import hashlib
import re
import warnings
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

from ckpt_lint.directives import comments
from ckpt_lint.model import Finding
from ckpt_lint.source.lines import LineTable
from ckpt_lint.source.text import Part, Source

_SHOWN = 100
_CONTINUATION = re.compile(r"\\\r?\n")
_LAST_COMMA = re.compile(r",([)\]}])")
_PARENTHESES = re.compile(r"(?<!\()\)|\((?!\))")
"""Formatters put them around long expressions and take them away. Empty ones stay: a call is no attribute."""
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


@dataclass(frozen=True, slots=True, order=True)
class Fingerprint:
    """`scope` is the qualified name of the class or function around, `digest` that of the statement's text.

    `statement` is for people: the beginning of the text.
    """

    scope: str
    digest: str
    statement: str


@dataclass(frozen=True, slots=True, order=True)
class _Statement:
    start: int
    end: int
    scope: str


class Fingerprints:
    """The statements of a source, read once for all its findings."""

    def __init__(self, source: Source | None) -> None:
        self._source = source
        self._parts = [] if source is None else [_Statements(part) for part in source.parts]

    def of(self, finding: Finding) -> Fingerprint:
        """The fingerprint of a finding of this source, or of a checkpoint file."""
        if finding.artifact is not None or self._source is None:
            found = finding.artifact
            text = "" if found is None else f"{found.member or ''} {found.key or ''}"
            return _fingerprint("", text)
        start = finding.span.start
        for part in self._parts:
            if part.span.start <= start <= part.span.end:
                return part.of(start)
        lines = self._source.lines
        row = lines.row(start)
        return _fingerprint("", self._source.text[lines.starts[row - 1] : lines.content_end(row)])


class _Statements:
    """Those of one part; none where the running Python cannot parse it, and then lines stand for them."""

    def __init__(self, part: Part) -> None:
        self.span, self._module = part.span, part.module
        self._table = LineTable(part.code)
        self._code = _without_comments(part, self._table)
        self._statements = sorted(_statements(part.code, self._table))

    def of(self, offset: int) -> Fingerprint:
        """The fingerprint of the innermost statement around `offset`, which is one of the source's."""
        at = offset - self.span.start
        last = bisect_right(self._statements, at, key=lambda one: one.start)
        around = next((one for one in reversed(self._statements[:last]) if at < one.end), None)
        if around is None:
            row = self._table.row(at)
            around = _Statement(self._table.starts[row - 1], self._table.content_end(row), "")
        scope = ".".join(part for part in (self._module, around.scope) if part)
        return _fingerprint(scope, self._code[around.start : around.end])


def _fingerprint(scope: str, text: str) -> Fingerprint:
    bare = "".join(_CONTINUATION.sub("", text).split()).replace("'", '"')
    bare = _PARENTHESES.sub("", _LAST_COMMA.sub(r"\1", bare))
    digest = hashlib.sha256(bare.encode("utf-8", "surrogatepass")).hexdigest()
    return Fingerprint(scope, digest[:16], " ".join(text.split())[:_SHOWN])


def _without_comments(part: Part, table: LineTable) -> str:
    """The code with blanks in the place of its comments."""
    pieces, done = [], 0
    for row, column, text in comments(part):
        start = table.offset(row, column + 1)
        pieces += [part.code[done:start], " " * len(text)]
        done = start + len(text)
    return "".join([*pieces, part.code[done:]])


def _statements(code: str, table: LineTable) -> Iterator[_Statement]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    waiting: list[tuple[ast.AST, str]] = [(tree, "")]
    while waiting:
        node, scope = waiting.pop()
        inner = f"{scope}.{node.name}".lstrip(".") if isinstance(node, _SCOPES) else scope
        waiting.extend((child, inner) for child in ast.iter_child_nodes(node) if not isinstance(child, ast.expr))
        if isinstance(node, (ast.stmt, ast.excepthandler)):
            yield _Statement(_start(node, table), _end(node, table), scope)


def _start(node: ast.stmt | ast.excepthandler, table: LineTable) -> int:
    first = node.decorator_list[0] if isinstance(node, _SCOPES) and node.decorator_list else node
    return table.offset_utf8(first.lineno, first.col_offset)


def _end(node: ast.stmt | ast.excepthandler, table: LineTable) -> int:
    """Where the statement ends, or its head does: before the first statement in it."""
    inner = [child for child in getattr(node, "body", ()) if isinstance(child, ast.stmt)]
    if isinstance(node, ast.Match):
        first = node.cases[0].pattern
        return table.offset_utf8(first.lineno, first.col_offset)
    if inner:
        return _start(inner[0], table)
    assert node.end_lineno is not None and node.end_col_offset is not None
    return table.offset_utf8(node.end_lineno, node.end_col_offset)
