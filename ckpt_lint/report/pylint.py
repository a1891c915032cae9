"""`path:row: [CODE] message`, the lines of `pylint --output-format parseable` that many tools can read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ckpt_lint.model import Location
from ckpt_lint.report.look import Look, printable, problem_code
from ckpt_lint.run import FileResult


def render(results: Iterable[FileResult], look: Look) -> Iterator[str]:
    """One line a finding, one line a problem."""
    for result in results:
        path = printable(result.outcome.path)
        for finding in result.outcome.findings:
            yield _line(path, finding.location, finding.code, finding.message)
        for problem in result.outcome.problems:
            yield _line(path, problem.location or Location(1, 1), problem_code(problem.status), problem.message)


def _line(path: str, location: Location, code: str, message: str) -> str:
    """A place in a notebook has no line in the file: it stands in the message."""
    if location.cell is not None:
        return f"{path}:1: [{code}] cell {location.cell}, row {location.row}: {printable(message)}\n"
    return f"{path}:{location.row}: [{code}] {printable(message)}\n"
