"""Texts as they are typed, and places in them, against a second reading of the protocol."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ckpt_lint.server.documents import Buffer, Change, Documents

TEXTS = st.lists(st.sampled_from(["a", "\n", "\r", "\r\n", "\f", "\u2028", "é", "🎯"]), max_size=12).map("".join)
CODECS = {"utf-8": ("utf-8", 1), "utf-16": ("utf-16-le", 2), "utf-32": ("utf-32-le", 4)}


def place_of(text: str, line: int, character: int, encoding: str) -> int:
    """The offset by the letter of the protocol, where the place is one."""
    starts = [0, *(match.end() for match in re.finditer("\r\n|\r|\n", text))]
    start = starts[line]
    content = re.split("[\r\n]", text[start:], maxsplit=1)[0]
    codec, size = CODECS[encoding]
    return start + len(content.encode(codec)[: character * size].decode(codec, "ignore"))


@settings(max_examples=150, deadline=None)
@given(st.data(), TEXTS, st.sampled_from(sorted(CODECS)))
def test_changes_land_where_the_protocol_says(data: st.DataObject, text: str, encoding: str) -> None:
    documents = Documents(encoding)
    documents.open(Buffer("u", text, "python", 0), None)
    for version in range(1, 4):
        lines = len(re.findall("\r\n|\r|\n", text)) + 1
        places = sorted(data.draw(st.tuples(st.integers(0, lines - 1), st.integers(0, 9))) for _ in range(2))
        start, end = (place_of(text, *place, encoding) for place in places)
        new = data.draw(TEXTS)
        text = text[:start] + new + text[max(start, end) :]
        documents.change("u", version, [Change(new, (places[0], places[1]))])
        assert documents.texts["u"].text == text
        assert documents.texts["u"].version == version


@settings(max_examples=150, deadline=None)
@given(TEXTS, st.sampled_from(sorted(CODECS)))
def test_every_offset_has_a_place_and_comes_back(text: str, encoding: str) -> None:
    buffer = Buffer("u", text, "python")
    for offset in range(len(text) + 1):
        line, character = buffer.position(offset, encoding)
        if text[offset - 1 : offset + 1] != "\r\n" or not offset:
            assert buffer.offset(line, character, encoding) == offset
            assert place_of(text, line, character, encoding) == offset


@pytest.mark.parametrize(
    ("line", "character", "offset"),
    [(-1, 5, 0), (0, -1, 0), (0, 99, 2), (9, 0, 5), (1, 1, 3), (1, 2, 4), (1, 99, 5)],
)
def test_places_that_are_none_mean_the_nearest(line: int, character: int, offset: int) -> None:
    assert Buffer("u", "ab\n🎯c", "python").offset(line, character, "utf-16") == offset


def test_half_of_a_pair_is_counted() -> None:
    """JSON can spell one; no encoding of Python takes it."""
    buffer = Buffer("u", "\ud800x", "python")
    for encoding in CODECS:
        line, character = buffer.position(1, encoding)
        assert buffer.offset(line, character, encoding) == 1
