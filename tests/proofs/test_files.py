"""The programs of the proofs about files write a file that has the finding, and the right ones a file that has none."""

from __future__ import annotations

from pathlib import Path

import pytest

from ckpt_lint import rules
from ckpt_lint.artifact import read_artifact
from ckpt_lint.artifact.deep import read_deep
from ckpt_lint.artifact.judge import findings
from ckpt_lint.verify.own_fix import check_program
from ckpt_lint.verify.prove import all_proofs

from .catalogue import FILE_RULES

PROOFS = {proof.code: proof for proof in all_proofs()}
DEFAULT = frozenset(rule.code for rule in rules.ALL if rule.on)


def codes(program: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The findings, those of rules that are on and of CKP5, of the file that a program leaves last."""
    folder.mkdir()
    monkeypatch.chdir(folder)
    exec(compile(program, "train.py", "exec"), {"__name__": "train"})
    path = next(path for name in ("model.pt", "last.pt") if (path := folder / name).exists())
    facts = read_artifact(path)
    found = {item.code for item in findings(facts, deep=read_deep(path, facts), siblings=[path.name])}
    return {code for code in found if code in DEFAULT or code.startswith("CKP5")}


@pytest.mark.parametrize("code", sorted(FILE_RULES))
def test_the_file_has_the_finding_and_no_other(code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    proof = PROOFS[code]
    assert proof.good is not None
    assert codes(proof.bad, tmp_path / "bad", monkeypatch) == {code}
    assert codes(proof.good, tmp_path / "good", monkeypatch) == set()
    assert not (tmp_path / "bad" / "canary").exists()


@pytest.mark.parametrize("code", sorted(FILE_RULES))
def test_the_right_program_is_silent_as_code(code: str) -> None:
    proof = PROOFS[code]
    assert proof.good is not None
    outcome = check_program(proof.good, DEFAULT)
    assert outcome.problems == () and [finding.code for finding in outcome.findings] == []
