"""Suppression comments follow flake8's grammar, as the installed flake8 has it."""

from __future__ import annotations

import pytest
from flake8 import defaults
from flake8.violation import Violation

from ckpt_lint import suppress
from ckpt_lint.model import Finding, Location, Severity, Span
from ckpt_lint.suppress import codes_of, ignores_file


def finding(code: str = "CKP301", row: int = 1, noqa_row: int | None = None, cell: int | None = None) -> Finding:
    place = Location(row, 1, cell)
    return Finding(code, "name", Severity.ERROR, "message", "a.py", Span(0, 1), place, place, noqa_row or row)


def silenced(text: str, *findings: Finding) -> list[bool]:
    result = suppress.suppress(findings, {None: text})
    return [one in result.suppressed for one in findings]


def test_the_expressions_are_those_of_flake8() -> None:
    assert suppress.INLINE.pattern == defaults.NOQA_INLINE_REGEXP.pattern
    assert suppress.INLINE.flags == defaults.NOQA_INLINE_REGEXP.flags
    assert suppress.WHOLE_FILE.pattern == defaults.NOQA_FILE.pattern
    assert suppress.WHOLE_FILE.flags == defaults.NOQA_FILE.flags


LINES = [
    "x  # noqa",
    "x  # NOQA",
    "x  #noqa",
    "x  # noqa:CKP301",
    "x  # noqa: CKP301",
    "x  # noqa:  CKP301",
    "x  # noqa : CKP301",
    "x  # noqa: CKP3",
    "x  # noqa: CKP",
    "x  # noqa: C",
    "x  # noqa: CKP302",
    "x  # noqa: E501,CKP301",
    "x  # noqa: E501 CKP301",
    "x  # noqa: E501, CKP301 because",
    "x  # noqa: ckp301",
    "x  # noqa: because CKP301",
    "x  # type: ignore # noqa: CKP301",
    "x  # noqa-CKP301",
    "x = '# noqa'",
    "x",
]


@pytest.mark.parametrize("line", LINES)
def test_every_line_is_read_as_flake8_reads_it(line: str) -> None:
    theirs = Violation("CKP301", "a.py", 1, 1, "message", line).is_inline_ignored(False)
    assert silenced(line + "\n", finding()) == [theirs]


def test_a_comment_counts_on_the_first_line_of_the_call_and_on_the_line_of_the_finding() -> None:
    text = "x = load(  # noqa: CKP301\n    p,\n    y,  # noqa: CKP306\n)\n"
    assert silenced(text, finding(row=2, noqa_row=1), finding("CKP306", row=3, noqa_row=1)) == [True, True]
    assert silenced(text, finding("CKP306", row=2, noqa_row=1), finding(row=4)) == [False, False]


def test_the_lines_of_a_string_and_of_a_continuation_are_one() -> None:
    text = 'x = load("""\n""")  # noqa\ny = 1 + \\\n    load(p)  # noqa\nz = (\n  load(p)\n)  # noqa\n'
    assert silenced(text, finding(row=1), finding(row=3), finding(row=5)) == [True, True, False]


def test_text_without_tokens_falls_back_to_its_lines() -> None:
    text = "x = load(p)  # noqa\n%magic 'unbalanced\n  (\n"
    assert silenced(text, finding(row=1), finding(row=2)) == [True, False]


@pytest.mark.parametrize(
    "line", ["# flake8: noqa", "  # flake8: noqa", "# FLAKE8=NOQA", "x = 1  # flake8: noqa", "# flake8: noqa: CKP301"]
)
def test_a_file_is_passed_by_as_flake8_does(line: str) -> None:
    assert ignores_file(f"import torch\n{line}\n") == (defaults.NOQA_FILE.match(line) is not None)


def test_a_comment_in_one_cell_says_nothing_of_another() -> None:
    result = suppress.suppress([finding(cell=2), finding(cell=3)], {2: "x  # noqa\n", 3: "x\n"})
    assert [one.location.cell for one in result.kept] == [3]


def test_a_blanket_comment_names_no_codes() -> None:
    assert codes_of("x  # noqa") == ()
    assert codes_of("x  # noqa: A1,B2") == ("A1", "B2")
    assert codes_of("x") is None
