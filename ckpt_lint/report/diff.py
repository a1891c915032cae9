"""`--diff`: a unified diff of what `--fix` would change; a notebook is shown cell by cell."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator

from ckpt_lint.report.look import Look, printable
from ckpt_lint.run import FileResult
from ckpt_lint.source.text import Source

_NO_NEWLINE = "\\ No newline at end of file\n"


def render(results: Iterable[FileResult], look: Look) -> Iterator[str]:
    """The diffs of the changed files. What could not be checked is left to the closing lines."""
    for result in results:
        if result.before is not None and result.source is not None:
            yield from _file(result.outcome.path, result.before, result.source, look)


def _file(path: str, before: Source, after: Source, look: Look) -> Iterator[str]:
    for old, new in zip(before.cells, after.cells):
        name = path if old.number is None else f"{path}:cell {old.number}"
        old_text, new_text = before.text[old.span.start : old.span.end], after.text[new.span.start : new.span.end]
        yield from unified(old_text, new_text, printable(name), look)


def unified(old: str, new: str, name: str, look: Look) -> Iterator[str]:
    """A unified diff that `patch` takes: lines keep their own ends."""
    lines = difflib.unified_diff(_lines(old), _lines(new), name, name)
    for line in lines:
        style = {"+": "added", "-": "removed", "@": "frame"}.get(line[0], "")
        body = line if line.endswith("\n") else f"{line}\n"
        yield look.paint(printable(body.rstrip("\n")), style) + "\n" if look.color or look.terminal else body
        if not line.endswith("\n"):
            yield _NO_NEWLINE


def _lines(text: str) -> list[str]:
    """Lines that end in `\\n`, so that a form feed or a lone `\\r` stays inside its line."""
    parts = text.split("\n")
    return [f"{part}\n" for part in parts[:-1]] + ([parts[-1]] if parts[-1] else [])
