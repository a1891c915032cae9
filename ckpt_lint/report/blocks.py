"""The blocks of the full report. Imported when there is something to show."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence

from ckpt_lint.edits import compose
from ckpt_lint.model import Applicability, Artifact, Edit, Finding, Fix, Problem, Span
from ckpt_lint.report.frame import Mark, cell_lines, frame
from ckpt_lint.report.look import Look, headline, place, printable, problem_code
from ckpt_lint.run import FileResult
from ckpt_lint.source.text import Source

_SAFETY = {
    Applicability.SAFE: "",
    Applicability.UNSAFE: " (unsafe)",
    Applicability.DISPLAY: " (to be finished by hand)",
}


def blocks(result: FileResult, look: Look) -> Iterator[str]:
    """One block a call, then one block a problem, each with an empty line behind it."""
    for group in by_call(result.outcome.findings):
        yield from _group(group, result.source, look)
        yield "\n"
    for problem in result.outcome.problems:
        yield from _problem(problem, result.outcome.path, result.source, look)
        yield "\n"


def by_call(findings: Sequence[Finding]) -> list[list[Finding]]:
    """The findings of one call together, in the order of their first ones."""
    groups: dict[Span | Finding, list[Finding]] = {}
    for finding in findings:
        groups.setdefault(finding.call or finding, []).append(finding)
    return list(groups.values())


def _group(group: Sequence[Finding], source: Source | None, look: Look) -> Iterator[str]:
    for finding in group:
        yield headline(finding, look, severity=True) + "\n"
    first = group[0]
    inside = f" ({printable(within(first.artifact))})" if first.artifact and within(first.artifact) else ""
    yield f" {look.paint('-->', 'frame')} {place(first.path, first.location)}{inside}\n"
    if source is not None and first.artifact is None:
        marks = sorted({Mark(finding.location, finding.end_location) for finding in group})
        yield from frame(cell_lines(source, first.location.cell), marks, look)
    for related in dict.fromkeys(related for finding in group for related in finding.related):
        yield f" {look.paint(':::', 'frame')} {place(related.path, related.location)}: {printable(related.message)}\n"
    yield from _help(group, source, look)


def within(artifact: Artifact) -> str:
    """Where in a checkpoint file: member, byte, key."""
    parts = [
        artifact.member or "",
        "" if artifact.offset is None else f"offset {artifact.offset}",
        f"key {artifact.key}" if artifact.key else "",
    ]
    return ", ".join(part for part in parts if part)


def _help(group: Sequence[Finding], source: Source | None, look: Look) -> Iterator[str]:
    fixes = [finding.fix for finding in group if finding.fix is not None]
    for fix in fixes:
        yield f"{look.paint('help', 'place')}: {printable(fix.message)}{_SAFETY[fix.applicability]}\n"
    if fixes and source is not None:
        yield from preview(fixes, source, look)
    for reason in dict.fromkeys(finding.fix_withheld for finding in group if finding.fix_withheld):
        yield f"{look.paint('note', 'place')}: no fix: {printable(reason)}\n"


def preview(fixes: Sequence[Fix], source: Source, look: Look) -> Iterator[str]:
    """The lines that the fixes take away and put there."""
    edits = compose(fixes).edits
    for start, end, chosen in _hunks(edits, source):
        old, new = source.text[start:end], _applied(source.text, start, end, chosen)
        for line in difflib.unified_diff(_lines(old), _lines(new), n=0):
            if line[0] in "+-" and not line.startswith(("+++", "---")):
                style = "added" if line[0] == "+" else "removed"
                yield "  " + look.paint(f"{line[0]} {printable(line[1:]).rstrip()}".rstrip(), style) + "\n"


def _hunks(edits: Sequence[Edit], source: Source) -> Iterator[tuple[int, int, list[Edit]]]:
    """Stretches of whole lines, and the edits in them; edits on the same or on neighbouring lines go together."""
    lines, chosen, start, end = source.lines, list[Edit](), 0, -1
    for edit in edits:
        first = lines.starts[lines.row(edit.span.start) - 1]
        last = lines.end(lines.row(edit.span.end))
        if chosen and first > end:
            yield start, end, chosen
            chosen = []
        start = start if chosen else first
        end = max(end, last) if chosen else last
        chosen.append(edit)
    if chosen:
        yield start, end, chosen


def _applied(text: str, start: int, end: int, edits: Sequence[Edit]) -> str:
    pieces, done = [], start
    for edit in edits:
        pieces += [text[done : edit.span.start], edit.text]
        done = edit.span.end
    return "".join([*pieces, text[done:end]])


def _lines(text: str) -> list[str]:
    return text.replace("\r\n", "\n").replace("\r", "\n").expandtabs(4).split("\n")


def _problem(problem: Problem, path: str, source: Source | None, look: Look) -> Iterator[str]:
    yield f"{look.paint(problem_code(problem.status), 'error')}: {printable(problem.message)}\n"
    yield f" {look.paint('-->', 'frame')} {place(path, problem.location)}\n"
    if source is not None and problem.location is not None:
        lines = cell_lines(source, problem.location.cell)
        if 1 <= problem.location.row <= len(lines):
            yield from frame(lines, [Mark(problem.location, problem.location)], look)
