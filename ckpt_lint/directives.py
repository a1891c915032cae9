"""The `noqa` comments of a source, as places in its text: for those who judge them and for those who write them.

`ckpt_lint.suppress` says what a comment silences, and takes flake8's word for it, which also finds `# noqa` in a
string. Here only true comments count, since what stands here is going to be edited.
"""

from __future__ import annotations

import tokenize
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ckpt_lint.model import Finding, Span
from ckpt_lint.source.lines import LineTable
from ckpt_lint.source.text import Part, Source
from ckpt_lint.suppress import INLINE, Lines, split_lines

_SEPARATORS = ", \t\n\r\f\v"


@dataclass(frozen=True, slots=True)
class Directive:
    """One comment with a `noqa` in it.

    `comment` is the comment from its `#` to the end of the line, `span` the directive in it, `codes` the codes with
    their places. `rows` are the first and the last row, in the cell, that it counts for; it counts for none
    (`effective` is false) where flake8 takes an earlier one of the same rows.
    """

    cell: int | None
    rows: tuple[int, int]
    row: int
    comment: Span
    span: Span
    codes: tuple[tuple[str, Span], ...]
    effective: bool

    def speaks_of(self, finding: Finding) -> bool:
        """Whether the comment stands where it can silence `finding`."""
        first, last = self.rows
        rows = (finding.noqa_row, finding.location.row)
        return self.effective and finding.location.cell == self.cell and any(first <= row <= last for row in rows)


def directives(source: Source) -> Iterator[Directive]:
    """Every `noqa` in a comment, in the order of the text; none of a part that has no tokens."""
    for part in source.parts:
        if INLINE.search(part.code):
            lines = Lines(source.text[part.span.start : part.span.end])
            table = LineTable(part.code)
            for row, column, text in comments(part):
                directive = _directive(row, column, text, part, table, lines)
                if directive is not None:
                    yield directive


def comments(part: Part) -> Sequence[tuple[int, int, str]]:
    """The comments of a part: row from 1, column from 0, text. None where Python has no tokens for it."""
    reader = iter([*split_lines(part.code), ""]).__next__
    try:
        tokens = list(tokenize.generate_tokens(reader))
    except (tokenize.TokenError, SyntaxError):
        return ()
    return [(*token.start, token.string) for token in tokens if token.type == tokenize.COMMENT]


def _directive(row: int, column: int, text: str, part: Part, table: LineTable, lines: Lines) -> Directive | None:
    match = INLINE.search(text)
    if match is None:
        return None
    start = part.span.start + table.offset(row, column + 1)
    first, last = lines.joined(row)
    effective = INLINE.search(lines.comment_text(row))
    before = sum(map(len, lines.lines[first - 1 : row - 1])) + column + match.start()
    return Directive(
        cell=part.cell,
        rows=(first, last),
        row=row,
        comment=Span(start, start + len(text)),
        span=Span(start + match.start(), start + match.end()),
        codes=tuple(_codes(match["codes"] or "", start + max(match.start("codes"), 0))),
        effective=effective is not None and effective.start() == before,
    )


def _codes(text: str, start: int) -> Iterator[tuple[str, Span]]:
    position = 0
    while position < len(text):
        end = position
        while end < len(text) and text[end] not in _SEPARATORS:
            end += 1
        if end > position:
            yield text[position:end], Span(start + position, start + end)
        position = end + 1
