"""From the text of a part to linked syntax facts, keeping LibCST from what kills it.

LibCST dies with a segmentation fault on deeply nested brackets and runs for minutes on very long operator chains, so
no text reaches it that `ast` refused for its nesting or in which a chain has more than `MAX_CHAIN` links.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ckpt_lint.model import Location, Problem, Span, Status
from ckpt_lint.source import tree as t
from ckpt_lint.source.collector import collector_off
from ckpt_lint.source.dense import extent_of, pattern_depth
from ckpt_lint.source.draft import draft
from ckpt_lint.source.lines import line_starts
from ckpt_lint.source.positions import Places, Positions, parse_twin
from ckpt_lint.source.slices import blanked, cut, leave

MAX_CHAIN = 500
"""Operators, calls or attributes in a row in one expression that are still read."""

MAX_DEPTH = 150
"""Nesting of expressions and statements that is still read; Python itself stops at 100 indents and 200 brackets."""

MAX_PATTERN = 5
"""Brackets in one another in the pattern of a `case` that are still read."""

_ASYNC_NAME = re.compile(r"(?<=\.)async\b|\basync\b(?=[ \t]*(?:=(?!=)|[,)]))")
_NESTING = re.compile(r"too many nested|too deeply|too many statically|stack overflow|recursion", re.IGNORECASE)
_BLANKS = re.compile(r"[ \t]{80,}|\n[ \t]*(?=\n)")


@dataclass(frozen=True, slots=True)
class Parsed:
    """A module that was read: its unlinked facts, and how many characters LibCST saw."""

    module: t.Module
    size: int


class Unparsable(Exception):
    """The text cannot be read; `problem` says why."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def before_python_37(code: str) -> str | None:
    """A text in which `async`, a keyword since Python 3.7, is a name, with that name spelt otherwise at the same length.

    `tensor.cuda(async=True)` stands in much code for old releases of torch. None where there is no such thing.
    """
    found = _ASYNC_NAME.sub("asinc", code)
    return found if found != code else None


def is_readable_as_before_37(code: str) -> bool:
    """Whether a text is Python but for `async` as a name."""
    found = before_python_37(code)
    return found is not None and is_readable(found)


def _problem(status: Status, message: str, row: int | None = None, column: int | None = None) -> Unparsable:
    where = Location(row, max(1, column or 1)) if row else None
    return Unparsable(Problem(status, message, where))


def parse(code: str, *, base: int = 0, slicing: bool = True, at: Sequence[Span] | None = None) -> Parsed:
    """Have LibCST read one part; offsets are shifted by `base`. Of its functions only those at some places, if given.

    Raises Unparsable, with a row counted inside the part.
    """
    twin, whole = _twin(code), code
    if twin is not None:
        if slicing:
            code = blanked(code, cut(code, twin) if at is None else leave(code, twin, at))
        _refuse_long_chains(code, twin)
    else:
        _refuse_without_twin(code)
    _refuse_deep_patterns(code)
    try:
        return _record(code, twin, base, whole)
    except RecursionError:
        raise _too_deep() from None


def parse_draft(code: str, *, base: int = 0) -> t.Module | None:
    """The draft of one part, sliced; None where only LibCST may know the syntax. Raises Unparsable as `parse` does."""
    twin = _twin(code)
    if twin is None:
        return None
    seen = blanked(code, cut(code, twin))
    _refuse_long_chains(seen, twin)
    _refuse_deep_patterns(seen)
    try:
        with collector_off():
            return draft(twin, Places(code, base), start=base, end=base + len(code))
    except RecursionError:
        raise _too_deep() from None


def _too_deep() -> Unparsable:
    return _problem(Status.TOO_DEEP, "the code is nested too deeply to be read")


def is_readable(code: str) -> bool:
    """Whether `parse` takes the code, syntax newer than the running Python included."""
    try:
        parse(code, slicing=False)
    except Unparsable:
        return False
    return True


def _twin(code: str) -> ast.Module | None:
    """The `ast` of a text, or None where only LibCST may know the syntax."""
    try:
        return parse_twin(code)
    except SyntaxError as error:
        if _NESTING.search(error.msg or ""):
            raise _problem(Status.TOO_DEEP, f"nested too deeply to be read: {error.msg}", error.lineno) from None
        return None
    except (RecursionError, MemoryError):
        raise _too_deep() from None
    except ValueError as error:  # a null byte
        raise _problem(Status.SYNTAX_ERROR, f"not Python source: {error}") from None


def _long_statements(code: str, module: ast.Module) -> list[tuple[int, int, ast.stmt]]:
    """The statements that take up so much text that they may be too deep, with the place of each; of others the head."""
    starts = [*line_starts(code), len(code)]
    out: list[tuple[int, int, ast.stmt]] = []
    stack: list[Any] = [module]
    while stack:
        node = stack.pop()
        kind = type(node)
        if kind in _SIMPLE:
            if node.lineno == node.end_lineno and node.end_col_offset - node.col_offset < MAX_DEPTH:
                continue
            last = node.end_lineno
        else:
            for name in _BLOCKS:
                stack.extend(getattr(node, name, ()))
            if not isinstance(node, ast.stmt):
                continue
            first = getattr(node, "body", None)
            last = max(first[0].lineno if first else node.end_lineno or 0, node.lineno)
        start, end = starts[node.lineno - 1], starts[last]
        if end - start >= MAX_DEPTH:
            out.append((start, end, node))
    return sorted(out, key=lambda one: one[0])


