"""The fenced blocks of the documentation, and the commands in them."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
GENERATED = ("rules", "proofs")
"""Folders of docs/ whose programs are tested with the rules that they belong to."""

_FENCE = re.compile(r"^(?P<indent> *)```(?P<language>[\w-]+)\n(?P<text>.*?)^(?P=indent)```$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A fenced block: where it begins, its language and its text without the indent."""

    page: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


@dataclass(frozen=True)
class Command:
    """What stands behind a `$`, and the output that is shown below it: None where none is."""

    place: str
    text: str
    shown: str | None

    @property
    def bare(self) -> str:
        """Without the comment."""
        return re.split(r"\s# ", self.text)[0].strip()


def pages() -> list[str]:
    """The pages that people have written, and the reference; paths relative to the checkout."""
    written = [path for path in sorted((ROOT / "docs").rglob("*.md")) if path.parent.name not in GENERATED]
    return ["README.md", "CONTRIBUTING.md", *(path.relative_to(ROOT).as_posix() for path in written)]


def blocks(page: str, *languages: str) -> list[Block]:
    """The blocks of a page in some languages, in order; all where none is named."""
    text = (ROOT / page).read_text(encoding="utf-8")
    found = [
        Block(page, text.count("\n", 0, match.start()) + 1, match["language"], textwrap.dedent(match["text"]))
        for match in _FENCE.finditer(text)
    ]
    return [block for block in found if not languages or block.language in languages]


def commands(block: Block) -> Iterator[Command]:
    """The commands of a `console` block (and of `text` with a `$`), each with its output; of `sh`, every line."""
    if block.language == "sh":
        yield from (Command(str(block), line, None) for line in block.text.splitlines())
        return
    for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        command, _, shown = part.partition("\n")
        yield Command(str(block), command, shown.strip("\n") or None)


def all_commands() -> list[Command]:
    """Every command of every page."""
    wanted = ("console", "sh", "text")
    return [command for page in pages() for block in blocks(page, *wanted) for command in commands(block)]


def fits(shown: str, printed: str) -> bool:
    """Whether the output is what is shown; `...` stands for a part of a line, or, alone on a line, for any lines.

    A line counts with single blanks, so that tabs may be shown as columns.
    """
    return _fit([_pattern(line) for line in _lines(shown)], _lines(printed))


def _fit(patterns: list[re.Pattern[str] | None], lines: list[str]) -> bool:
    if not patterns:
        return not lines
    if patterns[0] is None:
        return any(_fit(patterns[1:], lines[skipped:]) for skipped in range(len(lines) + 1))
    return bool(lines) and patterns[0].fullmatch(lines[0]) is not None and _fit(patterns[1:], lines[1:])


def _pattern(line: str) -> re.Pattern[str] | None:
    return None if line == "..." else re.compile(".*".join(re.escape(part) for part in line.split("...")))


def _lines(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.strip("\n").splitlines()]
