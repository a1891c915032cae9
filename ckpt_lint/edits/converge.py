"""Fixes in rounds, until none is left: apply, read again, judge again.

No round may leave a part that parsed before and does not parse any more; the fix to blame is found, dropped and
reported. A text that comes back, or a finding that survives its fix again and again, is an error that names the rules,
and then the text stays as it was.
"""

from __future__ import annotations

import ast
import dataclasses
import warnings
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from ckpt_lint.edits.compose import compose
from ckpt_lint.model import Applicability, Edit, Finding, Problem, Status
from ckpt_lint.source.text import Source

MAX_ROUNDS = 50
_MAX_SURVIVALS = 3

Parsers = Sequence[Callable[[str], bool]]
"""Whether each of some parsers accepts a text, the strictest first."""


@dataclass(frozen=True, slots=True)
class Converged:
    """What came of fixing. `applied` counts, per code, findings that are gone; `findings` are those that are left.

    `problems` name rules whose fixes were dropped. After a cycle `source` is the one that was given.
    """

    source: Source
    findings: tuple[Finding, ...]
    applied: Mapping[str, int] = field(default_factory=dict)
    rounds: int = 0
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class _Round:
    source: Source
    edits: tuple[Edit, ...]
    findings: tuple[Finding, ...]
    refused: tuple[Finding, ...]


def ast_parses(code: str) -> bool:
    """Whether the running Python's own parser accepts `code`."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def converge(
    source: Source,
    findings_of: Callable[[Source], Sequence[Finding]],
    *,
    applicabilities: Collection[Applicability],
    parsers: Parsers = (ast_parses,),
) -> Converged:
    """Apply the fixes of `findings_of(source)` whose applicability is wanted, to the fixed point.

    `findings_of` leaves suppressed findings out. The first of `parsers` that accepts the code of a part before must
    accept it afterwards, too; what all of them refuse is not asked again.
    """
    start = current = source
    first = findings = tuple(findings_of(source))
    seen = {source.text}
    applied: Counter[str] = Counter()
    survivals: Counter[str] = Counter()
    refused: set[tuple[str, tuple[Edit, ...]]] = set()
    for rounds in range(MAX_ROUNDS):
        wanted = _wanted(findings, applicabilities, refused)
        done = _one_round(current, wanted, parsers)
        refused.update(_fix_key(finding) for finding in done.refused)
        if not done.findings:
            if done.refused and len(done.refused) < len(wanted):
                continue
            problems = _dropped(_wanted(findings, applicabilities, ()))
            return Converged(current, findings, dict(sorted(applied.items())), rounds, problems)
        after = tuple(findings_of(done.source))
        gone, left = _gone(done, after)
        applied.update(gone)
        survivals.update(left)
        stuck = sorted(code for code, count in survivals.items() if count >= _MAX_SURVIVALS)
        if done.source.text in seen or stuck:
            names = stuck or sorted({finding.code for finding in done.findings})
            return Converged(start, first, problems=(_endless(names),))
        seen.add(done.source.text)
        current, findings = done.source, after
    return Converged(start, first, problems=(_endless(sorted({finding.code for finding in findings if finding.fix})),))


def _wanted(
    findings: Sequence[Finding],
    applicabilities: Collection[Applicability],
    refused: Collection[tuple[str, tuple[Edit, ...]]],
) -> list[Finding]:
    return [
        finding
        for finding in findings
        if finding.fix and finding.fix.applicability in applicabilities and _fix_key(finding) not in refused
    ]


def _fix_key(finding: Finding) -> tuple[str, tuple[Edit, ...]]:
    """What names a refused fix in later rounds: the code, and the edits where they would be."""
    return (finding.code, finding.fix.edits if finding.fix else ())


def _one_round(source: Source, findings: Sequence[Finding], parsers: Parsers) -> _Round:
    """All fixes that go together; where the result does not parse, those that can be applied one after another."""
    fixes = [finding.fix for finding in findings if finding.fix]
    chosen = compose(fixes)
    broken = tuple(findings[index] for index in chosen.broken)
    together = tuple(findings[index] for index in chosen.taken)
    result = _apply(source, chosen.edits, parsers)
    if result is not None:
        return _Round(result, chosen.edits, together, broken)
    good: list[Finding] = []
    bad: list[Finding] = []
    best = _Round(source, (), (), broken)
    for finding in together:
        edits = compose([other.fix for other in (*good, finding) if other.fix]).edits
        result = _apply(source, edits, parsers)
        if result is not None:
            good.append(finding)
            best = _Round(result, edits, tuple(good), broken)
        else:
            bad.append(finding)
    return dataclasses.replace(best, refused=(*broken, *bad))


def _apply(source: Source, edits: Sequence[Edit], parsers: Parsers) -> Source | None:
    """The edited source; None where an edit has no place in it, or a part parses no more."""
    try:
        result = source.edited(edits)
    except ValueError:
        return None
    if len(result.parts) != len(source.parts):
        return None
    for before, after in zip(source.parts, result.parts):
        if before.code != after.code and _is_broken(before.code, after.code, parsers):
            return None
    return result


def _is_broken(before: str, after: str, parsers: Parsers) -> bool:
    """Whether the parser that the code had before refuses it now."""
    for parses in parsers:
        if parses(after):
            return False
        if parses(before):
            return True
    return False


def _gone(done: _Round, after: Sequence[Finding]) -> tuple[Counter[str], Counter[str]]:
    """Per code, how many of the fixed findings are gone, and how many stand at their place still."""
    left_over = Counter((finding.code, finding.span.start) for finding in after)
    gone: Counter[str] = Counter()
    left: Counter[str] = Counter()
    for finding in done.findings:
        places = [(finding.code, place) for place in _moved(finding.span.start, done.edits)]
        found = next((place for place in places if left_over[place]), None)
        if found is None:
            gone[finding.code] += 1
        else:
            left_over[found] -= 1
            left[finding.code] += 1
    return gone, left


def _moved(offset: int, edits: Sequence[Edit]) -> tuple[int, int]:
    """Where the character at `offset` is after the edits, with what is inserted right before it left out or counted."""
    low = high = offset
    for edit in edits:
        change = len(edit.text) - (edit.span.end - edit.span.start)
        if edit.span.end < offset or edit.span.start < edit.span.end == offset:
            low, high = low + change, high + change
        elif edit.span.start == edit.span.end == offset:
            high += change
    return low, high


def _dropped(findings: Sequence[Finding]) -> tuple[Problem, ...]:
    return tuple(
        Problem(Status.NOT_FIXED, f"the fix of {finding.code} would break the code and was dropped", finding.location)
        for finding in sorted(findings, key=lambda finding: finding.sort_key)
    )


def _endless(codes: Sequence[str]) -> Problem:
    names = ", ".join(codes)
    return Problem(Status.NOT_FIXED, f"fixes never come to an end ({names}); nothing was changed")