_BLOCKS = ("finalbody", "orelse", "handlers", "cases", "body")

_SIMPLE = frozenset({
    ast.Expr, ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Return, ast.Raise, ast.Delete, ast.Assert, ast.Import,
    ast.ImportFrom, ast.Global, ast.Nonlocal, ast.Pass, ast.Break, ast.Continue,
})  # fmt: skip
"""Statements without statements in them: most of all."""


def _refuse_long_chains(code: str, module: ast.Module) -> None:
    """Raise where an expression is too long or too deep for LibCST. Only statements with many marks are looked into."""
    if not _is_dense(code):
        return
    for start, end, statement in _long_statements(code, module):
        if _is_dense(code[start:end]):
            _refuse_deep(statement)


def _refuse_without_twin(code: str) -> None:
    """Raise where a text that `ast` does not take may be too long or too deep for LibCST."""
    extent = extent_of(code)
    if max(extent.chain, extent.depth) <= MAX_DEPTH:
        return
    unparsable = _syntax_problem(code, 1, 1)
    if "never closed" in unparsable.problem.message:  # what follows is no one expression, and no Python of any version
        raise unparsable
    if extent.depth > MAX_DEPTH:
        raise _too_deep()
    raise _problem(
        Status.TOO_LARGE, f"a chain of more than {MAX_DEPTH} operators is not read in syntax unknown to Python"
    )


def _refuse_deep_patterns(code: str) -> None:
    if pattern_depth(code) > MAX_PATTERN:
        raise _problem(Status.TOO_DEEP, f"patterns of a `case` nested deeper than {MAX_PATTERN} are not read")


def _is_dense(text: str) -> bool:
    """Whether a text has enough operators, dots, brackets or words to hold a long chain or deep nesting."""
    if len(text) < MAX_DEPTH:
        return False
    marks = sum(text.count(mark) for mark in "+-*/%|&^@~")
    words = text.count(" and ") + text.count(" or ") + text.count("not ") + text.count(" if ") + text.count("lambda")
    return marks + words > MAX_DEPTH or text.count(".") > MAX_CHAIN or _brackets(text) > MAX_DEPTH


def _brackets(text: str) -> int:
    return text.count("(") + text.count("[") + text.count("{")


def _refuse_deep(statement: ast.stmt) -> None:
    stack: list[tuple[ast.AST, int, int]] = [(statement, 0, 0)]
    while stack:
        node, depth, chain = stack.pop()
        if chain > MAX_CHAIN or depth > MAX_DEPTH:
            row = getattr(node, "lineno", statement.lineno)
            if chain > MAX_CHAIN:
                raise _problem(Status.TOO_LARGE, f"a chain of more than {MAX_CHAIN} operators is not read", row)
            raise _problem(Status.TOO_DEEP, f"expressions nested deeper than {MAX_DEPTH} are not read", row)
        spine = _spine(node)
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.stmt) or (type(child) in _LEAVES and depth < MAX_DEPTH and chain < MAX_CHAIN):
                continue
            if child is spine:
                stack.append((child, depth, chain + 1))
            else:
                stack.append((child, depth + 1, 0))
        if isinstance(node, ast.BoolOp) and len(node.values) > MAX_CHAIN:
            stack.append((node.values[0], depth, MAX_CHAIN + 1))


_LEAVES = frozenset({ast.Constant, ast.Load, ast.Store, ast.Name})


def _spine(node: ast.AST) -> ast.AST | None:
    """The child along which a chain goes on."""
    if isinstance(node, ast.BinOp):
        return node.left
    if isinstance(node, (ast.Attribute, ast.Subscript)):
        return node.value
    if isinstance(node, ast.Call):
        return node.func
    return None


def _record(code: str, twin: ast.Module | None, base: int, whole: str) -> Parsed:
    """`whole` is the text before anything was blanked: the places of the twin are counted in its bytes."""
    import libcst as cst
    from libcst.metadata import MetadataWrapper, PositionProvider

    from ckpt_lint.source.record import record

    with collector_off():
        try:
            if twin is not None:
                module = cst.parse_module(code)
                positions = Positions(whole, base)
            else:
                wrapper = MetadataWrapper(cst.parse_module(code), unsafe_skip_copy=True)
                module = wrapper.module
                if module.code.strip() != code.strip():  # its places are those of its own text
                    raise _syntax_problem(code, 1, 1)
                positions = Positions(code, base, wrapper.resolve(PositionProvider))
        except cst.ParserSyntaxError as error:
            raise _syntax_problem(code, error.raw_line, error.raw_column) from None
        except cst.CSTValidationError:  # what its grammar takes and its nodes refuse: `"a" b"c"`
            raise _syntax_problem(code, 1, 1) from None
        return Parsed(record(module, twin, positions, start=base, end=base + len(code)), _ink(code))


def _ink(code: str) -> int:
    """How much of a text is more than blanks: what LibCST has to work on."""
    return len(code) - sum(len(match.group()) for match in _BLANKS.finditer(code))


def _syntax_problem(code: str, row: int, column: int) -> Unparsable:
    """The parser's complaint in Python's own words where Python has any."""
    try:
        parse_twin(code)
    except SyntaxError as error:
        return _problem(Status.SYNTAX_ERROR, error.msg, error.lineno or row, error.offset or column)
    except (ValueError, RecursionError, MemoryError):
        pass
    return _problem(Status.SYNTAX_ERROR, "this cannot be parsed", row, column)
