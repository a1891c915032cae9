"""Verdicts for people: a line a checkpoint, the evidence below it. Pure: results in, text out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from ckpt_lint.model import Finding
from ckpt_lint.report.look import place, printable
from ckpt_lint.verify.session import Verified
from ckpt_lint.verify.verdict import Check, SiteResult, Status

IN_FULL = 5
"""So many checkpoints of a site are shown with all evidence; of more only those that are not confirmed, and as many
confirmed ones in short."""

MOST = 20


def as_text(verified: Verified, *, withheld: Sequence[Finding] = (), missing: Sequence[str] = ()) -> Iterator[str]:
    """The whole report. `withheld` are findings without a fix, `missing` are names that meant no file."""
    for line in verified.tried:
        yield f"not used: {printable(line)}\n"
    if verified.torch is not None:
        yield f"{printable(str(verified.torch))}\n"
    for name in missing:
        yield f"--checkpoint {printable(name)}: there is no such file\n"
    for result in verified.results:
        yield "\n"
        yield from _site(result)
    yield "\n" if verified.results else ""
    yield from closing(verified, withheld=withheld)


def title(result: SiteResult) -> tuple[str, str]:
    """`train.py:12:5`, and `CKP303 unsafe-load, CKP301 load-without-map-location`."""
    site = result.site
    cell = f"cell {site.location.cell}:" if site.location.cell is not None else ""
    codes = ", ".join(f"{finding.code} {finding.name}" for finding in site.findings)
    return f"{site.path}:{cell}{site.location.row}:{site.location.column}", codes


def size_text(size: int) -> str:
    """Bytes as people read them."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= factor:
            return f"{size / factor:.1f} {unit}"
    return f"{size} bytes"


def _site(result: SiteResult) -> Iterator[str]:
    yield f"{printable(' '.join(title(result)))}: {result.status.value}\n"
    if not result.checks:
        yield f"  {printable(result.reason)}\n"
    if len(result.checks) <= IN_FULL:
        for check in result.checks:
            yield from _check(check)
        return
    good = [check for check in result.checks if check.status is Status.CONFIRMED]
    bad = [check for check in result.checks if check.status is not Status.CONFIRMED]
    for check in bad[:MOST]:
        yield from _check(check)
    for check in good[:IN_FULL]:
        yield f"  {check.status.value:<11} {printable(check.checkpoint)} ({_about(check)}): {printable(check.matched)}\n"
    if rest := [*bad[MOST:], *good[IN_FULL:]]:
        more = "checkpoint" if len(rest) == 1 else "checkpoints"
        yield f"  and {len(rest)} more {more}: {_counted(Counter(check.status for check in rest))}\n"


def _check(check: Check) -> Iterator[str]:
    yield f"  {check.status.value:<11} {printable(check.checkpoint)} ({_about(check)})\n"
    yield f"    {printable(check.reason)}\n"
    for name, lines in parts(check):
        for number, line in enumerate(lines):
            yield f"    {name if not number else '':<11} {printable(line)}\n"


def _about(check: Check) -> str:
    return ", ".join(part for part in (size_text(check.size), check.content) if part) if check.size else "no size"


def parts(check: Check) -> Iterator[tuple[str, Sequence[str]]]:
    """The evidence of a check under its headings, empty ones left out."""
    named: tuple[tuple[str, Sequence[str]], ...] = (
        ("matched by", (check.matched,)),
        ("before", (check.before,) if check.before else ()),
        ("after", (check.after,) if check.after and check.after not in check.reason else ()),
        ("compared", check.compared),
        ("in the way", check.obstacles),
        ("note", check.notes),
    )
    yield from ((name, lines) for name, lines in named if lines)


def closing(verified: Verified, *, withheld: Sequence[Finding]) -> Iterator[str]:
    """The last lines: what has no fix to verify, what was enforced, and the counts."""
    for finding in withheld:
        why = f"no fix: {finding.fix_withheld}" if finding.fix_withheld else "no fix"
        yield f"{place(finding.path, finding.location)} {finding.code} is not verified: {printable(why)}\n"
    enforced = next((check.enforced for result in verified.results for check in result.checks if check.enforced), ())
    if enforced:
        yield f"enforced: {', '.join(enforced)}\n"
    if not verified.results:
        yield "No finding has a fix that changes what a load or a restore does: there is nothing to verify.\n"
    else:
        checks = [check for result in verified.results for check in result.checks]
        places = _counted(Counter(result.status for result in verified.results))
        yield f"{_plural(len(verified.results), 'place')} ({places}), {_plural(len(checks), 'check')}"
        yield f" ({_counted(Counter(check.status for check in checks))})\n" if checks else "\n"


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _counted(counts: Counter[Status]) -> str:
    return ", ".join(f"{counts[status]} {status.value}" for status in Status if counts[status])
