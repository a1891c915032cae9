"""Offsets of our texts, and the lines and characters of the language server protocol.

A line ends where Python's and the protocol's do: at `\\n`, `\\r\\n` and a lone `\\r`. How a character is counted the two
sides agree on: in UTF-16 code units, unless the editor prefers UTF-8 bytes or code points (UTF-32).
"""

from __future__ import annotations

from ckpt_lint.source.lines import LineTable

UTF8, UTF16, UTF32 = "utf-8", "utf-16", "utf-32"


def position(table: LineTable, offset: int, encoding: str) -> tuple[int, int]:
    """The line and character, both from 0, of an offset; one behind the end of the text is its end."""
    offset = min(max(offset, 0), len(table.text))
    line = table.row(offset) - 1
    return line, _units(table.text[table.starts[line] : offset], encoding)


def offset_of(table: LineTable, line: int, character: int, encoding: str) -> int:
    """The offset of a line and character: the end of the line, or of the text, where they lie behind it."""
    if line < 0 or line >= len(table.starts):
        return 0 if line < 0 else len(table.text)
    start, end = table.starts[line], table.content_end(line + 1)
    return start + _characters(table.text[start:end], character, encoding)


def _units(text: str, encoding: str) -> int:
    if encoding == UTF32 or text.isascii():
        return len(text)
    if encoding == UTF8:
        return len(text.encode("utf-8", "surrogatepass"))
    return len(text) + sum(character > "\uffff" for character in text)


def _characters(line: str, units: int, encoding: str) -> int:
    """How many characters of `line` the first `units` are; a place inside of a character is the one before it."""
    units = max(units, 0)
    if encoding == UTF32 or line.isascii():
        return min(units, len(line))
    spent = 0
    for index, character in enumerate(line):
        spent += _units(character, encoding)
        if spent > units:
            return index
    return len(line)
