from __future__ import annotations

import ast
import itertools

from hypothesis import given
from hypothesis import strategies as st

from ckpt_lint.edits import (
    add_keyword,
    compose,
    insert,
    insert_after,
    insert_before,
    wrap,
)
from ckpt_lint.model import Edit, Span
from tests.edits.sources import applied, fix_of, read

SMALL = st.builds(
    lambda start, length, text: Edit(Span(start, min(start + length, 12)), text),
    st.integers(0, 12),
    st.sampled_from([0, 0, 1, 2, 5]),
    st.sampled_from(["", "A", ", b", ", c", "\nd", "e\n", ")", "; f"]),
)
FIXES = st.lists(st.lists(SMALL, min_size=1, max_size=3).map(fix_of), max_size=6)


@given(FIXES, st.randoms(use_true_random=False))
def test_composition_is_atomic_and_knows_no_order(fixes, random):
    source = read("abcdefghijkl")
    chosen = compose(fixes)
    assert sorted((*chosen.taken, *chosen.waiting, *chosen.broken)) == list(range(len(fixes)))
    wanted = {edit for index in chosen.taken for edit in fixes[index].edits}
    assert set(chosen.edits) == wanted and len(chosen.edits) == len(wanted)
    text = source.edited(chosen.edits).text
    inserted = sum(len(edit.text) for edit in chosen.edits)
    removed = sum(edit.span.end - edit.span.start for edit in chosen.edits)
    assert len(text) == 12 + inserted - removed
    if set(chosen.broken) != set(range(len(fixes))):
        assert chosen.taken, "a round without progress"
    shuffled = list(fixes)
    random.shuffle(shuffled)
    again = compose(shuffled)
    assert source.edited(again.edits).text == text
    assert {shuffled[index].edits for index in again.taken} == {fixes[index].edits for index in chosen.taken}


@given(FIXES)
def test_rounds_of_compositions_come_to_an_end(fixes):
    left = fixes
    for _ in range(len(fixes) + 1):
        chosen = compose(left)
        left = [left[index] for index in chosen.waiting]
    assert left == []


@given(st.sets(st.sampled_from("abcdef"), min_size=1), st.booleans(), st.data())
def test_any_number_of_keywords_makes_one_call(names, trailing, data):
    text = data.draw(st.sampled_from(["f(p)", "f(\n  p\n)", "f(\n  p  # c\n)", "f(y for y in p)", "f(g(p))"]))
    text = text.replace("p", "p,", 1) if trailing and "for" not in text else text
    fixes = [fix_of(add_keyword(text, Span(0, len(text)), f"{name}=1")) for name in sorted(names)]
    fixes = data.draw(st.permutations(fixes))
    result = read(text).edited(compose(fixes).edits).text
    node = ast.parse(result, mode="eval").body
    assert [keyword.arg for keyword in node.keywords] == sorted(names) and len(node.args) == 1
    assert ("# c" in result) == ("# c" in text)


def test_ambiguous_neighbours_wait():
    wrapping, calling = fix_of(wrap(Span(2, 3), "d(", ")")), fix_of(insert(3, "()"))
    keyword = fix_of(add_keyword("f(m)", Span(0, 4), "a=1"))
    for fixes in itertools.permutations([wrapping, calling, keyword]):
        assert len(compose(fixes).taken) == 1
    assert compose([calling, calling]).taken == (0, 1)
    nested = fix_of([*insert(0, "("), *insert(9, ")")])
    assert compose([wrapping, nested]).taken == (0, 1)


def test_a_fix_whose_own_edits_overlap_is_broken():
    chosen = compose([fix_of([Edit(Span(0, 2), ""), Edit(Span(1, 3), "")]), fix_of(insert(0, "x"))])
    assert (chosen.taken, chosen.broken) == ((1,), (0,))


def test_lines_and_values_at_one_point_keep_apart():
    text = "m.state_dict()\n"
    edits = [*wrap(Span(0, 14), "copy.deepcopy(", ")"), *insert_before(text, Span(0, 14), "import copy")]
    edits += insert_after(text, Span(0, 14), "done()")
    assert applied(text, edits) == "import copy\ncopy.deepcopy(m.state_dict())\ndone()\n"
