"""What proofs saw, as text, as JSON, and as a table for the documentation: pure functions, results in, text out."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence

from ckpt_lint.verify.prove import ProofResult, ProofStatus, Seen

HEAD = ("Rule", "Before", "After", "Figures, before and after", "Stand-in for a GPU, a crash or a network")


def as_text(results: Sequence[ProofResult], *, timings: bool = True) -> str:
    """For people: what was seen before and after, with which versions; a line of counts where there are several."""
    parts = [_one_text(result, timings) for result in results]
    if len(results) > 1:
        parts.append(_counts(results))
    return "\n".join(parts)


def as_json(results: Sequence[ProofResult]) -> str:
    """For programs: every field of the results, series included; numbers that JSON lacks become texts."""
    return json.dumps({"proofs": [_plain(dataclasses.asdict(result)) for result in results]}, indent=2) + "\n"


def as_table(results: Sequence[ProofResult]) -> str:
    """A Markdown table, one rule a row; timings are left out, so that a second run gives the same text."""
    rows = [HEAD, tuple("---" for _ in HEAD), *(_row(result) for result in results)]
    table = "\n".join("| " + " | ".join(row) + " |" for row in rows)
    return f"{table}\n\n{_seen_with(results)}\n"


def _one_text(result: ProofResult, timings: bool) -> str:
    lines = [f"{result.code} {result.name}: {_state(result)}"]
    if result.before and result.after:
        lines += [f"  before  {result.before.saw}", f"  after   {result.after.saw}"]
        lines += [f"  {name}: {_change(name, result.before, result.after)}" for name in _names(result)]
        fixed = "our own fix of the bad program" if result.by_our_fix else "written beside it: this rule has no fix"
        lines.append(f"  the right program is {fixed}")
    lines += [f"  stand-in: {text}" for text in result.stand_ins]
    if result.versions:
        lines.append("  " + _versions(result.versions) + (f"; {result.seconds:.1f} s" if timings else ""))
    return "\n".join(lines) + "\n"


def _state(result: ProofResult) -> str:
    words = {ProofStatus.NOT_APPLICABLE: "not applicable here", ProofStatus.TIMED_OUT: "timed out"}
    state = words.get(result.status, result.status.value)
    return f"{state} ({result.reason})" if result.reason else state


def _counts(results: Sequence[ProofResult]) -> str:
    counted = [(status, sum(result.status is status for result in results)) for status in ProofStatus]
    return ", ".join(f"{number} {status.value}" for status, number in counted if number) + "\n"


def _names(result: ProofResult) -> tuple[str, ...]:
    before, after = result.before, result.after
    if before is None or after is None:
        return ()
    return tuple(dict.fromkeys([*before.figures, *after.figures]))


def _change(name: str, before: Seen, after: Seen) -> str:
    return f"{_figure(before.figures.get(name))} -> {_figure(after.figures.get(name))}"


def _figure(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _row(result: ProofResult) -> tuple[str, ...]:
    rule = f"[{result.code} {result.name}](../rules/{result.name}.md)"
    if result.before is None or result.after is None:
        return (rule, _state(result), "", "", "")
    figures = "; ".join(f"{name}: {_change(name, result.before, result.after)}" for name in _names(result))
    cells = (rule, result.before.saw, result.after.saw, figures, "; ".join(result.stand_ins))
    return tuple(cell.replace("|", "\\|").replace("<", "&lt;") for cell in cells)


def _seen_with(results: Sequence[ProofResult]) -> str:
    versions = list(dict.fromkeys(_versions(result.versions) for result in results if result.versions))
    return "Seen with " + " and ".join(versions) + "." if versions else "Nothing was run."


def _versions(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
