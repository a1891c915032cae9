"""Selectors mean what ruff's mean, but that an off rule needs to be named whole."""

from __future__ import annotations

import pytest

from ckpt_lint.select import Selection, UnknownSelector, find_rule, meant_by, resolve
from tests.rule_values import RULES

DEFAULT = {"CKP101", "CKP102", "CKP301", "CKP302"}
EVERY = {rule.code for rule in RULES}


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ([], DEFAULT),
        ([Selection(select=("CKP",))], DEFAULT),
        ([Selection(select=("CKP1",))], {"CKP101", "CKP102"}),
        ([Selection(select=("CKP105",))], {"CKP105"}),
        ([Selection(select=("non-atomic-save",))], {"CKP105"}),
        ([Selection(select=("ALL",))], EVERY),
        ([Selection(select=("torch26",))], {"CKP101", "CKP302"}),
        ([Selection(select=("distributed",))], set()),
        ([Selection(select=())], set()),
        ([Selection(extend_select=("CKP105",))], DEFAULT | {"CKP105"}),
        ([Selection(ignore=("CKP3",))], {"CKP101", "CKP102"}),
        ([Selection(select=("ALL",), ignore=("CKP1",))], EVERY - {"CKP101", "CKP102", "CKP105"}),
        ([Selection(select=("CKP301",), ignore=("CKP3",))], {"CKP301"}),
        ([Selection(select=("CKP3",), ignore=("CKP301",))], {"CKP302"}),
        ([Selection(select=("CKP3",), ignore=("CKP3",))], set()),
        ([Selection(select=("ALL",), ignore=("security",))], EVERY - {"CKP101", "CKP302"}),
        ([Selection(select=("CKP1",)), Selection(extend_select=("CKP301",))], {"CKP101", "CKP102", "CKP301"}),
        ([Selection(ignore=("CKP301",)), Selection(select=("CKP3",))], {"CKP301", "CKP302"}),
        ([Selection(select=("CKP3",)), Selection(ignore=("CKP",))], set()),
    ],
)
def test_layers(layers: list[Selection], expected: set[str]) -> None:
    assert resolve(RULES, layers) == expected


@pytest.mark.parametrize(
    ("selector", "hint"),
    [
        ("CKP999", "did you mean"),
        ("ckp301", "did you mean `CKP301`"),
        ("load-without-map-locaton", "did you mean `load-without-map-location`"),
        ("secuirty", "did you mean `security`"),
        ("E501", "unknown rule selector `E501`"),
        ("", "unknown rule selector"),
    ],
)
def test_an_unknown_selector_names_the_near_one(selector: str, hint: str) -> None:
    with pytest.raises(UnknownSelector, match=hint):
        resolve(RULES, [Selection(select=(selector,))])


def test_a_prefix_of_off_rules_says_that_they_need_a_full_code() -> None:
    with pytest.raises(UnknownSelector, match=r"off by default and need a full code \(CKP205, CKP206\)"):
        resolve(RULES, [Selection(select=("CKP2",))])


def test_ignoring_a_prefix_means_its_off_rules_too() -> None:
    assert meant_by(RULES, "CKP2") == {"CKP205", "CKP206"}


def test_a_rule_is_found_by_code_and_by_name() -> None:
    assert find_rule(RULES, "ckp302") is find_rule(RULES, "load-without-weights-only")
    with pytest.raises(UnknownSelector, match="did you mean `CKP302`"):
        find_rule(RULES, "CKP3022")
    with pytest.raises(UnknownSelector, match="`CKP30` names 2 rules, not one: CKP301, CKP302"):
        find_rule(RULES, "CKP30")
