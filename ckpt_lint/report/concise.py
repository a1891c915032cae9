"""One line a finding: `path:row:column: CODE [*] message`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ckpt_lint.report.look import Look, headline, place, printable, problem_code
from ckpt_lint.run import FileResult


def render(results: Iterable[FileResult], look: Look) -> Iterator[str]:
    """The findings and the problems of each file."""
    for result in results:
        for finding in result.outcome.findings:
            yield f"{look.paint(place(finding.path, finding.location), 'bold')}: {headline(finding, look)}\n"
        for problem in result.outcome.problems:
            where = look.paint(place(result.outcome.path, problem.location), "bold")
            yield f"{where}: {look.paint(problem_code(problem.status), 'error')}: {printable(problem.message)}\n"
