"""The closing lines of a run."""

from __future__ import annotations

import dataclasses

from ckpt_lint.model import Applicability, Outcome, Problem, Status
from ckpt_lint.report import Look
from ckpt_lint.report.closing import closing, closing_after_diff
from ckpt_lint.report.totals import Totals
from ckpt_lint.run import FileResult
from tests.report.results import finding, result, source_of
from tests.rule_values import RULES

SOURCE = source_of("torch.load(p)\n")
CAUSE = "`torch>=2.6` in pyproject.toml"
WARNING = finding(SOURCE, "CKP301", "torch.load(p)", insert=", x")
ERROR = finding(SOURCE, "CKP302", "torch.load(p)", insert=", y", safety=Applicability.UNSAFE, cause=CAUSE)
UNREADABLE = FileResult(Outcome("x.py", problems=(Problem(Status.UNREADABLE, "Permission denied"),)))
CLEAN = FileResult(Outcome("c.py"))


def lines(*results: FileResult, unsafe: bool = False, diff: bool = False) -> list[str]:
    totals = Totals()
    for one in results:
        totals.add(one)
    look = Look(rules=RULES, unsafe=unsafe)
    return "".join((closing_after_diff if diff else closing)(totals, look)).splitlines()


def test_clean() -> None:
    assert lines(CLEAN) == ["All checks passed!"]
    assert lines() == ["No Python files or notebooks found under the given paths."]


def test_what_was_not_checked_is_not_clean() -> None:
    assert lines(CLEAN, UNREADABLE) == ["1 file could not be checked, and was not found clean."]


def test_findings_by_severity_fix_and_cause() -> None:
    assert lines(result(SOURCE, WARNING, ERROR), CLEAN) == [
        "Found 2 findings in 1 of 2 files: 1 error, 1 warning.",
        "1 goes away with `torch>=2.6` in pyproject.toml.",
        "[*] 1 fixable with `--fix` (1 unsafe fix available with `--unsafe-fixes`).",
    ]
    assert lines(result(SOURCE, ERROR)) == [
        "Found 1 finding in 1 of 1 file: 1 error.",
        "1 goes away with `torch>=2.6` in pyproject.toml.",
        "1 unsafe fix available with `--fix --unsafe-fixes`.",
    ]
    assert lines(result(SOURCE, WARNING, ERROR), unsafe=True)[-1] == (
        "[*] 2 fixable with `--fix --unsafe-fixes` (1 safe, 1 unsafe)."
    )


def test_many_findings_are_counted_by_rule() -> None:
    assert lines(*[result(SOURCE, WARNING, ERROR)] * 9, result(SOURCE, ERROR))[:4] == [
        "Found 19 findings in 10 of 10 files: 10 errors, 9 warnings.",
        "  10  CKP302 load-without-weights-only",
        "   9  CKP301 load-without-map-location",
        "10 go away with `torch>=2.6` in pyproject.toml.",
    ]


def test_what_the_statistics_count_is_not_counted_again() -> None:
    totals = Totals()
    for one in [result(SOURCE, WARNING, ERROR)] * 9:
        totals.add(one)
    assert "".join(closing(totals, Look(rules=RULES), counted=True)).count("CKP") == 0


def test_fixed_and_remaining() -> None:
    fixed = dataclasses.replace(
        result(SOURCE, ERROR), outcome=Outcome("a.py", (ERROR,), fixed={"CKP301": 2}), before=SOURCE
    )
    assert lines(fixed)[0] == "Found 3 findings (2 fixed, 1 remaining: 1 error)."
    assert lines(fixed, diff=True) == [
        "Would fix 2 findings in 1 file (1 additional fix available with `--unsafe-fixes`)."
    ]
    assert lines(CLEAN, diff=True) == ["No findings would be fixed."]


def test_notes_are_said_once() -> None:
    noted = FileResult(Outcome("a.py", notes=("the project was not read whole",)))
    assert lines(noted, noted) == ["All checks passed!", "note: the project was not read whole"]
