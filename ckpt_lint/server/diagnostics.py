"""From what was found to the diagnostics of the protocol, by the URI of the document or cell that they stand in."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from lsprotocol import types
from pygls.uris import from_fs_path

from ckpt_lint.model import Finding, Location, Problem, Related, Severity, Span, Status
from ckpt_lint.report.look import problem_code, url_of
from ckpt_lint.server.documents import Buffer
from ckpt_lint.server.snapshot import Checked
from ckpt_lint.source.lines import LineTable

SOURCE = "ckpt-lint"
_SEVERITY = {
    Severity.ERROR: types.DiagnosticSeverity.Error,
    Severity.WARNING: types.DiagnosticSeverity.Warning,
}
_UNNECESSARY = ("CKP901",)
"""Rules that speak of something that can go without a change."""

_GRAVE = (Status.SYNTAX_ERROR, Status.BAD_ENCODING, Status.BAD_NOTEBOOK, Status.INTERNAL_ERROR)
_START = Location(1, 1)

Read = Callable[[str], "bytes | None"]


@dataclass(frozen=True)
class Wanted:
    """How the editor wants it: how it counts characters, and what of the optional parts it understands."""

    encoding: str
    related: bool = True
    urls: bool = True


def diagnostics(checked: Checked, wanted: Wanted, read: Read) -> dict[str, list[types.Diagnostic]]:
    """The diagnostics of every text of a subject, the empty ones too. `read` gives the text of other files."""
    made: dict[str, list[types.Diagnostic]] = {buffer.uri: [] for _, buffer in checked.subject.buffers}
    for finding in checked.result.outcome.findings:
        found = place(checked, finding.span)
        if found is not None:
            buffer, start, end = found
            made[buffer.uri].append(_finding(checked, finding, range_of(buffer, start, end, wanted), wanted, read))
    if not made:
        return made  # a notebook without code
    for problem in checked.result.outcome.problems:
        buffer = _buffer_of(checked, problem)
        made[buffer.uri].append(_problem(problem, buffer, wanted))
    if checked.error is not None:
        buffer = checked.subject.buffers[0][1]
        made[buffer.uri].append(_unusable(checked.error, buffer, wanted))
    return made


def place(checked: Checked, span: Span) -> tuple[Buffer, int, int] | None:
    """The text that a span is in, and its offsets there."""
    subject, source = checked.subject, checked.result.source
    if not subject.is_notebook:
        return subject.buffers[0][1], span.start, span.end
    if source is None or not source.cells:
        return None
    cell = source.cell_at(span.start)
    buffer = subject.buffer(cell.number)
    return None if buffer is None else (buffer, span.start - cell.span.start, span.end - cell.span.start)


def range_of(buffer: Buffer, start: int, end: int, wanted: Wanted) -> types.Range:
    """The range of two offsets of a text."""
    return types.Range(
        types.Position(*buffer.position(start, wanted.encoding)), types.Position(*buffer.position(end, wanted.encoding))
    )


def edits(checked: Checked, finding: Finding, wanted: Wanted) -> dict[str, list[types.TextEdit]] | None:
    """The fix of a finding as edits of the texts that it touches; None where there is none."""
    if finding.fix is None:
        return None
    made: dict[str, list[types.TextEdit]] = {}
    for edit in finding.fix.edits:
        found = place(checked, edit.span)
        if found is None:
            return None
        buffer, start, end = found
        text = edit.text.replace("\n", buffer.lines.newline_near(min(start + buffer.lead, len(buffer.text))))
        made.setdefault(buffer.uri, []).append(types.TextEdit(range_of(buffer, start, end, wanted), text))
    return made


def _finding(checked: Checked, finding: Finding, range: types.Range, wanted: Wanted, read: Read) -> types.Diagnostic:
    url = url_of(finding.name)
    related = [_related(checked, one, wanted, read) for one in finding.related] if wanted.related else []
    return types.Diagnostic(
        range=range,
        message=finding.message,
        severity=_SEVERITY[finding.severity],
        code=finding.code,
        code_description=types.CodeDescription(href=url) if url and wanted.urls else None,
        source=SOURCE,
        tags=[types.DiagnosticTag.Unnecessary] if finding.code in _UNNECESSARY else None,
        related_information=related or None,
        data=_data(checked, finding, wanted),
    )


def _data(checked: Checked, finding: Finding, wanted: Wanted) -> dict[str, Any]:
    """For editors that make something of a fix by themselves; our own code actions do not need it."""
    data: dict[str, Any] = {"code": finding.code, "name": finding.name}
    changes = edits(checked, finding, wanted)
    if finding.fix is not None and changes:
        data["fix"] = {
            "message": finding.fix.message,
            "applicability": finding.fix.applicability.value,
            "edits": [_plain(uri, edit) for uri, several in changes.items() for edit in several],
        }
    elif finding.fix_withheld:
        data["fix_withheld"] = finding.fix_withheld
    return data


def _plain(uri: str, edit: types.TextEdit) -> dict[str, Any]:
    ends = {
        key: {"line": position.line, "character": position.character}
        for key, position in (("start", edit.range.start), ("end", edit.range.end))
    }
    return {"uri": uri, "range": ends, "newText": edit.new_text}


def _related(checked: Checked, related: Related, wanted: Wanted, read: Read) -> types.DiagnosticRelatedInformation:
    path = os.path.abspath(related.path)
    subject = checked.subject
    own = subject.buffer(related.location.cell) if path == subject.path else None
    if subject.path is None and related.location.cell is not None:
        own = subject.buffer(related.location.cell)
    if own is None and subject.path is None:
        own = subject.buffer(None)
    if own is None:
        text = (read(path) or b"").decode("utf-8", "replace")
        own = Buffer(from_fs_path(path) or path, text, "python")
    start, end = (_offset(own, one) for one in (related.location, related.end_location))
    return types.DiagnosticRelatedInformation(
        location=types.Location(own.uri, range_of(own, start, end, wanted)), message=related.message
    )


def _offset(buffer: Buffer, location: Location) -> int:
    """The offset of a place as people count, as near as the text has it."""
    checked = buffer.text[buffer.lead :]
    table = LineTable(checked) if buffer.lead else buffer.lines
    row = min(max(location.row, 1), len(table.starts))
    return min(table.offset(row, max(location.column, 1)), table.content_end(row))


def _buffer_of(checked: Checked, problem: Problem) -> Buffer:
    cell = problem.location.cell if problem.location is not None else None
    return checked.subject.buffer(cell) or checked.subject.buffers[0][1]


def _problem(problem: Problem, buffer: Buffer, wanted: Wanted) -> types.Diagnostic:
    """What could not be checked: a mark from its place to the end of the line."""
    start = _offset(buffer, problem.location or _START)
    row = buffer.lines.row(start + buffer.lead)
    end = max(buffer.lines.content_end(row) - buffer.lead, start)
    grave = problem.status in _GRAVE
    return types.Diagnostic(
        range=range_of(buffer, start, end, wanted),
        message=problem.message,
        severity=types.DiagnosticSeverity.Error if grave else types.DiagnosticSeverity.Warning,
        code=problem_code(problem.status),
        source=SOURCE,
    )


def _unusable(error: str, buffer: Buffer, wanted: Wanted) -> types.Diagnostic:
    return types.Diagnostic(
        range=range_of(buffer, 0, 0, wanted),
        message=f"not checked: {error}",
        severity=types.DiagnosticSeverity.Error,
        code="configuration",
        source=SOURCE,
    )


def fatal(outcomes: Sequence[Problem]) -> list[str]:
    """What deserves a line in the log: errors of our own."""
    return [problem.message for problem in outcomes if problem.status is Status.INTERNAL_ERROR]
