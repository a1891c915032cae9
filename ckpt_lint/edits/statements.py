"""Edits of whole statements: put one beside another, add an import."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator

from ckpt_lint.edits.values import insert
from ckpt_lint.model import Edit, Span
from ckpt_lint.source.lines import LineTable
from ckpt_lint.source.scan import tokens
from ckpt_lint.source.text import Part, Source

_NAMED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.ExceptHandler, ast.MatchAs, ast.MatchStar)


def insert_after(text: str, statement: Span, code: str) -> tuple[Edit, ...]:
    """Put the one-line statement `code` after the statement at `statement`, in the same block.

    A statement that shares its line with others (`a = 1; b`, `if x: a = 1`) gets it behind a semicolon.
    """
    start, behind = _line_start(text, statement.start), _behind(text, statement.end)
    if not _stands_alone(text, statement.start) or behind < 0:
        return insert(statement.end, f"; {code}")
    return insert(behind, f"\n{_indent(text[start : statement.start])}{code}")


def insert_before(text: str, statement: Span, code: str) -> tuple[Edit, ...]:
    """Put the one-line statement `code` before the statement at `statement` (its decorators included)."""
    if not _stands_alone(text, statement.start):
        return insert(statement.start, f"{code}; ")
    start = _line_start(text, statement.start)
    indent = _indent(text[start : statement.start])
    return insert(statement.start - len(indent), f"{indent}{code}\n")


def statement_at(code: str, offset: int) -> Span | None:
    """The innermost statement that holds the character at `offset`, decorators included; None where none does.

    Reads with the running Python's parser: None where that refuses the code.
    """
    tree = _parsed(code)
    lines = LineTable(code)
    found, body = None, list(tree.body) if tree else []
    while body:
        holders = [span for node in body if (span := _span(lines, node)).start <= offset < span.end]
        if not holders:
            break
        found = holders[0]
        inside = next(node for node in body if _span(lines, node) == found)
        body = [node for node in _children(inside) if isinstance(node, ast.stmt)]
    return found


def add_import(source: Source, part: Part, code: str) -> tuple[Edit, ...] | None:
    """Import `code` (`import copy`, `from x import y`) at the top of the module of `part`, for use in `part`.

    Empty where the module has that import at its top level already (not under an `if` or a `try`); of a notebook, the
    cells up to `part` count, and the import goes to the first one that imports, else into `part`. None where it cannot
    be done: the code does not parse here, or something else has the name that it binds.
    """
    wanted = ast.parse(code).body[0]
    names = {_bound(alias) for alias in _aliases(wanted)}
    trees = [(other, tree) for other in source.parts if other.module == part.module and (tree := _parsed(other.code))]
    if part not in (other for other, _ in trees):
        return None
    if any(name in names for _, tree in trees for name in _other_bindings(tree, wanted)):
        return None
    earlier = [(other, tree) for other, tree in trees if other.span <= part.span]
    if any(_provides(node, wanted) for _, tree in earlier for node in tree.body):
        return ()
    home = next((other for other, tree in earlier if any(_aliases(node) for node in tree.body)), part)
    return _import_edit(home, code)


def _import_edit(part: Part, code: str) -> tuple[Edit, ...]:
    tree = _parsed(part.code)
    lines = LineTable(part.code)
    body = list(tree.body) if tree else []
    head = _head_length(body)
    if head < len(body) or not body:
        place = _span(lines, body[head]) if body else Span(len(part.code), len(part.code))
        edits = insert_before(part.code, place, code)
    else:
        edits = insert_after(part.code, _span(lines, body[-1]), code)
    shift = part.span.start
    return tuple(Edit(Span(edit.span.start + shift, edit.span.end + shift), edit.text) for edit in edits)


def _head_length(body: list[ast.stmt]) -> int:
    """How many statements stay in front: the docstring and the `__future__` imports."""
    count = 0
    if body and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
        count = int(isinstance(body[0].value.value, str))
    for index, node in enumerate(body):
        if isinstance(node, ast.ImportFrom) and node.module == "__future__":
            count = index + 1
    return count


def _aliases(node: ast.stmt) -> list[ast.alias]:
    return node.names if isinstance(node, (ast.Import, ast.ImportFrom)) else []


def _bound(alias: ast.alias) -> str:
    return alias.asname or alias.name.partition(".")[0]


def _provides(node: ast.stmt, wanted: ast.stmt) -> bool:
    """Whether an import statement binds all that the wanted one binds, to the same."""
    if type(node) is not type(wanted):
        return False
    if _origin(node) != _origin(wanted):
        return False
    present = [(alias.name, alias.asname) for alias in _aliases(node)]
    return all((alias.name, alias.asname) in present for alias in _aliases(wanted))


def _origin(node: ast.stmt) -> tuple[str | None, int]:
    return (node.module, node.level) if isinstance(node, ast.ImportFrom) else (None, 0)


def _other_bindings(tree: ast.AST, wanted: ast.stmt) -> Iterator[str]:
    """Every name that anything but the wanted import binds, in whatever scope."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            if not any(_provides(_single(node, alias), wanted) for alias in node.names):
                yield from (_bound(alias) for alias in node.names)
            continue
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, _NAMED) and node.name:
            yield node.name


def _single(node: ast.Import | ast.ImportFrom, alias: ast.alias) -> ast.stmt:
    if isinstance(node, ast.Import):
        return ast.Import(names=[alias])
    return ast.ImportFrom(module=node.module, names=[alias], level=node.level)


def _parsed(code: str) -> ast.Module | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _children(node: ast.AST) -> Iterator[ast.AST]:
    """Direct children, and those of what is between a statement and its blocks (handlers, cases)."""
    for child in ast.iter_child_nodes(node):
        yield child
        if isinstance(child, (ast.ExceptHandler, ast.match_case)):
            yield from ast.iter_child_nodes(child)


def _span(lines: LineTable, node: ast.stmt) -> Span:
    first = [*getattr(node, "decorator_list", ()), node][0]
    start = lines.offset_utf8(first.lineno, first.col_offset)
    if first is not node:
        start = lines.text.rindex("@", 0, start)
    return Span(start, lines.offset_utf8(node.end_lineno or node.lineno, node.end_col_offset or 0))


def _stands_alone(text: str, start: int) -> bool:
    """Whether a statement begins its logical line: nothing before it on the line, which no backslash continues."""
    line = _line_start(text, start)
    return not text[line:start].strip() and not re.search(r"\\(?:\r\n?|\n)\Z", text[:line][-3:])


def _behind(text: str, end: int) -> int:
    """Where the line that a statement ends on ends, before its newline; -1 where a semicolon follows."""
    for token in tokens(text, end):
        if token.text == ";":
            return -1
        if token.kind == "newline":
            return token.start
    return len(text)


def _indent(before: str) -> str:
    """The blanks that count: those behind the last form feed."""
    return before.rpartition("\f")[2]


def _line_start(text: str, offset: int) -> int:
    return max(text.rfind("\n", 0, offset), text.rfind("\r", 0, offset)) + 1
