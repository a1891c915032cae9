"""The findings of each file under its name, one line each, places in a column."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ckpt_lint.model import Location
from ckpt_lint.report.look import Look, headline, printable, problem_code
from ckpt_lint.run import FileResult


def render(results: Iterable[FileResult], look: Look) -> Iterator[str]:
    """One block a file, with an empty line behind it."""
    for result in results:
        outcome = result.outcome
        rows = [(_place(finding.location), headline(finding, look)) for finding in outcome.findings]
        for problem in outcome.problems:
            code = look.paint(problem_code(problem.status), "error")
            rows.append((_place(problem.location), f"{code}: {printable(problem.message)}"))
        if rows:
            width = max(len(place) for place, _ in rows)
            yield f"{look.paint(printable(outcome.path), 'bold')}:\n"
            yield from (f"  {place:<{width}} {text}\n" for place, text in rows)
            yield "\n"


def _place(location: Location | None) -> str:
    if location is None:
        return "-"
    cell = f"cell {location.cell}:" if location.cell is not None else ""
    return f"{cell}{location.row}:{location.column}"
