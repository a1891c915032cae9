"""A comment for a pull request, in GitHub's and GitLab's Markdown: what was found, in a table.

A comment has a limit of 65,536 characters on GitHub: of very many findings the first are shown, and the rest counted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from ckpt_lint.model import Finding, Severity
from ckpt_lint.report.closing import count
from ckpt_lint.report.look import Look, place, printable, problem_code, url_of
from ckpt_lint.report.totals import Totals
from ckpt_lint.run import FileResult

_MOST = 50_000
_LONGEST = 1_000
_CODE = re.compile(r"(`[^`]+`)")
_SPECIAL = re.compile(r"[\\`*_{}\[\]<>#!|~@&:$]|(?<=www)\.", re.IGNORECASE)
_ANY = re.compile(r"[^\w .,/-]|(?<=www)\.", re.IGNORECASE)


def render(results: Iterable[FileResult], look: Look) -> Iterator[str]:
    """One comment, at the end of the run."""
    totals, rows, left, size = Totals(), list[str](), 0, 0
    for result in totals.watch(results):
        for row in _rows(result, look):
            size += len(row)
            if size <= _MOST:
                rows.append(row)
            else:
                left += 1
    yield f"### ckpt-lint\n\n{_headline(totals)}\n"
    if rows:
        yield "\n| | place | finding |\n|---|---|---|\n"
        yield from rows
    if left:
        yield f"\n{count(left, 'more row is', 'more rows are')} not shown.\n"
    if any(totals.by_safety.values()):
        yield "\n\\* `ckpt-lint check --fix` (with `--unsafe-fixes` for the unsafe ones) fixes these.\n"


def _headline(totals: Totals) -> str:
    counts = [
        count(totals.by_severity[severity], severity.value)
        for severity in (Severity.ERROR, Severity.WARNING)
        if totals.by_severity[severity]
    ]
    if totals.unchecked:
        counts.append(f"{count(totals.unchecked, 'file')} not checked")
    of_all = count(totals.files, "file")
    return f"{', '.join(counts)}, of {of_all}." if counts else f"No findings in {of_all}."


def _rows(result: FileResult, look: Look) -> Iterator[str]:
    for finding in result.outcome.findings:
        text = " ".join([_rule(finding), prose(finding.message)])
        where = code_span(place(finding.path, finding.location))
        yield f"| {finding.severity.value} | {where} | {text} |\n"
    for problem in result.outcome.problems:
        where = code_span(place(result.outcome.path, problem.location))
        yield f"| not checked | {where} | {problem_code(problem.status)}: {prose(problem.message)} |\n"


def _rule(finding: Finding) -> str:
    url = url_of(finding.name)
    code = f"**{finding.code}**" if url is None else f"[**{finding.code}**]({url})"
    return f"{code}\\*" if finding.fix is not None else code


def prose(text: str) -> str:
    """The text with its `code`, and nothing else that Markdown, HTML or a mention would make something of."""
    shown = printable(text[:_LONGEST])
    parts = _CODE.split(shown)
    return "".join(code_span(part[1:-1]) if place % 2 else _plain(part) for place, part in enumerate(parts))


def _plain(text: str) -> str:
    return _SPECIAL.sub(lambda match: f"&#{ord(match[0])};", text)


def code_span(text: str) -> str:
    """A code span, in a table, too: no run of backticks in the text may end it, and no bar the cell."""
    text = " ".join(printable(text).split())
    if "\\|" in text or not text:  # where a backslash stands before a bar, no two readers agree on where the cell ends
        return f"<code>{_ANY.sub(lambda match: f'&#{ord(match[0])};', text)}</code>"
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence, blank = "`" * (longest + 1), " " if text[:1] == "`" or text[-1:] == "`" else ""
    return f"{fence}{blank}{text}{blank}{fence}".replace("|", "\\|")
