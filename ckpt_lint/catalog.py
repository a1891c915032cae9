"""`python -m ckpt_lint.catalog`: what the documentation says of rules, configuration and command line, made from the code.

That is: the rule pages under docs/rules, the table in README.md, two pages under docs/reference, the navigation of the
rules in zensical.toml, and ckpt_lint/rules/table.json, which says at start-up what the rules are. A page ends with what
the proof of its rule showed, as `python -m ckpt_lint.verify.prove_docs` wrote it. With `--check` nothing is
written, and the exit code is 1 where a file is not what the catalogue says.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from ckpt_lint.model import RuleInfo
from ckpt_lint.reference import FIX, cell, commands_page, configuration_page, navigation, rules_page
from ckpt_lint.report.rule_page import rule_page
from ckpt_lint.rule_table import TABLE, dumped
from ckpt_lint.rules import ALL

BEGIN, END = "<!-- rules: begin -->", "<!-- rules: end -->"
SITE_BEGIN, SITE_END = "  # rules: begin\n", "  # rules: end\n"
PAGES, PROOFS, REFERENCE = Path("docs", "rules"), Path("docs", "proofs"), Path("docs", "reference")
README, SITE = Path("README.md"), Path("zensical.toml")


def main(argv: Sequence[str] | None = None) -> int:
    """Write, or check, the generated files of the checkout that the command is run in; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m ckpt_lint.catalog", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 where something would change")
    parser.add_argument("--root", type=Path, default=Path(), help="the checkout (default: the working folder)")
    arguments = parser.parse_args(argv)
    changes = dict(outdated(arguments.root, ALL))
    for path, text in changes.items():
        if arguments.check:
            print(f"{path}: not what the catalogue says; run `python -m ckpt_lint.catalog`")
        elif text is None:
            path.unlink()
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    return 1 if changes and arguments.check else 0


def outdated(root: Path, rules: Sequence[RuleInfo]) -> Iterator[tuple[Path, str | None]]:
    """The generated files that differ, with their new text; None for pages of rules that are no more."""
    wanted = {root / path: text for path, text in pages(rules, _shown(root, rules)).items()}
    wanted[root / REFERENCE / "configuration.md"] = configuration_page()
    wanted[root / REFERENCE / "commands.md"] = commands_page()
    readme, site = root / README, root / SITE
    wanted[root / TABLE] = dumped(rules)
    wanted[readme] = with_table(readme.read_text(encoding="utf-8"), rules)
    wanted[site] = with_navigation(site.read_text(encoding="utf-8"), rules)
    for path, text in wanted.items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            yield path, text
    for path in sorted((root / PAGES).glob("*.md")):
        if path not in wanted:
            yield path, None


def _shown(root: Path, rules: Sequence[RuleInfo]) -> Mapping[str, str]:
    """By code, the last section of a page: the output of the proof, and its picture where there is one."""
    found: dict[str, str] = {}
    for rule in rules:
        text, picture = root / PROOFS / f"{rule.name}.txt", root / PROOFS / f"{rule.name}.svg"
        if text.exists():
            output = text.read_text(encoding="utf-8")
            found[rule.code] = f"\n## Proof\n\n`ckpt-lint rule {rule.code} --prove` showed:\n\n```text\n{output}```\n"
            if picture.exists():
                found[rule.code] += f"\n![The curves of the two programs](../proofs/{picture.name})\n"
    return found


def pages(rules: Sequence[RuleInfo], shown: Mapping[str, str] = MappingProxyType({})) -> Mapping[Path, str]:
    """Every page by its path, and the index of them; `shown` is what the pages end with, by code."""
    found = {PAGES / f"{rule.name}.md": rule_page(rule) + shown.get(rule.code, "") for rule in rules}
    found[PAGES / "index.md"] = rules_page(rules)
    return found


def with_table(text: str, rules: Sequence[RuleInfo]) -> str:
    """README.md with the table between its two marks. ValueError where a mark is missing."""
    return _between(text, BEGIN, f"\n{table(rules, f'{PAGES.as_posix()}/')}", END)


def with_navigation(text: str, rules: Sequence[RuleInfo]) -> str:
    """zensical.toml with the rule pages between its two marks. ValueError where a mark is missing."""
    return _between(text, SITE_BEGIN, navigation(rules, PAGES.name), SITE_END)


def _between(text: str, begin: str, new: str, end: str) -> str:
    return text[: text.index(begin) + len(begin)] + new + text[text.index(end) :]


def table(rules: Sequence[RuleInfo], folder: str) -> str:
    """A Markdown table with one row a rule; links lead to the pages in `folder`."""
    rows = ["| code | name | severity | default | fix | finds |", "|---|---|---|---|---|---|"]
    for rule in rules:
        link = f"[{rule.name}]({folder}{rule.name}.md)"
        state = "on" if rule.on else "off"
        rows.append(f"| {rule.code} | {link} | {rule.severity.value} | {state} | {FIX[rule.fix]} | {cell(rule.page.summary)} |")
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    sys.exit(main())
