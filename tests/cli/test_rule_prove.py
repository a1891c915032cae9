"""`ckpt-lint rule CODE --prove`: the proof on the user's machine."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.command import ckpt_lint


def test_a_proof_that_holds_exits_with_0_and_shows_before_and_after(tmp_path: Path) -> None:
    ran = ckpt_lint("rule", "CKP404", "--prove", cwd=tmp_path)
    assert (ran.code, ran.err) == (0, "")
    assert "CKP404 fragile-prefix-strip: proved" in ran.out
    assert "before" in ran.out and "after" in ran.out and "torch 2." in ran.out


def test_the_same_as_json_by_name(tmp_path: Path) -> None:
    ran = ckpt_lint("rule", "fragile-prefix-strip", "--prove", "--output-format", "json", cwd=tmp_path)
    (proof,) = json.loads(ran.out)["proofs"]
    assert (ran.code, proof["code"], proof["status"]) == (0, "CKP404", "proved")
    assert proof["before"]["hazard"] and not proof["after"]["hazard"]


def test_an_interpreter_that_is_none_exits_with_3(tmp_path: Path) -> None:
    ran = ckpt_lint("rule", "CKP404", "--prove", "--python", str(tmp_path / "python"), cwd=tmp_path)
    assert ran.code == 3
    assert "unavailable" in ran.out


def test_a_rule_without_a_proof_is_a_usage_error(tmp_path: Path) -> None:
    ran = ckpt_lint("rule", "CKP000", "--prove", cwd=tmp_path)
    assert ran.code == 2
