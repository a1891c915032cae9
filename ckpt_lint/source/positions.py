"""Where LibCST's nodes stand in the text, lent by `ast`, which is ten times faster than LibCST's own provider.

`ast` counts UTF-8 bytes; offsets here are characters. Where `ast` refuses the text (syntax newer than the running
Python) LibCST's `PositionProvider` serves: slow, and needed for few files.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ckpt_lint.source.lines import line_starts

if TYPE_CHECKING:
    import libcst as cst

NEWLINE = re.compile(r"\r\n|\r|\n")


class _Absent:
    """Stands for an `ast` node where there is none: every field of it is absent too."""

    def __getattr__(self, name: str) -> Any:
        return self

    def __getitem__(self, key: object) -> Any:
        return self

    def __iter__(self) -> Iterator[Any]:
        while True:
            yield self


ABSENT: Any = _Absent()


class Places:
    """Maps an `ast` node to a start and an end in characters, shifted by `base`."""

    def __init__(self, text: str, base: int) -> None:
        self.base = base
        self.text = text
        self.starts = line_starts(text, base)
        self.ascii = text.isascii()
        self.lines = None if self.ascii else [line.isascii() for line in NEWLINE.split(text)]

    def of(self, node: Any) -> tuple[int, int]:
        """The span of a node."""
        starts = self.starts
        if self.ascii:
            return starts[node.lineno - 1] + node.col_offset, starts[node.end_lineno - 1] + node.end_col_offset
        return self._column(node.lineno - 1, node.col_offset), self._column(node.end_lineno - 1, node.end_col_offset)

    def _column(self, line: int, column: int) -> int:
        if self.lines is None or self.lines[line]:
            return self.starts[line] + column
        start = self.starts[line] - self.base
        raw = self.text[start : start + column].encode("utf-8", "surrogatepass")[:column]
        return self.starts[line] + sum(byte & 0xC0 != 0x80 for byte in raw)


class Positions:
    """Maps a pair of nodes, LibCST's and `ast`'s, to a start and an end in characters, shifted by `base`."""

    def __init__(self, text: str, base: int, ranges: Mapping[cst.CSTNode, Any] | None = None) -> None:
        self.places = Places(text, base)
        self.ranges = ranges

    def of(self, node: cst.CSTNode, twin: Any) -> tuple[int, int]:
        """The span of a node. `twin` is its `ast` counterpart, or `ABSENT`."""
        return self._own(node) if twin is ABSENT else self.places.of(twin)

    def _own(self, node: cst.CSTNode) -> tuple[int, int]:
        base, starts = self.places.base, self.places.starts
        if self.ranges is None or node not in self.ranges:
            return base, base
        place = self.ranges[node]
        return starts[place.start.line - 1] + place.start.column, starts[place.end.line - 1] + place.end.column


def parse_twin(text: str) -> ast.Module:
    """`ast.parse`, silent about the warnings it may raise. Raises SyntaxError, ValueError, RecursionError, MemoryError."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(text)
