"""The JSON of `ruff check --output-format json`, key for key, with `related`, `fix_withheld` and `artifact` added."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from ckpt_lint.model import Artifact, Finding, Fix, Location, Problem, Related
from ckpt_lint.report.look import Look, json_safe, problem_code, url_of
from ckpt_lint.run import FileResult
from ckpt_lint.source.text import Source


def render(results: Iterable[FileResult], look: Look) -> Iterator[str]:
    """One array, written as the files come."""
    lead = "[\n"
    for result in results:
        for row in rows(result, look):
            yield lead + _indented(row)
            lead = ",\n"
    yield "[]\n" if lead == "[\n" else "\n]\n"


def rows(result: FileResult, look: Look) -> Iterator[dict[str, Any]]:
    """The objects of one file: its findings, then what could not be checked in it."""
    for finding in result.outcome.findings:
        yield _finding(finding, result.source, look)
    for problem in result.outcome.problems:
        yield _problem(problem, result.outcome.path, look)


def _indented(row: dict[str, Any]) -> str:
    lines = json.dumps(row, indent=2, sort_keys=True, ensure_ascii=False).split("\n")
    return json_safe("\n".join(f"  {line}" for line in lines))


def _finding(finding: Finding, source: Source | None, look: Look) -> dict[str, Any]:
    return {
        "cell": finding.location.cell,
        "code": finding.code,
        "end_location": _location(finding.end_location),
        "filename": look.absolute(finding.path),
        "fix": _fix(finding.fix, source),
        "fix_withheld": finding.fix_withheld,
        "location": _location(finding.location),
        "message": finding.message,
        "name": finding.name,
        "noqa_row": finding.noqa_row,
        "related": [_related(related, look) for related in finding.related],
        "severity": finding.severity.value,
        "url": url_of(finding.name),
        "artifact": _artifact(finding.artifact),
    }


def _problem(problem: Problem, path: str, look: Look) -> dict[str, Any]:
    start = problem.location or Location(1, 1)
    return {
        "cell": start.cell,
        "code": problem_code(problem.status),
        "end_location": _location(start),
        "filename": look.absolute(path),
        "fix": None,
        "fix_withheld": None,
        "location": _location(start),
        "message": problem.message,
        "name": problem_code(problem.status),
        "noqa_row": None,
        "related": [],
        "severity": "error",
        "url": None,
        "artifact": None,
    }


def _location(location: Location) -> dict[str, int]:
    return {"column": location.column, "row": location.row}


def _fix(fix: Fix | None, source: Source | None) -> dict[str, Any] | None:
    if fix is None or source is None:
        return None
    edits = []
    for edit in fix.edits:
        start, end = source.location(edit.span.start), source.location(edit.span.end)
        shown: dict[str, Any] = {"content": edit.text, "end_location": _location(end), "location": _location(start)}
        edits.append({**shown, "cell": start.cell} if start.cell is not None else shown)
    return {"applicability": fix.applicability.value, "edits": edits, "message": fix.message}


def _related(related: Related, look: Look) -> dict[str, Any]:
    return {
        "cell": related.location.cell,
        "end_location": _location(related.end_location),
        "filename": look.absolute(related.path),
        "location": _location(related.location),
        "message": related.message,
    }


def _artifact(artifact: Artifact | None) -> dict[str, Any] | None:
    if artifact is None:
        return None
    return {"key": artifact.key, "member": artifact.member, "offset": artifact.offset}
