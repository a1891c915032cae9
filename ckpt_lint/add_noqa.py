"""Where a comment has to stand so that it silences a finding, and the edits that put it there.

On the first row of the finding's call, at the end of what flake8 joins with it: behind the last row of a string over
several lines or of a backslash continuation. A `noqa` that stands there already gets the code; else a new one goes to
the end of the row, behind any other comment. Nothing but comments may change: what else would is not done.
"""

from __future__ import annotations

import tokenize
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ckpt_lint.directives import Directive, directives
from ckpt_lint.model import Edit, Finding, Span
from ckpt_lint.source.text import Part, Source
from ckpt_lint.suppress import INLINE, Lines, codes_of, split_lines


@dataclass
class _Place:
    """One comment to write or to extend, and the codes that it is to hold besides."""

    cell: int | None
    row: int
    directive: Directive | None
    codes: dict[str, None] = field(default_factory=dict)


def annotated(source: Source, findings: Sequence[Finding], reason: str = "") -> tuple[Source, int]:
    """`source` with comments for `findings`, and how many comments were written or extended."""
    places = _places(source, findings)
    edits = [_edit(source, place, reason) for place in places]
    edited = source.edited(edits)
    if edits and not _same_program(source, edited):
        edits = [edit for edit in edits if _same_program(source, source.edited([edit]))]
        edited = source.edited(edits)
        if not _same_program(source, edited):
            return source, 0
    return edited, len(edits)


def comment(codes: Sequence[str], reason: str = "") -> str:
    """`# noqa: CKP301, CKP302 reason`; the reason stands apart where it would be read as a code."""
    plain = f"# noqa: {', '.join(codes)}"
    if not reason:
        return plain
    spaced = f"{plain} {reason}"
    return spaced if codes_of(spaced) == tuple(codes) else f"{plain} - {reason}"


def _places(source: Source, findings: Sequence[Finding]) -> list[_Place]:
    lines = {cell.number: Lines(source.text[cell.span.start : cell.span.end]) for cell in source.cells}
    known = {(one.cell, one.rows): one for one in directives(source) if one.effective}
    found: dict[tuple[int | None, int], _Place] = {}
    for finding in findings:
        cell = finding.location.cell
        if finding.artifact is None and cell in lines:
            place = _place(finding, cell, lines[cell], known)
            if place is not None:
                found.setdefault((cell, place.row), place).codes[finding.code] = None
    return list(found.values())


def _place(
    finding: Finding,
    cell: int | None,
    lines: Lines,
    known: Mapping[tuple[int | None, tuple[int, int]], Directive],
) -> _Place | None:
    """The first row that can take the code; none where a `noqa` in a string stands before every comment."""
    for row in dict.fromkeys((finding.noqa_row, finding.location.row)):
        rows = lines.joined(row)
        directive = known.get((cell, rows))
        if directive is not None and directive.codes:
            return _Place(cell, directive.row, directive)
        if directive is None and not INLINE.search(lines.comment_text(row)):
            return _Place(cell, rows[1], None)
    return None


def _edit(source: Source, place: _Place, reason: str) -> Edit:
    codes = sorted(place.codes)
    if place.directive is not None:
        end = place.directive.codes[-1][1].end
        return Edit(Span(end, end), "".join(f", {code}" for code in codes))
    start = source.offset(place.row, 1, cell=place.cell)
    end = source.lines.content_end(source.lines.row(start))
    end = min(end, source.cell_at(start).span.end)
    written = source.text[start:end].rstrip()
    return Edit(Span(start + len(written), end), f"  {comment(codes, reason)}")


def _same_program(before: Source, after: Source) -> bool:
    """Whether only comments differ: a comment that lands in a string, or behind a backslash, is none."""
    if len(before.parts) != len(after.parts):
        return False
    pairs = [(one, other) for one, other in zip(before.parts, after.parts) if one.code != other.code]
    try:
        return all(list(_tokens(one)) == list(_tokens(other)) for one, other in pairs)
    except (tokenize.TokenError, SyntaxError):
        return False


def _tokens(part: Part) -> Iterator[tuple[int, str]]:
    for token in tokenize.generate_tokens(iter([*split_lines(part.code), ""]).__next__):
        if token.type not in (tokenize.COMMENT, tokenize.NL):
            yield token.type, "" if token.type == tokenize.NEWLINE else token.string
