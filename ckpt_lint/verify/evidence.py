"""The report file: evidence in Markdown that a reviewer reads in a pull request. Pure."""

from __future__ import annotations

from collections.abc import Iterator

import ckpt_lint
from ckpt_lint.report.markdown import code_span, prose
from ckpt_lint.verify.apply import Applied
from ckpt_lint.verify.as_text import parts, size_text, title
from ckpt_lint.verify.session import Verified
from ckpt_lint.verify.verdict import Check, SiteResult


def as_markdown(verified: Verified, applied: Applied | None = None) -> str:
    """What was checked against which checkpoints under which torch, what was compared, and what was changed."""
    return "".join(_document(verified, applied))


def _document(verified: Verified, applied: Applied | None) -> Iterator[str]:
    yield "# Checkpoint fixes, verified\n\n"
    torch = verified.torch
    under = f"torch {torch.version}, Python {torch.python_version}" if torch is not None else "no torch"
    yield f"ckpt-lint {ckpt_lint.__version__}, {under}. Verdicts are about the checkpoints named here, no others.\n\n"
    yield "| Place | Rules | Checkpoints | Verdict |\n|---|---|---|---|\n"
    for result in verified.results:
        place, codes = title(result)
        yield f"| {code_span(place)} | {codes} | {len(result.checks)} | {result.status.value} |\n"
    for result in verified.results:
        yield from _site(result)
    if applied is not None:
        yield from _changes(applied)


def _site(result: SiteResult) -> Iterator[str]:
    place, codes = title(result)
    yield f"\n## {code_span(place)} {codes}: {result.status.value}\n\n"
    for finding in result.site.findings:
        if finding.fix is not None:
            yield f"- {finding.code}: {_text(finding.fix.message)} ({finding.fix.applicability.value} by itself)\n"
    if not result.checks:
        yield f"\n{_text(result.reason)}\n"
    for check in result.checks:
        yield from _check(check)


def _check(check: Check) -> Iterator[str]:
    about = ", ".join(part for part in (size_text(check.size), check.content) if part)
    yield f"\n**{code_span(check.checkpoint)}** ({_text(about)}): {check.status.value}. {_text(check.reason)}\n\n"
    for name, lines in parts(check):
        yield from (f"- {name}: {_text(line)}\n" for line in lines)
    if check.enforced:
        yield f"- enforced: {', '.join(check.enforced)}\n"


def _changes(applied: Applied) -> Iterator[str]:
    yield "\n## Applied\n\n"
    for path, code, row, why in applied.fixed:
        yield f"- {code_span(f'{path}:{row}')} {code}: {_text(why)}\n"
    for path, code, row, why in applied.left:
        yield f"- left as it is: {code_span(f'{path}:{row}')} {code}: {_text(why)}\n"
    if not applied.fixed and not applied.left:
        yield "Nothing.\n"


def _text(text: str) -> str:
    return prose(" ".join(text.split()))
