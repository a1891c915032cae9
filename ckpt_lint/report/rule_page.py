"""The page of a rule, as Markdown and as JSON. The documentation is made of the same text."""

from __future__ import annotations

from typing import Any

from ckpt_lint.model import Applicability, RuleInfo
from ckpt_lint.report.look import url_of

_ABOUT_FILES = "CKP5"
"""Rules about files alone: their examples describe files."""

_FIX = {
    None: "There is no fix.",
    Applicability.SAFE: "A fix is sometimes available, and may be safe.",
    Applicability.UNSAFE: "An unsafe fix is sometimes available.",
    Applicability.DISPLAY: "A fix is sometimes shown, to be finished by hand.",
}


def rule_page(rule: RuleInfo) -> str:
    """Markdown that reads well in a terminal."""
    page = rule.page
    language = "text" if rule.code.startswith(_ABOUT_FILES) else "python"
    parts = [
        f"# {rule.name} ({rule.code})",
        f"{rule.severity.value.capitalize()}; {'on' if rule.on else 'off'} by default"
        f"{', in test files too' if rule.in_tests else ''}."
        + (f" Groups: {', '.join(f'`{group}`' for group in rule.groups)}." if rule.groups else ""),
        _FIX[rule.fix],
        f"## What it finds\n\n{page.summary.strip()}",
        f"## Why it matters\n\n{page.why.strip()}",
        f"## Example\n\n```{language}\n{page.bad.strip(chr(10))}\n```",
        f"Use instead:\n\n```{language}\n{page.good.strip(chr(10))}\n```",
    ]
    if page.silent:
        parts.append("## When it stays silent\n\n" + "\n".join(f"- {clause}" for clause in page.silent))
    if page.fix_safety:
        parts.append(f"## Fix safety\n\n{page.fix_safety.strip()}")
    if page.sources:
        parts.append("## Sources\n\n" + "\n".join(f"- {source}" for source in page.sources))
    return "\n\n".join(parts) + "\n"


def rule_json(rule: RuleInfo) -> dict[str, Any]:
    """The same as an object, with the keys of `ruff rule --output-format json` where ruff has them."""
    return {
        "name": rule.name,
        "code": rule.code,
        "linter": "ckpt-lint",
        "summary": rule.page.summary,
        "explanation": rule_page(rule),
        "fix": _FIX[rule.fix],
        "fix_availability": "None" if rule.fix is None else "Sometimes",
        "fix_applicability": None if rule.fix is None else rule.fix.value,
        "severity": rule.severity.value,
        "default": rule.on,
        "in_tests": rule.in_tests,
        "groups": list(rule.groups),
        "checkpoint_files": rule.artifact,
        "why": rule.page.why,
        "bad": rule.page.bad,
        "good": rule.page.good,
        "silent": list(rule.page.silent),
        "fix_safety": rule.page.fix_safety,
        "sources": list(rule.page.sources),
        "url": url_of(rule.name),
    }
