"""From an edited text back to the bytes of its file; what was not edited stays byte for byte."""

from __future__ import annotations

import codecs
import difflib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from ckpt_lint.model import Location, Problem, Span, Status
from ckpt_lint.source import notebook
from ckpt_lint.source.text import Source, read_source

_LINE = re.compile(r"[^\n]*\n|[^\n]+")
_ESCAPED_LINE = re.compile(r"(?:[^\\]|\\(?!n|u000[aA]).)*(?:\\(?:n|u000[aA])|\Z)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class _Line:
    """A source line as JSON spells it: what it says, its place in the file, quotes left out, and the string it is in."""

    text: str
    span: Span
    element: int


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
    ascii_only = text.isascii()
    known = _lines(text, place)
    spelled: list[tuple[int | None, str]] = []
    wanted = _LINE.findall(new)
    matcher = difflib.SequenceMatcher(None, [line.text for line in known], wanted, autojunk=False)
    for tag, first, last, start, end in matcher.get_opcodes():
        if tag == "equal":
            spelled += [(line.element, text[line.span.start : line.span.end]) for line in known[first:last]]
        else:
            spelled += [(None, json.dumps(line, ensure_ascii=ascii_only)[1:-1]) for line in wanted[start:end]]
    if not place.is_list:
        return '"' + "".join(line for _, line in spelled) + '"'
    one_each = [line.element for line in known] == list(range(len(place.strings)))
    strings = [line for _, line in spelled] if one_each else _grouped(spelled)
    return _new_list(text, place, [f'"{line}"' for line in strings])


def _grouped(spelled: Sequence[tuple[int | None, str]]) -> list[str]:
    """The strings of a list that does not hold one line each: new lines go into the string of the line before."""
    strings: list[str] = []
    current: int | None = None
    for element, line in spelled:
        if strings and (element is None or current is None or element == current):
            strings[-1] += line
        else:
            strings.append(line)
        current = current if element is None else element
    return strings


def _new_list(text: str, place: notebook.SourcePlace, strings: Sequence[str]) -> str:
    if not place.strings:
        return "[" + ", ".join(strings) + "]"
    first, last = place.strings[0], place.strings[-1]
    opening = text[place.start : first[0]]
    between = text[first[1] : place.strings[1][0]] if len(place.strings) > 1 else "," + (opening[1:] or " ")
    return opening + between.join(strings) + text[last[1] : place.end]


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
