from __future__ import annotations

import ast
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ckpt_lint.model import Edit, Location, Problem, Span, Status
from ckpt_lint.source.encode import encode
from ckpt_lint.source.lines import LineTable
from ckpt_lint.source.text import Source, read_source
from tests.shapes import shapes

SHAPES = list(shapes("torch.load(path)"))


def read(data: bytes, path: str = "a.py") -> Source:
    source = read_source(path, data)
    assert isinstance(source, Source), source
    return source


def refused(data: bytes, path: str = "a.py", **options: int) -> Problem:
    problem = read_source(path, data, **options)
    assert isinstance(problem, Problem), problem
    assert "\n" not in problem.message
    return problem


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
def test_shapes_are_read_and_written_back_as_they_are(shape):
    source = read(shape.data)
    assert source.text == shape.text
    assert encode(source) == shape.data
    assert [(part.code, part.module, part.cell) for part in source.parts] == [(shape.text, "", None)]
    ast.parse(source.text)


def test_shape_names_are_unique():
    names = [shape.name for shape in SHAPES]
    assert len(names) == len(set(names)) > 80


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
def test_places_agree_with_the_parser(shape):
    source = read(shape.data)
    for node in ast.walk(ast.parse(source.text)):
        # Before 3.12 the parser does not know where the parts of an f-string stand.
        if isinstance(node, ast.Call) and not shape.name.startswith("f-string"):
            start = source.lines.offset_utf8(node.lineno, node.col_offset)
            end = source.lines.offset_utf8(node.end_lineno, node.end_col_offset)
            assert ast.dump(ast.parse(f"({source.text[start:end]}\n)", mode="eval").body) == ast.dump(node)
            assert source.location(start).row == node.lineno
            assert source.offset(node.lineno, source.location(start).column) == start


@given(st.text(alphabet="ab \r\n\f\x0b\x1c\u2028\u00e9\U0001f600", max_size=40))
def test_line_table(text):
    lines = LineTable(text)
    pieces = [text[start : lines.end(row)] for row, start in enumerate(lines.starts, 1)]
    assert "".join(pieces) == text
    for row, piece in enumerate(pieces, 1):
        assert piece.rstrip("\r\n") + lines.newline(row) == piece
        assert lines.content_end(row) == lines.starts[row - 1] + len(piece.rstrip("\r\n"))
        assert all(end in ("\n", "\r\n", "\r") for end in [lines.newline(row)] if row < len(pieces))
    for offset in range(len(text) + 1):
        assert lines.offset(lines.row(offset), lines.column(offset)) == offset
        row = lines.row(offset)
        bytes_before = len(text[lines.starts[row - 1] : offset].encode())
        assert lines.offset_utf8(row, bytes_before) == offset


@pytest.mark.parametrize("text", ["a\nb\n", "a\r\nb\r\n", "a\rb\r", "a\r\n\rb\n\n\r\nc"])
def test_rows_are_those_of_python(text):
    source = read(text.encode())
    rows = [(node.lineno, node.id) for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)]
    assert [(source.location(text.index(name)).row, name) for _, name in rows] == rows


@pytest.mark.parametrize(
    ("head", "encoding"),
    [
        ("# coding: latin-1\n", "iso8859-1"),
        ("# -*- coding: ISO-8859-15 -*-\n", "iso8859-15"),
        ("#!/usr/bin/python\r\n# vim: set fileencoding=cp1252 :\r\n", "cp1252"),
        ("\n# coding=latin-1\n", "iso8859-1"),
        (" \t\f# coding=latin-1\n", "iso8859-1"),
        ("x = 1\n# coding=latin-1\n", "utf-8"),
        ("\n\n# coding=latin-1\n", "utf-8"),
        ("# decoding nothing\n", "utf-8"),
    ],
)
def test_encoding_declarations(head, encoding):
    text = f"{head}x = '\u00e9'\n"
    source = read(text.encode(encoding))
    assert (source.text, source.encoding) == (text, encoding)
    assert encode(source) == text.encode(encoding)
    assert ast.dump(ast.parse(text.encode(encoding))) == ast.dump(ast.parse(text))


