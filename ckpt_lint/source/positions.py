"""Where LibCST's nodes stand in the text, lent by `ast`, which is ten times faster than LibCST's own provider.

`ast` counts UTF-8 bytes; offsets here are characters. Where `ast` refuses the text (syntax newer than the running
Python) LibCST's `PositionProvider` serves: slow, and needed for few files.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

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


class Positions:
    """Maps a pair of nodes, LibCST's and `ast`'s, to a start and an end in characters, shifted by `base`."""

    def __init__(self, text: str, base: int, ranges: Mapping[cst.CSTNode, Any] | None = None) -> None:
        self.base = base
        self.text = text
        self.ranges = ranges
        self.starts = [0] + [match.end() for match in NEWLINE.finditer(text)]
        self.ascii = text.isascii()

    def of(self, node: cst.CSTNode, twin: Any) -> tuple[int, int]:
        """The span of a node. `twin` is its `ast` counterpart, or `ABSENT`."""
        if twin is ABSENT:
            return self._own(node)
        starts = self.starts
        first, last = twin.lineno - 1, twin.end_lineno - 1
        if self.ascii:
            return self.base + starts[first] + twin.col_offset, self.base + starts[last] + twin.end_col_offset
        return self._column(first, twin.col_offset), self._column(last, twin.end_col_offset)

    def _column(self, line: int, column: int) -> int:
        start = self.starts[line]
        head = self.text[start : start + column]
        if not head.isascii():
            raw = self.text[start : start + column].encode("utf-8", "surrogatepass")[:column]
            head = raw.decode("utf-8", "ignore")
        return self.base + start + len(head)

    def _own(self, node: cst.CSTNode) -> tuple[int, int]:
        if self.ranges is None or node not in self.ranges:
            return self.base, self.base
        place = self.ranges[node]
        return (
            self.base + self.starts[place.start.line - 1] + place.start.column,
            self.base + self.starts[place.end.line - 1] + place.end.column,
        )


def parse_twin(text: str) -> ast.Module:
    """`ast.parse`, silent about the warnings it may raise. Raises SyntaxError, ValueError, RecursionError, MemoryError."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(text)
