"""Workflow commands that GitHub Actions shows as annotations of the changed lines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ckpt_lint.model import Location, Severity
from ckpt_lint.report.look import Look, place, printable, problem_code
from ckpt_lint.run import FileResult


def render(results: Iterable[FileResult], look: Look) -> Iterator[str]:
    """One command a finding. A place in a notebook has no line of the file: it stands in the message."""
    for result in results:
        for finding in result.outcome.findings:
            help_line = f"\n  help: {finding.fix.message}" if finding.fix else ""
            text = f"{place(finding.path, finding.location)}: {finding.code} {finding.message}{help_line}"
            span = _span(finding.location, finding.end_location)
            yield _command(finding.severity, finding.code, look.absolute(finding.path), span, text)
        for problem in result.outcome.problems:
            code = problem_code(problem.status)
            text = f"{place(result.outcome.path, problem.location)}: {code}: {problem.message}"
            start = problem.location or Location(1, 1)
            yield _command(Severity.ERROR, code, look.absolute(result.outcome.path), _span(start, start), text)


def _command(severity: Severity, code: str, path: str, span: str, text: str) -> str:
    return f"::{severity.value} title=ckpt-lint ({code}),file={_property(path)},{span}::{_data(text)}\n"


def _span(start: Location, end: Location) -> str:
    if start.cell is not None:
        return "line=1,col=1,endLine=1,endColumn=1"
    if start.row != end.row:
        return f"line={start.row},endLine={end.row}"
    return f"line={start.row},col={start.column},endLine={end.row},endColumn={end.column}"


def _data(text: str) -> str:
    """Lines keep their ends, which the command spells; what a terminal would obey in the log is spelled out."""
    shown = "\n".join(printable(line) for line in text.replace("\r\n", "\n").split("\n"))
    return shown.replace("%", "%25").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
