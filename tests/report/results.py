"""Results made by hand, for tests of what reports do with them."""

from __future__ import annotations

import os

from ckpt_lint.model import (
    Applicability,
    Edit,
    Finding,
    Fix,
    Outcome,
    Problem,
    Related,
    Severity,
    Span,
)
from ckpt_lint.report import Look, renderer
from ckpt_lint.run import FileResult
from ckpt_lint.source.text import Source, read_source
from tests.rule_values import RULES

NAMES = {rule.code: rule for rule in RULES}


def source_of(text: str, path: str = "pkg/train.py") -> Source:
    source = read_source(path, text.encode())
    assert isinstance(source, Source)
    return source


def finding(
    source: Source,
    code: str,
    target: str,
    *,
    insert: str | None = None,
    safety: Applicability = Applicability.SAFE,
    call: str | None = None,
    message: str = "a hazard",
    cause: str | None = None,
    withheld: str | None = None,
    related: tuple[Related, ...] = (),
) -> Finding:
    """A finding on the first place of `target` in the text; its fix inserts before the last character of it."""
    start = source.text.index(target)
    span = Span(start, start + len(target))
    fix = None
    if insert is not None:
        at = Span(span.end - 1, span.end - 1)
        fix = Fix(safety, f"Add `{insert.strip(', ')}`", (Edit(at, insert),))
    whole = None if call is None else Span(source.text.index(call), source.text.index(call) + len(call))
    place = source.location(start)
    rule = NAMES[code]
    severity: Severity = rule.severity
    return Finding(
        code, rule.name, severity, message, source.path, span, place, source.location(span.end), place.row,
        fix=fix, fix_withheld=withheld, related=related, call=whole, cause=cause,
    )  # fmt: skip


def result(source: Source, *findings: Finding, problems: tuple[Problem, ...] = ()) -> FileResult:
    return FileResult(Outcome(source.path, findings, problems), source)


def rendered(output_format: str, *results: FileResult, color: bool = False, unsafe: bool = False) -> str:
    look = Look(rules=RULES, folder=os.path.abspath("/work-folder"), color=color, unsafe=unsafe)
    return "".join(renderer(output_format)(results, look))
