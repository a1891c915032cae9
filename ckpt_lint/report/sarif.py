"""SARIF 2.1.0, the format of code scanning services.

URIs are relative to the working folder, which is to be the repository's root. A place in a notebook is a logical one
(cell, row, column), since the file's own lines are JSON. Columns count characters.
"""

from __future__ import annotations

import hashlib
import json
import os
import pathlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any
from urllib.parse import quote

import ckpt_lint
from ckpt_lint.model import Applicability, Finding, Fix, Location, Problem, Related, RuleInfo, Span
from ckpt_lint.report.frame import cell_lines
from ckpt_lint.report.look import Look, problem_code, url_of
from ckpt_lint.run import FileResult
from ckpt_lint.source.text import Source

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_ROOT = "%SRCROOT%"


def render(results: Iterable[FileResult], look: Look) -> Iterator[str]:
    """One document, at the end of the run. Suppressed findings are not in it."""
    found: list[dict[str, Any]] = []
    notifications: list[dict[str, Any]] = []
    index = {rule.code: number for number, rule in enumerate(look.rules)}
    for result in results:
        found.extend(_results(result, index, look))
        notifications.extend(_notification(problem, result.outcome.path, look) for problem in result.outcome.problems)
    invocation = {"executionSuccessful": not notifications, "toolExecutionNotifications": notifications}
    run = {
        "tool": {"driver": _driver(look.rules)},
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {_ROOT: {"description": {"text": "The folder that ckpt-lint was run in."}}},
        "invocations": [invocation],
        "results": found,
    }
    document = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    yield json.dumps(document, indent=2, ensure_ascii=True) + "\n"


def _driver(rules: Sequence[RuleInfo]) -> dict[str, Any]:
    return {
        "name": "ckpt-lint",
        "semanticVersion": ckpt_lint.__version__,
        "rules": [_rule(rule) for rule in rules],
    }


def _rule(rule: RuleInfo) -> dict[str, Any]:
    url = url_of(rule.name)
    return {
        "id": rule.code,
        "name": rule.name,
        "shortDescription": {"text": rule.page.summary},
        "fullDescription": {"text": rule.page.why},
        "help": {"text": f"{rule.page.summary}\n\n{rule.page.why}\n\nBad:\n{rule.page.bad}\nGood:\n{rule.page.good}"},
        "defaultConfiguration": {"enabled": rule.on, "level": rule.severity.value},
        "properties": {"tags": list(rule.groups), "problem.severity": rule.severity.value},
        **({} if url is None else {"helpUri": url}),
    }


def _results(result: FileResult, index: dict[str, int], look: Look) -> Iterator[dict[str, Any]]:
    seen: Counter[str] = Counter()
    for finding in result.outcome.findings:
        line = _line_of(finding, result.source)
        key = f"{finding.code}:{_uri(finding.path, look)['uri']}:{line}"
        digest = hashlib.sha256(f"{key}:{seen[key]}".encode("utf-8", "surrogatepass")).hexdigest()[:32]
        seen[key] += 1
        yield {
            "ruleId": finding.code,
            "ruleIndex": index[finding.code],
            "level": finding.severity.value,
            "message": {"text": finding.message},
            "locations": [_location(finding, look)],
            "partialFingerprints": {"ckptLintFinding/v1": digest},
            "relatedLocations": [_related(number, related, look) for number, related in enumerate(finding.related)],
            **_fixes(finding.fix, finding.path, result.source, look),
        }


def _line_of(finding: Finding, source: Source | None) -> str:
    """What a fingerprint is made of: neither line nor cell numbers, so that unrelated edits change nothing."""
    if finding.artifact is not None or source is None:
        return repr(finding.artifact)
    lines = cell_lines(source, finding.location.cell)
    return lines[finding.location.row - 1].strip() if finding.location.row <= len(lines) else ""


def _location(finding: Finding, look: Look) -> dict[str, Any]:
    if finding.artifact is not None:
        return {"physicalLocation": {"artifactLocation": _uri(finding.path, look)}}
    return _place(finding.path, finding.location, finding.end_location, look)


def _place(path: str, start: Location, end: Location, look: Look) -> dict[str, Any]:
    physical: dict[str, Any] = {"artifactLocation": _uri(path, look)}
    if start.cell is not None:
        name = f"cell {start.cell}, row {start.row}, column {start.column}"
        return {"physicalLocation": physical, "logicalLocations": [{"fullyQualifiedName": name}]}
    return {"physicalLocation": {**physical, "region": _region(start, end)}}


def _region(start: Location, end: Location) -> dict[str, int]:
    return {"startLine": start.row, "startColumn": start.column, "endLine": end.row, "endColumn": end.column}


def _uri(path: str, look: Look) -> dict[str, str]:
    """Relative to the working folder; a file outside of it has an absolute URI, and stdin none that exists."""
    absolute = look.absolute(path)
    if path == "-":
        return {"uri": "stdin"}
    if "://" in path:
        return {"uri": quote(path, safe=":/?&=%~@+,;", errors="surrogateescape")}
    relative = os.path.relpath(absolute, look.folder)
    if relative.startswith(os.pardir):
        return {"uri": pathlib.Path(absolute).as_uri()}
    return {"uri": quote(relative.replace(os.sep, "/"), errors="surrogateescape"), "uriBaseId": _ROOT}


def _related(number: int, related: Related, look: Look) -> dict[str, Any]:
    place = _place(related.path, related.location, related.end_location, look)
    return {"id": number, "message": {"text": related.message}, **place}


def _fixes(fix: Fix | None, path: str, source: Source | None, look: Look) -> dict[str, Any]:
    """A fix that can be applied as it stands; the places of one in a notebook cannot be said."""
    if fix is None or source is None or source.is_notebook or fix.applicability is Applicability.DISPLAY:
        return {}
    replacements = [
        {"deletedRegion": _edit_region(edit.span, source), "insertedContent": {"text": edit.text}} for edit in fix.edits
    ]
    change = {"artifactLocation": _uri(path, look), "replacements": replacements}
    return {"fixes": [{"description": {"text": fix.message}, "artifactChanges": [change]}]}


def _edit_region(span: Span, source: Source) -> dict[str, int]:
    return _region(source.location(span.start), source.location(span.end))


def _notification(problem: Problem, path: str, look: Look) -> dict[str, Any]:
    start = problem.location
    place = _place(path, start, start, look) if start else {"physicalLocation": {"artifactLocation": _uri(path, look)}}
    return {
        "level": "error",
        "descriptor": {"id": problem_code(problem.status)},
        "message": {"text": problem.message},
        "locations": [place],
    }
