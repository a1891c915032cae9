"""`verify --fix`: safe fixes, and those that were confirmed on every matching checkpoint."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ckpt_lint.edits import compose, converge
from ckpt_lint.model import Applicability, Finding, Problem
from ckpt_lint.run import FileResult
from ckpt_lint.source.encode import encode
from ckpt_lint.source.text import Source
from ckpt_lint.verify.session import Verified
from ckpt_lint.verify.sites import DEVICE, KINDS
from ckpt_lint.verify.verdict import SiteResult, Status, worst
from ckpt_lint.write import write_atomic

Place = tuple[str, str, int, str]
"""A file, a code, a row, and what is said of it."""


@dataclass
class Applied:
    """What was changed, what was left and why, and what went wrong."""

    fixed: list[Place] = field(default_factory=list)
    left: list[Place] = field(default_factory=list)
    problems: list[tuple[str, Problem]] = field(default_factory=list)


def statuses(verified: Verified) -> dict[tuple[str, str, int], Status]:
    """The verdict on every finding, by file, code and start: the worst of all sites that it concerns."""
    found: dict[tuple[str, str, int], list[Status]] = {}
    for result in verified.results:
        for finding in result.site.findings:
            found.setdefault(key_of(finding), []).append(_blamed(result, finding))
    return {key: worst(values) for key, values in found.items()}


def _blamed(result: SiteResult, finding: Finding) -> Status:
    """A load that is refuted for what the file holds says nothing against its device, fixed or not."""
    innocent = KINDS[finding.code] == DEVICE and result.status is Status.REFUTED
    return Status.UNAVAILABLE if innocent else result.status


def key_of(finding: Finding) -> tuple[str, str, int]:
    """What tells a finding from others of the same run."""
    return (finding.path, finding.code, finding.span.start)


def apply(results: Sequence[FileResult], verified: Verified) -> Applied:
    """Write the fixes to the files. A fix that a checkpoint refutes stays out, safe by itself or not."""
    known = statuses(verified)
    applied = Applied()
    for result in results:
        if result.source is None or not any(finding.fix for finding in result.outcome.findings):
            continue
        chosen = list(_chosen(result.outcome.findings, known, applied))
        if chosen:
            _write(result.source, chosen, known, applied)
    return applied


def _chosen(
    findings: Sequence[Finding], known: dict[tuple[str, str, int], Status], applied: Applied
) -> Iterator[Finding]:
    for finding in findings:
        fix = finding.fix
        if fix is None or fix.applicability is Applicability.DISPLAY:
            continue
        status = known.get(key_of(finding))
        if status is Status.CONFIRMED or (fix.applicability is Applicability.SAFE and status is not Status.REFUTED):
            yield dataclasses.replace(finding, fix=dataclasses.replace(fix, applicability=Applicability.SAFE))
        elif status is not None:
            applied.left.append((*_where(finding), status.value))


def _write(
    source: Source, chosen: Sequence[Finding], known: dict[tuple[str, str, int], Status], applied: Applied
) -> None:
    """One round of these fixes; what would overlap waits for the next run."""
    taken = compose([finding.fix for finding in chosen if finding.fix is not None]).taken
    applied.left += [(*_where(f), "waits for the next run") for i, f in enumerate(chosen) if i not in taken]
    chosen = [chosen[index] for index in taken]
    rounds = iter([chosen])
    done = converge(source, lambda _: next(rounds, ()), applicabilities={Applicability.SAFE})
    applied.problems += [(source.path, problem) for problem in done.problems]
    if done.source.text == source.text:
        return
    data = encode(done.source)
    problem = data if isinstance(data, Problem) else write_atomic(source.path, data, expected=source.data)
    if problem is not None:
        applied.problems.append((source.path, problem))
        return
    for finding in chosen:
        confirmed = known.get(key_of(finding)) is Status.CONFIRMED
        why = "confirmed on every matching checkpoint" if confirmed else "a safe fix"
        applied.fixed.append((*_where(finding), why))


def _where(finding: Finding) -> tuple[str, str, int]:
    return (finding.path, finding.code, finding.location.row)
