"""CKP901: codes of ours in `noqa` comments that silence nothing.

A code is used where some rule, on or off in this run, would speak of what it stands beside: so taking an unused one
away changes no run, whatever it selects. A blanket `# noqa` and the codes of other tools are nobody's business here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ckpt_lint.directives import Directive, directives
from ckpt_lint.model import Applicability, Edit, Finding, Fix, RuleInfo, Span
from ckpt_lint.rules.tool import unused_suppression
from ckpt_lint.source.text import Source
from ckpt_lint.suppress import ignores_file

RULE = unused_suppression.RULE
_OURS = "CKP"


def may_matter(source: Source) -> bool:
    """Whether a code of ours can stand in a comment of `source`."""
    return _OURS in source.text.upper()


def unused(source: Source, found: Sequence[Finding], rules: Sequence[RuleInfo]) -> Iterator[Finding]:
    """The findings of CKP901, given all that every rule says of `source`, suppressed or not."""
    if any(ignores_file(source.text[cell.span.start : cell.span.end]) for cell in source.cells):
        return
    known = tuple(rule.code for rule in rules)
    for directive in directives(source):
        spoken = [finding.code for finding in found if directive.speaks_of(finding)]
        reasons = _reasons(directive, spoken, known)
        if reasons:
            yield _finding(directive, reasons, source)


def _reasons(directive: Directive, spoken: Sequence[str], known: Sequence[str]) -> dict[int, str]:
    """Why codes are unused, by their place in the comment."""
    reasons: dict[int, str] = {}
    seen: set[str] = set()
    for index, (code, _) in enumerate(directive.codes):
        if not code.upper().startswith(_OURS):
            continue
        if code in seen:
            reasons[index] = "duplicated"
        elif not any(one.startswith(code) for one in known):
            reasons[index] = "unknown"
        elif not any(one.startswith(code) for one in spoken):
            reasons[index] = "unused"
        seen.add(code)
    return reasons


def _finding(directive: Directive, reasons: dict[int, str], source: Source) -> Finding:
    words = [f"{kind}: {', '.join(codes)}" for kind, codes in _by_kind(directive, reasons)]
    location = source.location(directive.span.start)
    end = directive.codes[-1][1].end
    return Finding(
        code=RULE.code,
        name=RULE.name,
        severity=RULE.severity,
        message=f"this `noqa` suppresses nothing ({'; '.join(words)})",
        path=source.path,
        span=Span(directive.span.start, end),
        location=location,
        end_location=source.location(end),
        noqa_row=location.row,
        fix=_fix(directive, reasons, source),
    )


def _by_kind(directive: Directive, reasons: dict[int, str]) -> Iterator[tuple[str, list[str]]]:
    for kind in ("unused", "duplicated", "unknown"):
        codes = [directive.codes[index][0] for index, reason in reasons.items() if reason == kind]
        if codes:
            yield kind, [f"`{code}`" for code in codes]


def _fix(directive: Directive, reasons: dict[int, str], source: Source) -> Fix:
    kept = [span for index, (_, span) in enumerate(directive.codes) if index not in reasons]
    if not kept:
        return Fix(Applicability.SAFE, "Remove the unused `noqa`", (_removal(directive, source),))
    first, last = directive.codes[0][1].start, directive.codes[-1][1].end
    tight = all("," in source.text[a.end : b.start] for (_, a), (_, b) in zip(directive.codes, directive.codes[1:]))
    separator = ", " if tight else " "
    text = separator.join(source.text[span.start : span.end] for span in kept)
    return Fix(Applicability.SAFE, "Remove the unused codes", (Edit(Span(first, last), text),))


def _removal(directive: Directive, source: Source) -> Edit:
    """Take the directive away: the line with it, or the comment, or, where more stands in the comment, only it."""
    text, lines = source.text, source.lines
    row = lines.row(directive.span.start)
    rest = text[directive.span.end : directive.comment.end].strip()
    before = text[directive.comment.start : directive.span.start].strip()
    if rest:
        kept = rest if rest.startswith("#") else f"# {rest.lstrip(':;,.-– ')}"
        return Edit(Span(directive.span.start, directive.comment.end), kept)
    line_start, content_end = lines.starts[row - 1], lines.content_end(row)
    if not before and not text[line_start : directive.comment.start].strip():
        end = min(lines.end(row), source.cell_at(line_start).span.end)
        return Edit(Span(line_start, end), "")
    start = directive.span.start
    while start > line_start and text[start - 1] in " \t":
        start -= 1
    return Edit(Span(start, max(content_end, directive.span.end)), "")
