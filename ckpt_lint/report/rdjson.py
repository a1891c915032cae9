"""Reviewdog's Diagnostic Format: https://github.com/reviewdog/reviewdog/tree/master/proto/rdf.

Columns count bytes of UTF-8 there, and ends are exclusive. A place in a notebook has no line in the file and stands in
the message.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from ckpt_lint.model import Applicability, Finding, Fix, Location, Problem, Related, Severity, Span
from ckpt_lint.report.look import Look, json_safe, problem_code, url_of
from ckpt_lint.run import FileResult
from ckpt_lint.source.text import Source

_SEVERITIES = {Severity.ERROR: "ERROR", Severity.WARNING: "WARNING"}
_FAR = 20
"""Rows over which the edits of a fix may be spread: a suggestion is one stretch of text."""


def render(results: Iterable[FileResult], look: Look) -> Iterator[str]:
    """One document, written as the files come."""
    yield '{"source": {"name": "ckpt-lint"}, "diagnostics": ['
    lead = "\n"
    for result in results:
        for row in _rows(result, look):
            yield lead + json_safe(json.dumps(row, ensure_ascii=False))
            lead = ",\n"
    yield "\n]}\n"


def _rows(result: FileResult, look: Look) -> Iterator[dict[str, Any]]:
    for finding in result.outcome.findings:
        yield _finding(finding, result.source, look)
    for problem in result.outcome.problems:
        yield _problem(problem, result, look)


def _finding(finding: Finding, source: Source | None, look: Look) -> dict[str, Any]:
    url = url_of(finding.name)
    row: dict[str, Any] = {
        "message": f"{_cell(finding.location)}{finding.message}",
        "location": {"path": look.absolute(finding.path), **_range_of(finding, source)},
        "severity": _SEVERITIES[finding.severity],
        "code": {"value": finding.code, **({} if url is None else {"url": url})},
    }
    suggestion = _suggestion(finding.fix, source)
    if suggestion is not None:
        row["suggestions"] = [suggestion]
    if finding.related:
        row["related_locations"] = [_related(related, look) for related in finding.related]
    return row


def _range_of(finding: Finding, source: Source | None) -> dict[str, Any]:
    if finding.artifact is not None or finding.location.cell is not None or source is None:
        return {}
    return {"range": _range(finding.span, source)}


def _range(span: Span, source: Source) -> dict[str, Any]:
    return {"start": _position(span.start, source), "end": _position(span.end, source)}


def _position(offset: int, source: Source) -> dict[str, int]:
    row = source.lines.row(offset)
    before = source.text[source.lines.starts[row - 1] : offset]
    return {"line": row, "column": len(before.encode("utf-8", "surrogatepass")) + 1}


def _suggestion(fix: Fix | None, source: Source | None) -> dict[str, Any] | None:
    """The edits of a fix as one; none for a fix that a person has to finish, or whose edits lie far apart."""
    if fix is None or source is None or source.is_notebook or fix.applicability is Applicability.DISPLAY:
        return None
    edits = sorted(fix.edits, key=lambda edit: edit.span)
    span = Span(edits[0].span.start, max(edit.span.end for edit in edits))
    if source.lines.row(span.end) - source.lines.row(span.start) > _FAR:
        return None
    pieces, done = [], span.start
    for edit in edits:
        pieces += [source.text[done : edit.span.start], edit.text]
        done = edit.span.end
    return {"range": _range(span, source), "text": "".join(pieces)}


def _related(related: Related, look: Look) -> dict[str, Any]:
    start, end = related.location, related.end_location
    place = {} if start.cell is not None else {"range": {"start": {"line": start.row}, "end": {"line": end.row}}}
    message = f"{_cell(start)}{related.message}"
    return {"message": message, "location": {"path": look.absolute(related.path), **place}}


def _problem(problem: Problem, result: FileResult, look: Look) -> dict[str, Any]:
    start = problem.location
    place = {} if start is None or start.cell is not None else {"range": {"start": {"line": start.row}}}
    return {
        "message": f"{_cell(start)}{problem.message}",
        "location": {"path": look.absolute(result.outcome.path), **place},
        "severity": "ERROR",
        "code": {"value": problem_code(problem.status)},
    }


def _cell(location: Location | None) -> str:
    return "" if location is None or location.cell is None else f"cell {location.cell}, row {location.row}: "
