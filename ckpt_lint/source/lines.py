"""Rows, columns and offsets of a text, as Python counts lines: `\\n`, `\\r\\n` and a lone `\\r` end one."""

from __future__ import annotations

import itertools
import re
from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property

_LINE_END = re.compile(r"\r\n?|\n")


def line_starts(text: str, base: int = 0) -> list[int]:
    """The offset of each line, shifted by `base`. A text that ends in a newline has an empty last line."""
    if "\r" in text:
        return [base, *(base + match.end() for match in _LINE_END.finditer(text))]
    lengths = map(len, text.split("\n"))  # twice as fast as the expression
    starts = list(itertools.accumulate(lengths, lambda start, length: start + length + 1, initial=base))
    starts.pop()
    return starts


@dataclass(frozen=True)
class LineTable:
    """Where the lines of `text` start. Offsets and columns are characters; offsets from 0, rows and columns from 1.

    A text that ends in a newline has an empty last row.
    """

    text: str

    @cached_property
    def starts(self) -> tuple[int, ...]:
        """The offset of each line: found when it is first asked for, which it is of few texts."""
        return tuple(line_starts(self.text))

    def row(self, offset: int) -> int:
        """The row that holds the character at `offset`, the end of the text included."""
        return bisect_right(self.starts, offset)

    def column(self, offset: int) -> int:
        """The column of `offset` in its row."""
        return offset - self.starts[self.row(offset) - 1] + 1

    def offset(self, row: int, column: int) -> int:
        """The offset of a row and column. IndexError for a row that is not there; a column is not checked."""
        if row < 1:
            raise IndexError(row)
        return self.starts[row - 1] + column - 1

    def offset_utf8(self, row: int, byte: int) -> int:
        """The offset of an `ast` position: `lineno`, and `col_offset` in UTF-8 bytes from 0."""
        start = self.starts[row - 1]
        line = self.text[start : start + byte]
        if line.isascii():
            return start + len(line)
        return start + len(
            self.text[start : self.end(row)].encode("utf-8", "surrogatepass")[:byte].decode("utf-8", "ignore")
        )

    def end(self, row: int) -> int:
        """The offset just after the row's newline, or the end of the text."""
        return self.starts[row] if row < len(self.starts) else len(self.text)

    def content_end(self, row: int) -> int:
        """The offset of the row's newline, or the end of the text."""
        end = self.end(row)
        return end - len(self.newline(row))

    def newline(self, row: int) -> str:
        """How the row ends: `\\n`, `\\r\\n`, `\\r`, or nothing for the last one."""
        start, end = self.starts[row - 1], self.end(row)
        if self.text.endswith("\r\n", start, end):
            return "\r\n"
        return self.text[end - 1] if end > start and self.text[end - 1] in "\r\n" else ""

    def newline_near(self, offset: int) -> str:
        """The newline that text put in at `offset` should use: its row's, else that of the row before, else `\\n`."""
        row = self.row(offset)
        return self.newline(row) or (self.newline(row - 1) if row > 1 else "") or "\n"
