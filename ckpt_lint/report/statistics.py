"""`--statistics`: findings counted by rule, most frequent first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ckpt_lint.model import Applicability
from ckpt_lint.report.look import Look, problem_code
from ckpt_lint.report.totals import Totals
from ckpt_lint.run import FileResult


def render(results: Iterable[FileResult], look: Look) -> Iterator[str]:
    """`count`, code, mark of a fix, and name, in tab-separated columns."""
    totals, problems = Totals(), dict[str, int]()
    for result in totals.watch(results):
        for problem in result.outcome.problems:
            code = problem_code(problem.status)
            problems[code] = problems.get(code, 0) + 1
    width = len(str(max([*totals.by_code.values(), *problems.values()], default=0)))
    for code, number in ordered(totals):
        mark = look.paint("[*]", "fixable") if fixable(totals, code, look) == number else "[-]"
        mark = mark if fixable(totals, code, look) else "[ ]"
        yield f"{number:>{width}}\t{code}\t{mark} {totals.names[code]}\n"
    for code, number in sorted(problems.items()):
        yield f"{number:>{width}}\t\t[ ] {code}\n"


def ordered(totals: Totals) -> list[tuple[str, int]]:
    """Codes and counts, most frequent first."""
    return sorted(totals.by_code.items(), key=lambda row: (-row[1], row[0]))


def fixable(totals: Totals, code: str, look: Look) -> int:
    """How many findings of a rule `--fix` would fix, with the safety that was asked for."""
    unsafe = totals.fixable[code, Applicability.UNSAFE] if look.unsafe else 0
    return totals.fixable[code, Applicability.SAFE] + unsafe
