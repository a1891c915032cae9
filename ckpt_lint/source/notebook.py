"""The code cells of a Jupyter notebook, and the places of their source strings in its JSON.

The formats are those of nbformat 4 (`cells`, `source`) and nbformat 3 (`worksheets`, `input`); a source is one string
or a list of strings that are joined.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ckpt_lint.model import Problem, Status


@dataclass(frozen=True, slots=True)
class CodeCell:
    """A code cell: its number from 1 among all cells, and its source."""

    number: int
    text: str


def code_cells(data: bytes) -> tuple[CodeCell, ...] | Problem:
    """The Python cells of a notebook in order; none where its kernel speaks another language."""
    document = _document(data)
    if isinstance(document, Problem):
        return document
    cells = _cells(document)
    if cells is None:
        return _bad("not a notebook: no list of cells")
    if _language(document.get("metadata")) not in ("", "python", "ipython"):
        return ()
    found = []
    for number, cell in enumerate(cells, 1):
        if not isinstance(cell, dict):
            return _bad(f"not a notebook: cell {number} is no object")
        if not _is_python_cell(cell):
            continue
        text = _joined(cell.get("source", cell.get("input", "")))
        if text is None:
            return _bad(f"cell {number}: its source is neither a string nor a list of strings")
        found.append(CodeCell(number, text))
    return tuple(found)


def _bad(message: str) -> Problem:
    return Problem(Status.BAD_NOTEBOOK, message)


def _document(data: bytes) -> dict[str, Any] | Problem:
    if not data.strip():
        return _bad("not a notebook: the file is empty")
    try:
        document = json.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        return _bad(f"not a notebook: no UTF-8 text (byte {error.start})")
    except json.JSONDecodeError as error:
        return _bad(f"not valid JSON: {error.msg} (line {error.lineno}, column {error.colno} of the file)")
    except RecursionError:
        return _bad("not a notebook: JSON nested too deeply")
    except ValueError as error:
        return _bad(f"not a notebook: {error}")
    return document if isinstance(document, dict) else _bad("not a notebook: the JSON is no object")


def _cells(document: dict[str, Any]) -> list[Any] | None:
    cells = document.get("cells")
    if isinstance(cells, list):
        return cells
    sheets = document.get("worksheets")
    if "cells" in document or not isinstance(sheets, list):
        return None
    found: list[Any] = []
    for sheet in sheets:
        if not isinstance(sheet, dict) or not isinstance(sheet.get("cells"), list):
            return None
        found.extend(sheet["cells"])
    return found


def _language(metadata: object) -> str:
    if not isinstance(metadata, dict):
        return ""
    for group, key in (("language_info", "name"), ("kernelspec", "language")):
        value = metadata.get(group)
        if isinstance(value, dict) and isinstance(value.get(key), str):
            return str(value[key]).lower()
    return ""


def _is_python_cell(cell: dict[str, Any]) -> bool:
    """A code cell, unless an editor or nbformat 3 says that it is in another language."""
    if cell.get("cell_type") != "code":
        return False
    metadata = cell.get("metadata")
    editor = metadata.get("vscode") if isinstance(metadata, dict) else None
    language = editor.get("languageId") if isinstance(editor, dict) else cell.get("language")
    return not isinstance(language, str) or language.lower() in ("", "python", "ipython")


def _joined(source: object) -> str | None:
    if isinstance(source, str):
        return source
    if isinstance(source, list) and all(isinstance(line, str) for line in source):
        return "".join(source)
    return None


@dataclass(frozen=True, slots=True)
class SourcePlace:
    """Where a cell's source stands in the JSON text: the value as a whole, and the strings in it, quotes included."""

    start: int
    end: int
    strings: tuple[tuple[int, int], ...]
    is_list: bool


_DECODER = json.JSONDecoder()


def source_places(text: str) -> dict[int, SourcePlace]:
    """By cell number, where the source of every code cell of a valid notebook stands in its JSON text."""
    places = {}
    for number, cell in enumerate(_cell_starts(text), 1):
        value = dict(_members(text, cell))
        found = value.get("source", value.get("input"))
        if found is not None:
            places[number] = _place(text, *found)
    return places


def _cell_starts(text: str) -> Iterator[int]:
    top = dict(_members(text, _skip(text, 1 if text.startswith("\ufeff") else 0)))
    if "cells" in top:
        yield from (start for start, _ in _items(text, top["cells"][0]))
        return
    for sheet, _ in _items(text, top["worksheets"][0]):
        cells = dict(_members(text, sheet))["cells"]
        yield from (start for start, _ in _items(text, cells[0]))


def _place(text: str, start: int, end: int) -> SourcePlace:
    if text[start] != "[":
        return SourcePlace(start, end, ((start, end),), is_list=False)
    return SourcePlace(start, end, tuple(_items(text, start)), is_list=True)


def _skip(text: str, position: int) -> int:
    while text[position] in " \t\n\r":
        position += 1
    return position


def _value_end(text: str, start: int) -> int:
    return _DECODER.raw_decode(text, start)[1]


def _members(text: str, start: int) -> Iterator[tuple[str, tuple[int, int]]]:
    """Key and value span of each member of the object that starts at `start`."""
    position = _skip(text, start + 1)
    while text[position] == '"':
        key, position = _DECODER.raw_decode(text, position)
        value = _skip(text, _skip(text, position) + 1)
        end = _value_end(text, value)
        yield key, (value, end)
        position = _skip(text, end)
        if text[position] == ",":
            position = _skip(text, position + 1)


def _items(text: str, start: int) -> Iterator[tuple[int, int]]:
    """The span of each item of the array that starts at `start`."""
    position = _skip(text, start + 1)
    while text[position] != "]":
        end = _value_end(text, position)
        yield position, end
        position = _skip(text, end)
        if text[position] == ",":
            position = _skip(text, position + 1)
