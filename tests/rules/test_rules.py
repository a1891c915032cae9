"""Every rule against its page and its fixtures."""

from __future__ import annotations

from pathlib import Path

import pytest

from ckpt_lint import rules
from ckpt_lint.model import Applicability, RuleInfo
from tests.rules.harness import (
    ALL_CODES,
    DEFAULT_CODES,
    FIXTURES,
    check_path,
    check_text,
    copied,
    expectations,
    fix_path,
    found,
    source_of,
    without_expectations,
)

RULES = [rule for rule in rules.ALL if not rule.code.startswith("CKP5")]
IDS = [rule.code for rule in RULES]


def folder(rule: RuleInfo) -> Path:
    return FIXTURES / rule.name.replace("-", "_")


def codes_of(rule: RuleInfo) -> frozenset[str]:
    return DEFAULT_CODES | {rule.code}


@pytest.mark.parametrize("rule", RULES, ids=IDS)
def test_page_bad_fires_exactly_this_rule(rule: RuleInfo, tmp_path: Path) -> None:
    outcome = check_text(rule.page.bad, tmp_path, codes_of(rule))
    assert not outcome.problems
    assert {f.code for f in outcome.findings} == {rule.code}, [(f.code, f.message) for f in outcome.findings]


@pytest.mark.parametrize("rule", RULES, ids=IDS)
def test_page_good_is_silent(rule: RuleInfo, tmp_path: Path) -> None:
    outcome = check_text(rule.page.good, tmp_path, codes_of(rule))
    assert not outcome.problems
    assert not outcome.findings, [(f.code, f.location, f.message) for f in outcome.findings]


@pytest.mark.parametrize("rule", [r for r in RULES if r.fix], ids=[r.code for r in RULES if r.fix])
def test_fix_of_bad_is_good(rule: RuleInfo, tmp_path: Path) -> None:
    path = tmp_path / "train.py"
    path.write_text(rule.page.bad, encoding="utf-8")
    outcome = check_path(path, tmp_path, codes_of(rule))
    if all(f.fix is None or f.fix.applicability is Applicability.DISPLAY for f in outcome.findings):
        pytest.fail("the page's bad example has no fix")
    source, _ = fix_path(path, tmp_path, frozenset({rule.code}))
    assert source.text == rule.page.good


def fixture_files() -> list[Path]:
    out = []
    for place in sorted(FIXTURES.glob("*/*")):
        if place.is_dir():
            out.extend(sorted(p for p in place.rglob("*") if p.suffix in (".py", ".ipynb")))
        elif place.suffix in (".py", ".ipynb"):
            out.append(place)
    return [p for p in out if not p.name.endswith(".fixed.py")]


FILES = fixture_files()


@pytest.mark.parametrize("file", FILES, ids=[str(p.relative_to(FIXTURES)) for p in FILES])
def test_fixture_fires_where_it_says_and_nowhere_else(file: Path, tmp_path: Path) -> None:
    path, root, rule = _placed(file, tmp_path)
    outcome = check_path(path, root, codes_of(rule))
    assert not outcome.problems
    seen = found(outcome.findings)
    assert seen == expectations(source_of(path)), [(f.code, f.location, f.message) for f in outcome.findings]
    assert file.name.startswith("near_") is False or not seen


@pytest.mark.parametrize("rule", RULES, ids=IDS)
def test_every_rule_has_bad_and_near_miss_fixtures(rule: RuleInfo) -> None:
    names = [p.name for p in folder(rule).rglob("*") if p.is_file()]
    assert any(name.startswith("bad") for name in names), f"no bad fixture in {folder(rule)}"
    assert any(name.startswith("near_") for name in names), f"no near miss in {folder(rule)}"


FIXED = [p for p in FILES if p.with_suffix(".fixed.py").exists()]


@pytest.mark.parametrize("file", FIXED, ids=[str(p.relative_to(FIXTURES)) for p in FIXED])
def test_fix_gives_the_fixed_file_and_then_nothing(file: Path, tmp_path: Path) -> None:
    path, root, rule = _placed(file, tmp_path)
    path.write_text(without_expectations(path.read_text(encoding="utf-8")), encoding="utf-8")
    before = check_path(path, root, ALL_CODES)
    source, outcome = fix_path(path, root, frozenset({rule.code}))
    assert source.text == file.with_suffix(".fixed.py").read_text(encoding="utf-8")
    assert not outcome.problems
    path.write_text(source.text, encoding="utf-8")
    again, second = fix_path(path, root, frozenset({rule.code}))
    assert again.text == source.text and not second.fixed
    after = check_path(path, root, ALL_CODES)
    assert {f.code for f in after.findings} <= {f.code for f in before.findings} | SPEAKS_AFTER.get(rule.code, set())


SPEAKS_AFTER: dict[str, set[str]] = {
    "CKP101": {"CKP307"},  # the load that uses what it gets as a module is still there
    "CKP103": {"CKP107"},
    "CKP201": {"CKP205", "CKP206", "CKP408"},  # the state that is saved now has to be restored, too
    "CKP401": {"CKP403"},
    "CKP402": {"CKP309"},
}
"""Rules that may speak once a fix is in: weaker ones about the same argument, and what the fix makes visible."""


def _placed(file: Path, tmp_path: Path) -> tuple[Path, Path, RuleInfo]:
    place = file
    while place.parent.parent != FIXTURES:
        place = place.parent
    rule = next(r for r in rules.ALL if r.name.replace("-", "_") == place.parent.name)
    home = copied(place, tmp_path)
    if home.is_dir():
        if not (home / "pyproject.toml").exists():
            (home / "setup.cfg").write_text("", encoding="utf-8")
        return home / file.relative_to(place), home, rule
    return home, tmp_path, rule
