"""What a file imports and which words it has, told from bytes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ckpt_lint.project.imports import _IMPORT, _statements, imports, words_of
from tests.rules.harness import FIXTURES

PIECES = ["import", "from", " ", "\n", "\r\n", ".", "a", "b.c", "(", ")", ",", "#", ";", "as", "*", "\t", "\\", "x = 1", '"""']


@given(st.lists(st.sampled_from(PIECES), max_size=40))
@settings(max_examples=300, deadline=None)
def test_looking_for_the_word_first_finds_what_trying_every_line_finds(pieces: list[str]) -> None:
    data = "".join(pieces).encode()
    assert list(_statements(data)) == _IMPORT.findall(data)


def test_in_fixtures_too() -> None:
    found = 0
    for path in FIXTURES.rglob("*.py"):
        data = path.read_bytes()
        found += len(list(imports(data)))
        assert list(_statements(data)) == _IMPORT.findall(data)
    assert found > 300


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("load(x.y, é_1)", {"load", "x", "y", "é_1"}),
        ("f'{a!r}'\r\nb\tc", {"f", "a", "r", "b", "c"}),
        ("", set()),
    ],
)
def test_words(text: str, words: set[str]) -> None:
    assert words_of(text.encode()) == words


def test_bytes_that_are_no_text_have_words_all_the_same() -> None:
    assert {"load", "save"} <= words_of(b"load(\xff) save \xfe")
