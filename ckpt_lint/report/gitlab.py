"""GitLab's Code Quality report: https://docs.gitlab.com/ci/testing/code_quality/ says which keys it has.

Paths are relative to the working folder, which is to be the repository's root. Fingerprints are made of what a finding
is about, not of its row, so that GitLab tells old ones from new ones.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from ckpt_lint.fingerprints import Fingerprints
from ckpt_lint.model import Finding, Location, Problem, Severity
from ckpt_lint.report.look import Look, json_safe, printable, problem_code
from ckpt_lint.run import FileResult

_SEVERITIES = {Severity.ERROR: "major", Severity.WARNING: "minor"}
_UNCHECKED = "critical"


def render(results: Iterable[FileResult], look: Look) -> Iterator[str]:
    """One array, written as the files come."""
    lead, seen = "[\n", Counter[str]()
    for result in results:
        for row in _rows(result, look, seen):
            text = json.dumps(row, indent=2, ensure_ascii=False)
            yield lead + json_safe("\n".join(f"  {line}" for line in text.split("\n")))
            lead = ",\n"
    yield "[]\n" if lead == "[\n" else "\n]\n"


def _rows(result: FileResult, look: Look, seen: Counter[str]) -> Iterator[dict[str, Any]]:
    path = _path(result.outcome.path, look)
    prints = Fingerprints(result.source if result.outcome.findings else None)
    for finding in result.outcome.findings:
        about = prints.of(finding)
        key = f"{path}\n{finding.code}\n{about.scope}\n{about.digest}"
        yield {
            "check_name": finding.code,
            "description": _description(finding),
            "severity": _SEVERITIES[finding.severity],
            "fingerprint": _fingerprint(key, seen),
            "location": {"path": path, **_lines(finding.location, finding.end_location)},
        }
    for problem in result.outcome.problems:
        yield _problem(problem, path, seen)


def _problem(problem: Problem, path: str, seen: Counter[str]) -> dict[str, Any]:
    code = problem_code(problem.status)
    start = problem.location or Location(1, 1)
    return {
        "check_name": code,
        "description": f"{code}: {printable(problem.message)}",
        "severity": _UNCHECKED,
        "fingerprint": _fingerprint(f"{path}\n{code}\n{problem.message}", seen),
        "location": {"path": path, **_lines(start, start)},
    }


def _description(finding: Finding) -> str:
    where = finding.location
    cell = "" if where.cell is None else f"cell {where.cell}, row {where.row}: "
    return f"{finding.code}: {cell}{printable(finding.message)}"


def _lines(start: Location, end: Location) -> dict[str, Any]:
    """A place in a notebook has no line in the file."""
    if start.cell is not None:
        return {"lines": {"begin": 1}}
    return {
        "positions": {
            "begin": {"line": start.row, "column": start.column},
            "end": {"line": end.row, "column": end.column},
        }
    }


def _fingerprint(key: str, seen: Counter[str]) -> str:
    seen[key] += 1
    return hashlib.sha256(f"{key}\n{seen[key]}".encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _path(path: str, look: Look) -> str:
    if path == "-" or "://" in path:
        return path
    return os.path.relpath(look.absolute(path), look.folder).replace(os.sep, "/")
