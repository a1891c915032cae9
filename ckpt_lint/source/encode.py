"""From an edited text back to the bytes of its file; what was not edited stays byte for byte."""

from __future__ import annotations

import codecs
import difflib
import itertools
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from ckpt_lint.model import Location, Problem, Span, Status
from ckpt_lint.source import notebook
from ckpt_lint.source.text import Source, read_source

_LINE = re.compile(r"[^\n]*\n|[^\n]+")
_ESCAPED_LINE = re.compile(r"(?:[^\\]|\\(?!n|u000[aA]).)*(?:\\(?:n|u000[aA])|\Z)", re.DOTALL)

_MANY_LINES = 2000  # beyond, lines that come again and again are no anchors: comparing would take quadratic time
_ESCAPED_LETTER = re.compile(r"\\u(?!00[01])[0-9a-fA-F]")


@dataclass(frozen=True, slots=True)
class _Line:
    """A source line in JSON: what it says, its place in the file (quotes left out), and the string that it is in."""

    text: str
    span: Span
    element: int


@dataclass(frozen=True, slots=True)
class _Spelled:
    """A line to write, quotes left out; `element` is the old string that it was in, or is written in the place of."""

    json: str
    element: int | None


def encode(source: Source) -> bytes | Problem:
    """The bytes to write for `source`, which `Source.edited` made. Nothing is lost, or it is a `NOT_FIXED` Problem.

    A Python file keeps its encoding and byte order mark; text that its encoding cannot spell is refused. Of a
    notebook, only the source lines that changed are written anew.
    """
    if source.is_notebook:
        return _encode_notebook(source)
    mark = codecs.BOM_UTF8 if source.bom else b""
    if mark + source.data[len(mark) :].decode(source.encoding).encode(source.encoding) != source.data:
        return Problem(Status.NOT_FIXED, f"{source.encoding} text that cannot be written back as it was read")
    try:
        return mark + source.text.encode(source.encoding)
    except UnicodeEncodeError as error:
        letters = source.text[error.start : error.end]
        message = f"the fix needs {letters!r}, which {source.encoding} cannot spell"
        return Problem(Status.NOT_FIXED, message, source.location(error.start))


def _encode_notebook(source: Source) -> bytes | Problem:
    text = source.data.decode()
    places = notebook.source_places(text)
    pieces: list[str] = []
    done = 0
    for cell in source.cells:
        place = places.get(cell.number or 0)
        new = source.text[cell.span.start : cell.span.end]
        if place is None or _said(text, place) == new:
            continue
        pieces += [text[done : place.start], _new_value(text, place, new)]
        done = place.end
    result = "".join([*pieces, text[done:]]).encode()
    written = read_source(source.path, result, max_size=len(result) + 1)
    if isinstance(written, Problem) or written.text != source.text:
        return Problem(Status.NOT_FIXED, "the notebook's JSON could not be edited line by line", Location(1, 1))
    return result


def _said(text: str, place: notebook.SourcePlace) -> str:
    return "".join(json.loads(text[start:end], strict=False) for start, end in place.strings)


def _new_value(text: str, place: notebook.SourcePlace, new: str) -> str:
    """The JSON value of a cell's source: lines that are there already as they are spelled, others spelled anew."""
    ascii_only = text.lstrip("\ufeff").isascii() and bool(_ESCAPED_LETTER.search(text))
    known = _lines(text, place)
    spelled: list[_Spelled] = []
    wanted = _LINE.findall(new)
    matcher = difflib.SequenceMatcher(None, [line.text for line in known], wanted, autojunk=len(known) > _MANY_LINES)
    for tag, first, last, start, end in matcher.get_opcodes():
        old: Sequence[_Line | None] = known[first:last]
        for line, text_of_line in itertools.zip_longest(old, wanted[start:end]):
            if text_of_line is None:
                break
            same = text[line.span.start : line.span.end] if line and tag == "equal" else None
            anew = json.dumps(text_of_line, ensure_ascii=ascii_only)[1:-1]
            spelled.append(_Spelled(anew if same is None else same, line.element if line else None))
    if not place.is_list:
        return '"' + "".join(line.json for line in spelled) + '"'
    one_each = [line.element for line in known] == list(range(len(place.strings)))
    return _new_list(text, place, spelled if one_each else _grouped(spelled))


def _grouped(spelled: Sequence[_Spelled]) -> list[_Spelled]:
    """The strings of a list that does not hold one line each: new lines go into the string of the line before."""
    strings: list[_Spelled] = []
    for line in spelled:
        last = strings[-1] if strings else None
        if last and (line.element is None or last.element in (None, line.element)):
            strings[-1] = _Spelled(last.json + line.json, last.element if line.element is None else line.element)
        else:
            strings.append(line)
    return strings


def _new_list(text: str, place: notebook.SourcePlace, strings: Sequence[_Spelled]) -> str:
    """A list of strings, with what stood between the old ones."""
    if not place.strings:
        return "[" + ", ".join(f'"{string.json}"' for string in strings) + "]"
    opening, closing = text[place.start : place.strings[0][0]], text[place.strings[-1][1] : place.end]
    between = [text[before[1] : after[0]] for before, after in itertools.pairwise(place.strings)]
    usual = between[0] if between else "," + (opening[1:] or " ")
    pieces = [opening]
    for index, string in enumerate(strings):
        known = string.element is not None and string.element < len(between)
        follower = between[string.element or 0] if known else usual
        pieces.append(f'"{string.json}"' + (follower if index < len(strings) - 1 else ""))
    return "".join([*pieces, closing])


def _lines(text: str, place: notebook.SourcePlace) -> list[_Line]:
    """The source lines in the strings of `place`; a string may hold several, or a piece of one."""
    found = []
    for element, (start, end) in enumerate(place.strings):
        position = start + 1
        while position < end - 1:
            match = _ESCAPED_LINE.match(text, position, end - 1)
            stop = match.end() if match and match.end() > position else end - 1
            said = json.loads(f'"{text[position:stop]}"', strict=False)
            found.append(_Line(said, Span(position, stop), element))
            position = stop
    return found
