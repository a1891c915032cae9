"""The bad program of a proof fires its rule and no other, and our own fix of it is the one written by hand."""

from __future__ import annotations

import ast

import pytest

from ckpt_lint import rules
from ckpt_lint.model import RuleInfo
from ckpt_lint.verify.own_fix import check_program, fix_program
from ckpt_lint.verify.prove import all_proofs

from .catalogue import RULES
from .expected_fixes import expected_fix

PROOFS = {proof.code: proof for proof in all_proofs()}
ABOUT_CODE = [rule for rule in rules.ALL if rule.code in RULES]
DEFAULT = frozenset(rule.code for rule in rules.ALL if rule.on)


def right_program(code: str) -> str:
    proof = PROOFS[code]
    return proof.good if proof.good is not None else expected_fix(code, proof.bad)


@pytest.mark.parametrize("rule", ABOUT_CODE, ids=lambda rule: rule.code)
def test_the_bad_program_fires_this_rule_and_no_other(rule: RuleInfo) -> None:
    outcome = check_program(PROOFS[rule.code].bad, DEFAULT | {rule.code})
    fired = {finding.code for finding in outcome.findings}
    assert outcome.problems == () and rule.code in fired
    assert fired <= {rule.code}


@pytest.mark.parametrize("rule", ABOUT_CODE, ids=lambda rule: rule.code)
def test_the_right_program_is_silent(rule: RuleInfo) -> None:
    outcome = check_program(right_program(rule.code), DEFAULT | {rule.code})
    assert outcome.problems == () and [finding.code for finding in outcome.findings] == []


@pytest.mark.parametrize("rule", ABOUT_CODE, ids=lambda rule: rule.code)
def test_our_fix_of_the_bad_program_is_the_expected_one(rule: RuleInfo) -> None:
    proof = PROOFS[rule.code]
    fixed = fix_program(rule.code, proof.bad)
    wanted = proof.bad if proof.good is not None else expected_fix(rule.code, proof.bad)
    assert ast.unparse(ast.parse(fixed)) == ast.unparse(ast.parse(wanted))


def test_the_names_are_those_of_the_catalogue() -> None:
    assert {rule.code: rule.name for rule in ABOUT_CODE} == {rule.code: RULES[rule.code] for rule in ABOUT_CODE}


def test_a_program_that_cannot_be_read_is_an_error() -> None:
    with pytest.raises(ValueError):
        fix_program("CKP301", "def broken(:\n")
