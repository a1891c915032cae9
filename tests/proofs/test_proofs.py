"""Every rule is proved under torch, by one worker; and none of the proofs holds when its fix does nothing."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

from ckpt_lint import rules
from ckpt_lint.verify.own_fix import fix_program
from ckpt_lint.verify.prove import FOLDER, Proof, ProofResult, ProofStatus, all_proofs, prove, run_proofs

from .catalogue import FILE_RULES, RULES
from .expected_fixes import EXPECTED_FIXES, expected_fix

PROOFS = all_proofs()
ALLOWED = {"torch", "numpy", "safetensors"} | sys.stdlib_module_names


def fix(code: str, text: str) -> str:
    """Our own fix, and for a rule that is not in the catalogue yet the one that it should have."""
    return fix_program(code, text) if any(rule.code == code for rule in rules.ALL) else expected_fix(code, text)


@pytest.fixture(scope="module")
def proved() -> dict[str, ProofResult]:
    return {result.code: result for result in prove((), sys.executable, fix=fix)}


@pytest.fixture(scope="module")
def unfixed() -> dict[str, ProofResult]:
    """The same proofs, with the bad program in the place of the right one."""
    return {result.code: result for result in run_proofs(PROOFS, {p.code: p.bad for p in PROOFS}, sys.executable)}


@pytest.mark.parametrize("proof", PROOFS, ids=lambda proof: proof.code)
def test_the_hazard_happens_and_is_gone_after_the_fix(proof: Proof, proved: dict[str, ProofResult]) -> None:
    result = proved[proof.code]
    if result.status is ProofStatus.NOT_APPLICABLE:
        pytest.skip(f"{proof.code} {proof.name}: {result.reason}")
    assert result.status is ProofStatus.PROVED, f"{result.reason}\nbefore: {result.before}\nafter: {result.after}"


@pytest.mark.parametrize("proof", PROOFS, ids=lambda proof: proof.code)
def test_a_fix_that_does_nothing_proves_nothing(proof: Proof, unfixed: dict[str, ProofResult]) -> None:
    result = unfixed[proof.code]
    if result.status is ProofStatus.NOT_APPLICABLE:
        pytest.skip(f"{proof.code} {proof.name}: {result.reason}")
    assert (result.status, result.reason) == (ProofStatus.FAILED, "the hazard is still there after the fix")


def test_every_rule_has_a_proof() -> None:
    assert {proof.code: proof.name for proof in PROOFS} == {**RULES, **FILE_RULES}


def test_nothing_is_left_out_on_the_pinned_torch(proved: dict[str, ProofResult]) -> None:
    versions = next(iter(proved.values())).versions
    if not versions["torch"].startswith("2.13") or not sys.platform.startswith("linux"):
        pytest.skip(f"another torch or system: {versions}")
    assert [code for code, result in proved.items() if result.status is not ProofStatus.PROVED] == []


def test_the_right_program_is_written_only_where_there_is_no_fix() -> None:
    assert {proof.code for proof in PROOFS if proof.good is None} == set(EXPECTED_FIXES)


def test_two_runs_see_the_same(proved: dict[str, ProofResult], unfixed: dict[str, ProofResult]) -> None:
    """Whether a proof runs among all of them or among a few."""
    codes = ("CKP106", "CKP201", "CKP203", "CKP205", "CKP303", "CKP405", "CKP415")
    few = prove(codes, sys.executable, fix=fix)
    assert [(proved[one.code].before, proved[one.code].after) for one in few] == [
        (two.before, two.after) for two in few
    ]
    assert [one.code for one in few] == list(codes)
    for code in ("CKP104", *codes):
        assert unfixed[code].before == proved[code].before == unfixed[code].after, code


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.py")), ids=lambda path: path.stem)
def test_a_proof_needs_only_the_standard_library_and_torch(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 9))
    for_types = [node for node in ast.walk(tree) if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)]
    inside = {id(child) for node in for_types for child in ast.walk(node)}
    for node in ast.walk(tree):
        if id(node) in inside:
            continue
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        assert {name.split(".")[0] for name in names} <= ALLOWED, path.name


def test_the_bad_programs_parse_and_differ_from_the_right_ones() -> None:
    for proof in PROOFS:
        right = proof.good if proof.good is not None else expected_fix(proof.code, proof.bad)
        compile(proof.bad, proof.name, "exec")
        compile(right, proof.name, "exec")
        assert right != proof.bad, proof.code
