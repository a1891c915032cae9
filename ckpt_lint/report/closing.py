"""The closing lines of a run: how much was found, can be fixed, would go with one change, and could not be checked."""

from __future__ import annotations

from collections.abc import Iterator

from ckpt_lint.model import Applicability, Severity
from ckpt_lint.report.look import Look, place, printable, problem_code
from ckpt_lint.report.totals import Totals

_MANY = 10


def closing(totals: Totals, look: Look, *, counted: bool = False) -> Iterator[str]:
    """Lines for the end of `full` and `concise`; `counted` says that the counts by rule stand above (statistics)."""
    if not totals.files:
        yield "No Python files or notebooks found under the given paths.\n"
        return
    yield from _found(totals)
    if not counted:
        yield from _by_rule(totals, look)
    yield from _by_cause(totals)
    yield from _fixable(totals, look)
    yield from _rest(totals)


def closing_after_diff(totals: Totals, look: Look) -> Iterator[str]:
    """Lines for the end of `--diff`: what `--fix` would do."""
    for path, problem in totals.problems:
        yield f"{place(path, problem.location)}: {problem_code(problem.status)}: {printable(problem.message)}\n"
    fixed = sum(totals.fixed.values())
    more = 0 if look.unsafe else totals.by_safety[Applicability.UNSAFE]
    extra = f" ({count(more, 'additional fix', 'additional fixes')} available with `--unsafe-fixes`)" if more else ""
    if fixed:
        yield f"Would fix {count(fixed, 'finding')} in {count(totals.changed, 'file')}{extra}.\n"
    else:
        yield f"No findings would be fixed{extra}.\n"
    yield from _rest(totals)


def count(number: int, one: str, many: str | None = None) -> str:
    """`1 file`, `2 files`."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def _found(totals: Totals) -> Iterator[str]:
    fixed = sum(totals.fixed.values())
    severities = [
        count(totals.by_severity[severity], severity.value)
        for severity in (Severity.ERROR, Severity.WARNING)
        if totals.by_severity[severity]
    ]
    if fixed:
        remaining = f": {', '.join(severities)}" if severities else ""
        total = totals.findings + fixed
        yield f"Found {count(total, 'finding')} ({fixed} fixed, {totals.findings} remaining{remaining}).\n"
    elif totals.findings:
        files = f"in {totals.with_findings} of {count(totals.files, 'file')}"
        yield f"Found {count(totals.findings, 'finding')} {files}: {', '.join(severities)}.\n"
    elif not totals.unchecked:
        yield "All checks passed!\n"


def _by_rule(totals: Totals, look: Look) -> Iterator[str]:
    """The rules behind many findings; of few they are seen anyway."""
    if totals.findings < _MANY or len(totals.by_code) < 2:
        return
    width = len(str(max(totals.by_code.values())))
    for code, number in sorted(totals.by_code.items(), key=lambda row: (-row[1], row[0])):
        severity = min(totals.severities[code], key=lambda severity: severity is not Severity.ERROR)
        yield f"  {number:>{width}}  {look.paint(code, severity.value)} {totals.names[code]}\n"


def _by_cause(totals: Totals) -> Iterator[str]:
    for cause, number in sorted(totals.by_cause.items(), key=lambda row: (-row[1], row[0])):
        yield f"{number} {'goes' if number == 1 else 'go'} away with {printable(cause)}.\n"


def _fixable(totals: Totals, look: Look) -> Iterator[str]:
    safe, unsafe = totals.by_safety[Applicability.SAFE], totals.by_safety[Applicability.UNSAFE]
    mark = look.paint("[*]", "fixable")
    if look.unsafe and safe + unsafe:
        yield f"{mark} {safe + unsafe} fixable with `--fix --unsafe-fixes` ({safe} safe, {unsafe} unsafe).\n"
    elif safe:
        more = f" ({count(unsafe, 'unsafe fix', 'unsafe fixes')} available with `--unsafe-fixes`)" if unsafe else ""
        yield f"{mark} {safe} fixable with `--fix`{more}.\n"
    elif unsafe:
        yield f"{count(unsafe, 'unsafe fix', 'unsafe fixes')} available with `--fix --unsafe-fixes`.\n"


def _rest(totals: Totals) -> Iterator[str]:
    if totals.unchecked:
        verb = "was" if totals.unchecked == 1 else "were"
        yield f"{count(totals.unchecked, 'file')} could not be checked, and {verb} not found clean.\n"
    yield from remarks(totals)


def remarks(totals: Totals) -> Iterator[str]:
    """What a reader has to know so as not to take silence for an answer."""
    for note in totals.notes:
        yield f"note: {printable(note)}\n"
