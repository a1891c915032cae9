"""Suppression comments, in flake8's grammar: `# noqa`, `# noqa: CKP301,CKP3`, and `# flake8: noqa` for a whole file.

A comment counts on the first line of a finding's call and on the line that the finding is reported on, or on any line
that flake8 joins with these: the lines of a string over several lines, and of a backslash continuation. A code stands
for every code that begins with it. As in flake8, a line that begins with `# flake8: noqa` passes the whole file by,
whatever codes follow it.
"""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ckpt_lint.model import Finding

# The two expressions are flake8's `NOQA_INLINE_REGEXP` and `NOQA_FILE`; a test holds them against the installed one.
INLINE = re.compile(r"# noqa(?::[\s]?(?P<codes>([A-Z]+[0-9]+(?:[,\s]+)?)+))?", re.IGNORECASE)
WHOLE_FILE = re.compile(r"\s*# flake8[:=]\s*noqa", re.IGNORECASE)
_SEPARATOR = re.compile(r"[,\s]")
_MARK = re.compile("noqa", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Sorted:
    """Findings that stand, and findings that a comment silenced; both in the order in which they came."""

    kept: tuple[Finding, ...]
    suppressed: tuple[Finding, ...]


def suppress(findings: Iterable[Finding], texts: Mapping[int | None, str]) -> Sorted:
    """Sort findings by the comments in `texts`: each cell by its number, or a Python file under None."""
    found = tuple(findings)
    spoken = {cell: text for cell, text in texts.items() if _MARK.search(text)}
    if not found or not spoken:
        return Sorted(found, ())
    if any(ignores_file(text) for text in spoken.values()):
        return Sorted((), found)
    lines = {cell: Lines(text) for cell, text in spoken.items()}
    silenced = [_is_silenced(finding, lines) for finding in found]
    return Sorted(
        tuple(finding for finding, silent in zip(found, silenced) if not silent),
        tuple(finding for finding, silent in zip(found, silenced) if silent),
    )


def ignores_file(text: str) -> bool:
    """Whether a line of its own says `# flake8: noqa`."""
    return any(WHOLE_FILE.match(line) for line in split_lines(text))


def codes_of(line: str) -> tuple[str, ...] | None:
    """The codes that a comment on `line` names, `()` for a blanket `# noqa`, None where there is no such comment."""
    match = INLINE.search(line)
    if match is None:
        return None
    return tuple(code for code in _SEPARATOR.split(match["codes"] or "") if code)


class Lines:
    """The lines of a text as flake8 looks for comments in them; tokens are read once, and only where needed."""

    def __init__(self, text: str) -> None:
        self.lines = split_lines(text)
        self._joined: dict[int, tuple[int, int]] | None = None

    def joined(self, row: int) -> tuple[int, int]:
        """The first and the last of the rows that flake8 joins with `row` (from 1)."""
        if self._joined is None:
            self._joined = _joined_rows(self.lines)
        return self._joined.get(row, (row, row))

    def comment_text(self, row: int) -> str:
        """The line `row` with the lines that flake8 joins with it."""
        first, last = self.joined(row)
        return "".join(self.lines[max(first - 1, 0) : last])


def split_lines(text: str) -> list[str]:
    """Lines with their ends, as a file object in text mode gives them."""
    return io.StringIO(text, newline=None).readlines()


def _is_silenced(finding: Finding, lines: Mapping[int | None, Lines]) -> bool:
    cell = lines.get(finding.location.cell)
    if cell is None:
        return False
    comments = (codes_of(cell.comment_text(row)) for row in (finding.noqa_row, finding.location.row))
    return any(codes is not None and (not codes or finding.code.startswith(codes)) for codes in comments)


def _joined_rows(lines: list[str]) -> dict[int, tuple[int, int]]:
    """For every row of a logical line's physical parts, their first and last row; empty where there are no tokens."""
    joined: dict[int, tuple[int, int]] = {}
    first, last = len(lines) + 2, -1
    try:
        for token in tokenize.generate_tokens(iter([*lines, ""]).__next__):
            if token.type in (tokenize.ENDMARKER, tokenize.DEDENT):
                continue
            first, last = min(first, token.start[0]), max(last, token.end[0])
            if token.type in (tokenize.NL, tokenize.NEWLINE):
                joined.update(dict.fromkeys(range(first, last + 1), (first, last)))
                first, last = len(lines) + 2, -1
    except (tokenize.TokenError, SyntaxError):
        return {}
    return joined
