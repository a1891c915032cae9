"""The generated documentation: what the catalogue says, and nothing else."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from ckpt_lint import rule_table
from ckpt_lint.catalog import BEGIN, END, SITE_BEGIN, SITE_END, main, pages, table
from ckpt_lint.model import RuleInfo
from ckpt_lint.report.rule_page import rule_json, rule_page
from ckpt_lint.rules import ALL
from tests.cli.command import ckpt_lint
from tests.rule_values import RULES

ROOT = Path(__file__).parents[1]


def test_the_documentation_of_this_checkout_is_generated() -> None:
    assert main(["--check", "--root", str(ROOT)]) == 0


def test_check_finds_what_was_changed_added_or_forgotten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "README.md").write_text(f"# Title\n{BEGIN}\n{END}\nrest\n")
    (tmp_path / "zensical.toml").write_text(f"nav = [\n{SITE_BEGIN}{SITE_END}]\n")
    assert main(["--check", "--root", str(tmp_path)]) == 1
    assert main(["--root", str(tmp_path)]) == 0
    assert main(["--check", "--root", str(tmp_path)]) == 0
    assert (tmp_path / "README.md").read_text().endswith(f"{END}\nrest\n")
    assert '"CKP302 load-without-weights-only"' in (tmp_path / "zensical.toml").read_text()
    assert "## `torch-version`" in (tmp_path / "docs" / "reference" / "configuration.md").read_text()
    page = next((tmp_path / "docs" / "rules").glob("load-*.md"))
    page.write_text(page.read_text() + "more\n")
    (tmp_path / "docs" / "rules" / "gone.md").write_text("# a rule that is no more\n")
    assert main(["--check", "--root", str(tmp_path)]) == 1
    assert page.name in capsys.readouterr().out
    main(["--root", str(tmp_path)])
    assert not (tmp_path / "docs" / "rules" / "gone.md").exists()
    assert main(["--check", "--root", str(tmp_path)]) == 0


def test_the_rules_at_start_up_are_those_of_the_catalogue() -> None:
    assert rule_table.ALL == ALL
    assert [vars_of(rule) for rule in rule_table.ALL] == [vars_of(rule) for rule in ALL]


def vars_of(rule: RuleInfo) -> list[tuple[str, str]]:
    """What a rule says of itself, and of which type: "error" is equal to Severity.ERROR, but prints otherwise."""
    values = {field.name: getattr(rule, field.name) for field in dataclasses.fields(rule)}
    return [(name, repr(value)) for name, value in values.items()]


def test_the_table_has_one_row_a_rule() -> None:
    assert len(table(RULES, "").splitlines()) == len(RULES) + 2
    assert len(pages(RULES)) == len(RULES) + 1


def test_every_rule_is_in_the_table_of_proofs_and_shows_its_proof() -> None:
    rows = (ROOT / "docs" / "proofs" / "index.md").read_text().splitlines()
    told = [row.split("|")[1].strip() for row in rows if row.startswith("| [CKP")]
    proved = [rule for rule in ALL if not rule.code.startswith("CKP9")]  # about the tool itself: torch proves nothing
    assert told == [f"[{rule.code} {rule.name}](../rules/{rule.name}.md)" for rule in proved]
    assert rows[-1].startswith("Seen with python ") and "torch 2." in rows[-1]
    for rule in proved:
        page = (ROOT / "docs" / "rules" / f"{rule.name}.md").read_text()
        assert f"## Proof\n\n`ckpt-lint rule {rule.code} --prove` showed:" in page
        assert f"{rule.code} {rule.name}: proved\n  before  " in page


def test_curves_stand_where_people_would_rather_look() -> None:
    pictured = {path.stem for path in (ROOT / "docs" / "proofs").glob("*.svg")}
    assert {
        "missing-optimizer-state", "missing-scheduler-state", "missing-scaler-state", "state-dict-reference",
    } <= pictured  # fmt: skip
    for name in pictured:
        assert f"(../proofs/{name}.svg)" in (ROOT / "docs" / "rules" / f"{name}.md").read_text()


def test_rule_by_code_by_name_and_all(tmp_path: Path) -> None:
    by_code = ckpt_lint("rule", "CKP302", cwd=tmp_path)
    assert by_code.code == 0 and by_code.out.startswith("# load-without-weights-only (CKP302)\n")
    assert by_code == ckpt_lint("rule", "load-without-weights-only", cwd=tmp_path)
    everything = json.loads(ckpt_lint("rule", "--all", "--output-format", "json", cwd=tmp_path).out)
    assert everything == [rule_json(rule) for rule in ALL]
    assert json.loads(ckpt_lint("rule", "ckp302", "--output-format", "json", cwd=tmp_path).out)["code"] == "CKP302"
    assert ckpt_lint("rule", "--all", cwd=tmp_path).out == "\n".join(rule_page(rule) for rule in ALL)


def test_an_unknown_rule_names_the_near_one(tmp_path: Path) -> None:
    ran = ckpt_lint("rule", "load-without-weight-only", cwd=tmp_path)
    assert ran.code == 2 and "did you mean `load-without-weights-only`?" in ran.err
    assert ckpt_lint("rule", cwd=tmp_path).code == 2
