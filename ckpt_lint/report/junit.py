"""JUnit XML: a suite a file, a failed test case a finding, and an error for what could not be checked."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from xml.sax.saxutils import escape, quoteattr

from ckpt_lint.report.look import Look, place, printable, problem_code
from ckpt_lint.run import FileResult

_NO_XML = re.compile("[\ufffe\uffff]")
"""The rest of what XML cannot hold is control characters, and lone surrogates, which `printable` spells out."""


def render(results: Iterable[FileResult], look: Look) -> Iterator[str]:
    """One document, at the end of the run. A run without findings is one test that has passed."""
    suites, failures, errors = list[str](), 0, 0
    for result in results:
        outcome = result.outcome
        if outcome.findings or outcome.problems:
            suites.append("".join(_suite(result, look)))
            failures += len(outcome.findings)
            errors += len(outcome.problems)
    tests = failures + errors or 1
    yield '<?xml version="1.0" encoding="UTF-8"?>\n'
    yield f'<testsuites name="ckpt-lint" tests="{tests}" failures="{failures}" errors="{errors}">\n'
    yield from suites
    if not suites:
        yield '  <testsuite name="ckpt-lint" tests="1" failures="0" errors="0">\n'
        yield '    <testcase name="no findings" classname="ckpt-lint" time="0"/>\n'
        yield "  </testsuite>\n"
    yield "</testsuites>\n"


def _suite(result: FileResult, look: Look) -> Iterator[str]:
    outcome = result.outcome
    failures, errors = len(outcome.findings), len(outcome.problems)
    counts = f'tests="{failures + errors}" failures="{failures}" errors="{errors}"'
    yield f'  <testsuite name={_attribute(look.absolute(outcome.path))} package="ckpt-lint" {counts}>\n'
    for finding in outcome.findings:
        where = f"{place(finding.path, finding.location)}: {finding.severity.value}"
        more = [f"{place(other.path, other.location)}: {other.message}" for other in finding.related]
        texts = [f"{where}: {finding.message}", *more]
        kind = f"{finding.code} {finding.name}"
        yield from _case("failure", kind, finding.severity.value, outcome.path, finding.message, texts)
    for problem in outcome.problems:
        code = problem_code(problem.status)
        texts = [f"{place(outcome.path, problem.location)}: {problem.message}"]
        yield from _case("error", code, code, outcome.path, problem.message, texts)
    yield "  </testsuite>\n"


def _case(tag: str, name: str, kind: str, path: str, message: str, texts: Sequence[str]) -> Iterator[str]:
    yield f'    <testcase name={_attribute(name)} classname={_attribute(path)} time="0">\n'
    body = "\n".join(escape(_clean(text)) for text in texts)
    yield f"      <{tag} type={_attribute(kind)} message={_attribute(message)}>{body}</{tag}>\n"
    yield "    </testcase>\n"


def _attribute(text: str) -> str:
    return quoteattr(_clean(text))


def _clean(text: str) -> str:
    return _NO_XML.sub("\ufffd", printable(text))
