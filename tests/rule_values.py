"""Rules made for tests of what only looks at a rule's row: selection, settings, pages."""

from __future__ import annotations

from ckpt_lint.model import Applicability, Page, RuleInfo, Severity

PAGE = Page("Finds it", "Because.", "bad()\n", "good()\n")


def rule(
    code: str,
    name: str,
    *,
    on: bool = True,
    groups: tuple[str, ...] = (),
    in_tests: bool = False,
    severity: Severity = Severity.ERROR,
    fix: Applicability | None = None,
) -> RuleInfo:
    return RuleInfo(code, name, severity, on, PAGE, fix=fix, groups=groups, in_tests=in_tests)


RULES = (
    rule("CKP101", "whole-module-save", groups=("torch26", "security"), fix=Applicability.UNSAFE),
    rule("CKP102", "state-dict-not-called", in_tests=True, fix=Applicability.SAFE),
    rule("CKP105", "non-atomic-save", on=False),
    rule("CKP205", "missing-rng-state", on=False, groups=("resume",)),
    rule("CKP206", "missing-version-metadata", on=False),
    rule("CKP301", "load-without-map-location", severity=Severity.WARNING, groups=("portability",)),
    rule("CKP302", "load-without-weights-only", groups=("torch26", "security")),
    rule("CKP901", "unused-suppression", on=False),
)
