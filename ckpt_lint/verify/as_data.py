"""Verdicts for programs: JSON and SARIF. Pure."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Sequence
from typing import Any

from ckpt_lint.model import Finding, Location, Outcome, Problem
from ckpt_lint.model import Status as InputStatus
from ckpt_lint.report.look import Look
from ckpt_lint.report.sarif import render
from ckpt_lint.run import FileResult
from ckpt_lint.verify.session import Verified
from ckpt_lint.verify.verdict import SiteResult, Status

_LEVELS = {Status.CONFIRMED: "note", Status.REFUTED: "error"}


def as_json(verified: Verified, *, missing: Sequence[str] = ()) -> str:
    """One document: the torch that was used, and every site with every check and all its evidence."""
    torch = None if verified.torch is None else dataclasses.asdict(verified.torch)
    document = {
        "torch": torch,
        "not_used": list(verified.tried),
        "missing": list(missing),
        "sites": [_site(result) for result in verified.results],
    }
    return json.dumps(document, indent=2, ensure_ascii=True) + "\n"


def _site(result: SiteResult) -> dict[str, Any]:
    site = result.site
    return {
        "filename": site.path,
        "location": _location(site.location),
        "cell": site.location.cell,
        "function": site.function,
        "findings": [_finding(finding) for finding in site.findings],
        "verdict": result.status.value,
        "reason": result.reason,
        "keys": list(site.keys),
        "checks": [{**dataclasses.asdict(check), "status": check.status.value} for check in result.checks],
    }


def _finding(finding: Finding) -> dict[str, Any]:
    fix = finding.fix
    return {
        "code": finding.code,
        "name": finding.name,
        "location": _location(finding.location),
        "fix": None if fix is None else {"applicability": fix.applicability.value, "message": fix.message},
    }


def _location(location: Location) -> dict[str, int]:
    return {"row": location.row, "column": location.column}


def as_sarif(verified: Verified, results: Sequence[FileResult], look: Look) -> str:
    """SARIF 2.1.0: a result for every finding that was verified, its level and text by the verdict.

    What could not be verified is a notification as well, so that a run that saw too little does not pass.
    """
    document = json.loads("".join(render(_verified(verified, results), look)))
    run = document["runs"][0]
    spoken = [(result, finding) for result in verified.results for finding in result.site.findings]
    for row, (result, _) in zip(run["results"], spoken):
        row["level"] = _LEVELS.get(result.status, "warning")
        row["properties"] = {"verdict": result.status.value, "checkpoints": [c.checkpoint for c in result.checks]}
    return json.dumps(document, indent=2, ensure_ascii=True) + "\n"


def _verified(verified: Verified, results: Sequence[FileResult]) -> Iterator[FileResult]:
    """The findings of the sites with the verdicts in their messages, site by site."""
    sources = {result.outcome.path: result.source for result in results}
    for result in verified.results:
        findings = tuple(_told(result, finding) for finding in result.site.findings)
        problems = () if result.status in _LEVELS else (_problem(result),)
        for index, finding in enumerate(findings):
            mine = problems if not index else ()
            yield FileResult(Outcome(finding.path, (finding,), mine), sources.get(finding.path))


def _told(result: SiteResult, finding: Finding) -> Finding:
    said = [f"{check.checkpoint}: {check.status.value}: {check.reason}" for check in result.checks[:10]]
    text = "; ".join(said) or result.reason
    return dataclasses.replace(finding, message=f"{finding.message} [fix {result.status.value}: {text}]")


def _problem(result: SiteResult) -> Problem:
    reason = next((check.reason for check in result.checks if check.status is result.status), result.reason)
    return Problem(InputStatus.UNREADABLE, f"fix not verified ({result.status.value}): {reason}", result.site.location)

