"""Code frames: lines of a source with marks under what is meant."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ckpt_lint.model import Location
from ckpt_lint.report.look import Look, printable
from ckpt_lint.source.text import Source

_CONTEXT = 2
_TALLEST = 9
_WIDEST = 180
_TAB = "    "


@dataclass(frozen=True, slots=True, order=True)
class Mark:
    """What to mark: from `start` up to `end`, in one cell, in rows and columns from 1."""

    start: Location
    end: Location


def cell_lines(source: Source, cell: int | None) -> list[str]:
    """The lines of a cell of a notebook, or of the whole of a Python file, without their ends."""
    span = next((known.span for known in source.cells if known.number == cell), None)
    if span is None:
        return []
    return source.text[span.start : span.end].replace("\r\n", "\n").replace("\r", "\n").split("\n")


def frame(lines: Sequence[str], marks: Sequence[Mark], look: Look) -> Iterator[str]:
    """The marked lines with two lines around them. Marks that reach over many lines show their first and last ones."""
    shown = sorted({row for mark in marks for row in _rows(mark, len(lines))})
    shown = _without_blank_rim(shown, lines, marks)
    if not shown:
        return
    width = len(str(shown[-1]))
    bar = look.paint(f"{' ' * width} |", "frame")
    yield f"{bar}\n"
    before = None
    for row in shown:
        if before is not None and row != before + 1:
            yield look.paint("...", "frame") + "\n"
        before = row
        line = _Line.of(lines[row - 1], min((mark.start.column for mark in marks if mark.start.row == row), default=1))
        yield f"{look.paint(f'{row:>{width}} |', 'frame')} {line.text}".rstrip() + "\n"
        carets = _carets(line, row, marks)
        if carets.strip():
            yield f"{bar} {look.paint(carets, 'error')}\n"
    yield f"{bar}\n"


def _rows(mark: Mark, last: int) -> Iterator[int]:
    """The rows that a frame shows for `mark`: without the middle of what is long, and blank lines at the rim."""
    first, final = mark.start.row, max(mark.start.row, _last_row(mark))
    middle = range(first, final + 1)
    if len(middle) > _TALLEST:
        yield from (row for row in (*middle[: _TALLEST // 2], *middle[-_TALLEST // 2 + 1 :]) if row <= last)
    else:
        yield from (row for row in middle if row <= last)
    yield from (row for row in range(first - _CONTEXT, first) if row > 0)
    yield from (row for row in range(final + 1, final + _CONTEXT + 1) if row <= last)


def _without_blank_rim(rows: list[int], lines: Sequence[str], marks: Sequence[Mark]) -> list[int]:
    """Without blank lines before the first and behind the last line that says something."""
    marked = {row for mark in marks for row in (mark.start.row, _last_row(mark))}
    telling = [index for index, row in enumerate(rows) if row in marked or lines[row - 1].strip()]
    return rows[telling[0] : telling[-1] + 1] if telling else rows


def _last_row(mark: Mark) -> int:
    """The last row that holds a character of `mark`: one that ends at a line's start ends on the line above."""
    return mark.end.row - 1 if mark.end.column == 1 and mark.end.row > mark.start.row else mark.end.row


def _carets(line: _Line, row: int, marks: Sequence[Mark]) -> str:
    carets = [" "] * (line.offsets[-1] + 1)
    for mark in marks:
        if not mark.start.row <= row <= _last_row(mark):
            continue
        start = mark.start.column if row == mark.start.row else line.indent
        end = mark.end.column if row == mark.end.row else len(line.offsets)
        first, last = line.at(start), max(line.at(end), line.at(start) + 1)
        carets[first:last] = "^" * (last - first)
    return "".join(carets).rstrip()


@dataclass(frozen=True, slots=True)
class _Line:
    """A line as a terminal shows it, and at which of its columns each character of the line begins."""

    text: str
    offsets: tuple[int, ...]
    indent: int

    @classmethod
    def of(cls, raw: str, column: int) -> _Line:
        """The line, cut around `column` (from 1) where it is too long for any terminal."""
        cut = max(0, column - _WIDEST // 3) if len(raw) > _WIDEST else 0
        pieces, offsets, at = ["…" if cut else ""], [0] * cut, 1 if cut else 0
        for character in raw[cut : cut + _WIDEST]:
            piece = _TAB if character == "\t" else printable(character)
            offsets.append(at)
            pieces.append(piece)
            at += sum(_width(part) for part in piece)
        offsets.append(at)
        tail = "…" if len(raw) > cut + _WIDEST else ""
        return cls("".join(pieces) + tail, tuple(offsets), len(raw) - len(raw.lstrip()) + 1)

    def at(self, column: int) -> int:
        """Where on the terminal the character in `column` (from 1) begins."""
        return self.offsets[min(column, len(self.offsets)) - 1]


def _width(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
