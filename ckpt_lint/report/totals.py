"""What a run came to, counted while its results pass by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from ckpt_lint.model import Applicability, Problem, Severity
from ckpt_lint.run import FileResult


@dataclass
class Totals:
    """Counts of one run. `by_code` counts findings; `by_cause` those that one change elsewhere would clear."""

    files: int = 0
    unchecked: int = 0
    suppressed: int = 0
    changed: int = 0
    with_findings: int = 0
    by_code: Counter[str] = field(default_factory=Counter)
    by_severity: Counter[Severity] = field(default_factory=Counter)
    by_cause: Counter[str] = field(default_factory=Counter)
    by_safety: Counter[Applicability] = field(default_factory=Counter)
    fixed: Counter[str] = field(default_factory=Counter)
    severities: dict[str, set[Severity]] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    fixable: Counter[tuple[str, Applicability]] = field(default_factory=Counter)
    problems: list[tuple[str, Problem]] = field(default_factory=list)
    notes: dict[str, None] = field(default_factory=dict)

    @property
    def findings(self) -> int:
        """All findings that stand."""
        return sum(self.by_code.values())

    def watch(self, results: Iterable[FileResult]) -> Iterator[FileResult]:
        """The same results, counted on their way."""
        for result in results:
            self.add(result)
            yield result

    def add(self, result: FileResult) -> None:
        """Count one file."""
        outcome = result.outcome
        self.files += 1
        self.unchecked += not outcome.checked
        self.problems.extend((outcome.path, problem) for problem in outcome.problems)
        self.suppressed += len(outcome.suppressed)
        self.changed += result.before is not None
        self.with_findings += bool(outcome.findings)
        self.fixed.update(outcome.fixed)
        self.notes.update(dict.fromkeys(outcome.notes))
        for finding in outcome.findings:
            self.by_code[finding.code] += 1
            self.by_severity[finding.severity] += 1
            self.names[finding.code] = finding.name
            self.severities.setdefault(finding.code, set()).add(finding.severity)
            if finding.cause is not None:
                self.by_cause[finding.cause] += 1
            if finding.fix is not None:
                self.by_safety[finding.fix.applicability] += 1
                self.fixable[finding.code, finding.fix.applicability] += 1
