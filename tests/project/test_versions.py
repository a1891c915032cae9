"""Ranges of versions: their arithmetic, against the versions themselves."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from ckpt_lint.project.versions import ANY, VersionRange, conda_range, pip_range, poetry_range

GRID = [Version(f"{major}.{minor}.{patch}") for major, minor, patch in itertools.product((0, 1, 2), range(4), range(3))]
clauses = st.builds(
    lambda operator, version: f"{operator}{version}",
    st.sampled_from([">=", ">", "<=", "<", "=="]),
    st.sampled_from([str(version) for version in GRID]),
)
specifiers = st.lists(clauses, max_size=3).map(",".join)


def admitted(of: VersionRange) -> set[Version]:
    return {version for version in GRID if of.admits(version)}


def read(text: str) -> VersionRange:
    found = pip_range(text)
    assert found is not None
    return found


@given(specifiers)
def test_a_range_admits_what_packaging_admits(text: str) -> None:
    assert admitted(read(text)) == set(SpecifierSet(text).filter(GRID))


@given(specifiers, specifiers)
def test_an_intersection_admits_what_both_admit(one: str, other: str) -> None:
    assert admitted(read(one) & read(other)) == admitted(read(one)) & admitted(read(other))


@given(specifiers, specifiers)
def test_a_union_is_the_smallest_range_that_holds_both(one: str, other: str) -> None:
    first, second = read(one), read(other)
    if first.empty or second.empty:
        return
    both = first | second
    assert admitted(both) >= admitted(first) | admitted(second)
    assert both.lower in (first.lower, second.lower) and both.upper in (first.upper, second.upper)
    assert both == second | first


@given(specifiers)
def test_an_empty_range_admits_nothing_and_any_is_neutral(text: str) -> None:
    found = read(text)
    assert not (found.empty and admitted(found))
    assert (found & ANY, found | ANY) == (found, ANY)


@given(st.text(alphabet="0123456789.<>=!~^*|, abv+", max_size=20))
def test_no_text_breaks_the_readers(text: str) -> None:
    for reader in (pip_range, poetry_range, conda_range):
        found = reader(text)
        assert found is None or isinstance(str(found), str)
