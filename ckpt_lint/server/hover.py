"""What the editor shows under the pointer: the page of the rule that a finding, or a code in a `noqa`, is about."""

from __future__ import annotations

from lsprotocol import types

from ckpt_lint.model import RuleInfo
from ckpt_lint.report.rule_page import rule_page
from ckpt_lint.rules import ALL
from ckpt_lint.server.diagnostics import Wanted, place, range_of
from ckpt_lint.server.documents import Buffer
from ckpt_lint.server.snapshot import Checked
from ckpt_lint.suppress import INLINE

_SEPARATORS = ", \t"


def hover_of_comment(buffer: Buffer, position: types.Position, wanted: Wanted) -> types.Hover | None:
    """The rules that the code under the pointer means, in a `noqa` comment."""
    offset = buffer.offset(position.line, position.character, wanted.encoding) + buffer.lead
    row = buffer.lines.row(offset)
    first = buffer.lines.starts[row - 1]
    match = INLINE.search(buffer.text, first, buffer.lines.content_end(row))
    if match is None or not match["codes"] or not match.start("codes") <= offset <= match.end():
        return None
    start, end = _word(buffer.text, offset, match.start("codes"), match.end())
    page = _pages(buffer.text[start:end])
    return _hover(page, range_of(buffer, start - buffer.lead, end - buffer.lead, wanted)) if page else None


def hover_of_finding(checked: Checked, uri: str, position: types.Position, wanted: Wanted) -> types.Hover | None:
    """The pages of what is found under the pointer."""
    codes: dict[str, types.Range] = {}
    for finding in checked.result.outcome.findings:
        found = place(checked, finding.span)
        if found is not None and found[0].uri == uri:
            buffer, start, end = found
            if start <= buffer.offset(position.line, position.character, wanted.encoding) <= end:
                codes.setdefault(finding.code, range_of(buffer, start, end, wanted))
    pages = [page for code in codes if (page := _pages(code))]
    return _hover("\n\n---\n\n".join(pages), next(iter(codes.values()))) if pages else None


def _word(text: str, offset: int, first: int, last: int) -> tuple[int, int]:
    start, end = offset, offset
    while start > first and text[start - 1] not in _SEPARATORS:
        start -= 1
    while end < last and text[end] not in _SEPARATORS:
        end += 1
    return start, end


def _pages(code: str) -> str:
    """The page of a rule; of a prefix, the rules that it means."""
    meant = [rule for rule in ALL if code and rule.code.startswith(code.upper())]
    if len(meant) == 1:
        return rule_page(meant[0])
    return "\n".join(f"- {_line(rule)}" for rule in meant)


def _line(rule: RuleInfo) -> str:
    return f"**{rule.code}** {rule.name}: {rule.page.summary.strip().splitlines()[0]}"


def _hover(text: str, range: types.Range) -> types.Hover:
    return types.Hover(types.MarkupContent(types.MarkupKind.Markdown, text), range)