@pytest.mark.parametrize(
    ("data", "status", "row", "words"),
    [
        (b"# coding: klingon\n", Status.BAD_ENCODING, 1, "unknown encoding declared: klingon"),
        (b"\n# coding: rot13\n", Status.BAD_ENCODING, 2, "rot13"),
        (b"\xef\xbb\xbf# coding: latin-1\n", Status.BAD_ENCODING, 1, "byte order mark"),
        (b"x = 1\ny = '\xe9'\n", Status.BAD_ENCODING, 2, "0xe9 is not utf-8"),
        (b"# coding: ascii\r\r\nx = '\xc3\xa9'\n", Status.BAD_ENCODING, 3, "0xc3 is not ascii"),
        ("x = 1\n".encode("utf-16"), Status.BAD_ENCODING, 1, "UTF-16"),
        (b"\x7fELF\0\0", Status.UNREADABLE, None, "NUL"),
    ],
)
def test_what_is_no_text_is_a_problem(data, status, row, words):
    problem = refused(data)
    assert problem.status is status and words in problem.message
    assert problem.location == (Location(row, 1) if row else None)


def test_size_limit():
    assert refused(b"#" * 50_000_000) == Problem(Status.TOO_LARGE, "50 MB, over the limit of 1 MB (max-file-size)")
    assert refused(b"#" * 1_000_001).status is Status.TOO_LARGE
    assert "11 bytes, over the limit of 10 bytes" in refused(b"#" * 11, max_size=10).message
    assert read(b"#" * 1_000_000).text


def test_empty_file():
    source = read(b"")
    assert source.text == "" and source.location(0) == Location(1, 1)
    assert [part.code for part in source.parts] == [""]


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_inserted_newlines_are_those_of_the_place(newline):
    text = f"a{newline}b{newline}c"
    source = read(text.encode())
    for row, place in [(1, 1), (2, text.index("b")), (3, len(text))]:
        edited = source.edited([Edit(Span(place, place), "\n!")])
        assert edited.text == f"{text[:place]}{newline}!{text[place:]}", row


def test_mixed_newlines_are_kept():
    text = "a\r\nb\nc\r"
    edits = [Edit(Span(place, place), "x\ny") for place in (0, 3, 5)]
    assert read(text.encode()).edited(edits).text == "x\r\nya\r\nx\nyb\nx\ryc\r"


def test_edits_keep_their_order_at_one_point_and_overlaps_are_refused():
    source = read(b"abc")
    assert source.edited([Edit(Span(1, 1), "z"), Edit(Span(1, 1), "a"), Edit(Span(0, 1), "")]).text == "zabc"
    for one, two in itertools.permutations([Edit(Span(0, 2), ""), Edit(Span(1, 3), "")]):
        with pytest.raises(ValueError, match="overlap"):
            source.edited([one, two])
    with pytest.raises(ValueError, match="border"):
        source.edited([Edit(Span(2, 9), "")])


def test_a_fix_that_the_encoding_cannot_spell_is_refused():
    source = read("# coding: latin-1\nx = '\u00e9'\n".encode("latin-1"))
    edited = source.edited([Edit(Span(18, 18), "y = '\u20ac'\n")])
    problem = encode(edited)
    assert isinstance(problem, Problem) and problem.status is Status.NOT_FIXED
    assert "iso8859-1 cannot spell" in problem.message and problem.location == Location(2, 6)


def test_bytes_that_do_not_survive_decoding_are_never_written_back():
    # UTF-7 may spell one text in several ways.
    data = b"# coding: utf-7\nx = '+AGE-'\n"
    source = read(data)
    assert source.text.endswith("x = 'a'\n")
    assert isinstance(encode(source), Problem)
