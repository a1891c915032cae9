"""What is open in the editor: texts as they are typed, and notebooks made of them.

pygls keeps documents too, but takes a form feed or a U+2028 for the end of a line, which the protocol does not: from
there on every change would land in the wrong place. So the texts are kept here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from ckpt_lint.server.positions import offset_of, position
from ckpt_lint.source.lines import LineTable

BOM = "\ufeff"
_PYTHON = ("python", "ipython")


@dataclass(frozen=True)
class Buffer:
    """The text of one open document, or of one cell. A change makes a new one."""

    uri: str
    text: str
    language: str
    version: int | None = None

    @cached_property
    def lines(self) -> LineTable:
        """Where the lines start."""
        return LineTable(self.text)

    @property
    def lead(self) -> int:
        """How many characters stand before what is checked: a byte order mark, which some editors send."""
        return 1 if self.text.startswith(BOM) else 0

    def position(self, offset: int, encoding: str) -> tuple[int, int]:
        """Line and character of an offset in what is checked."""
        return position(self.lines, offset + self.lead, encoding)

    def offset(self, line: int, character: int, encoding: str) -> int:
        """The offset, in what is checked, of a line and character."""
        return max(offset_of(self.lines, line, character, encoding) - self.lead, 0)


@dataclass(frozen=True)
class Change:
    """A text that replaces the one between two places, each a line and a character, or, with None, the whole."""

    text: str
    between: tuple[tuple[int, int], tuple[int, int]] | None = None


@dataclass(frozen=True)
class Subject:
    """What is checked at once: a document, or a notebook with its code cells by their number among all cells.

    `path` is absolute, None for what is no file (yet). `version` is the document's, or the notebook's.
    """

    uri: str
    path: str | None
    buffers: tuple[tuple[int | None, Buffer], ...]
    total: int | None = None

    @property
    def is_notebook(self) -> bool:
        """Whether it is made of cells."""
        return self.total is not None

    def buffer(self, cell: int | None) -> Buffer | None:
        """The text that a place in the cell `cell` (None: in the document) is in."""
        return next((buffer for number, buffer in self.buffers if number == cell), None)

    def cell_of(self, uri: str) -> int | None:
        """The number of the cell with that URI."""
        return next((number for number, buffer in self.buffers if buffer.uri == uri), None)

    @property
    def data(self) -> bytes:
        """The bytes of the file if it were saved now: of a notebook, what of them matters."""
        if not self.is_notebook:
            return self.buffers[0][1].text.encode("utf-8", "surrogatepass")
        cells = [{"cell_type": "markdown", "metadata": {}, "source": ""} for _ in range(self.total or 0)]
        for number, buffer in self.buffers:
            metadata = {} if buffer.language in _PYTHON else {"vscode": {"languageId": buffer.language}}
            cell = {"cell_type": "code", "metadata": metadata, "outputs": [], "source": buffer.text}
            cells[(number or 1) - 1] = cell
        book = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
        return json.dumps(book).encode()


@dataclass
class Documents:
    """The open documents, by their URI as the editor spells it."""

    encoding: str = "utf-16"
    texts: dict[str, Buffer] = field(default_factory=dict)
    notebooks: dict[str, tuple[str, ...]] = field(default_factory=dict)
    paths: dict[str, str | None] = field(default_factory=dict)
    _subjects: dict[str, Subject] = field(default_factory=dict)

    def open(self, buffer: Buffer, path: str | None) -> None:
        """Take a document in."""
        self.texts[buffer.uri] = buffer
        self.paths[buffer.uri] = path
        self._subjects.pop(buffer.uri, None)

    def open_notebook(self, uri: str, path: str | None, cells: Sequence[str], buffers: Iterable[Buffer]) -> None:
        """Take a notebook in: the URIs of all its cells in their order, and the texts of those that have one."""
        self.paths[uri] = path
        for buffer in buffers:
            self.texts[buffer.uri] = buffer
        self.arrange(uri, cells)

    def arrange(self, uri: str, cells: Sequence[str]) -> None:
        """Set the cells of a notebook anew."""
        self.notebooks[uri] = tuple(cells)
        self._subjects.pop(uri, None)

    def close(self, uri: str) -> tuple[str, ...]:
        """Forget a document, or a notebook with its cells; the URIs of the texts that are gone."""
        gone = self.notebooks.pop(uri, (uri,))
        for one in gone:
            self.texts.pop(one, None)
        self.paths.pop(uri, None)
        self._subjects.pop(uri, None)
        return gone

    def change(self, uri: str, version: int | None, changes: Iterable[Change]) -> None:
        """Apply the changes of an open text one after the other. KeyError where it is not open."""
        buffer = self.texts[uri]
        for one in changes:
            buffer = replace(buffer, text=_changed(buffer, one, self.encoding), version=version)
        self.texts[uri] = replace(buffer, version=version)
        self._subjects.pop(self.key_of(uri) or uri, None)

    def key_of(self, uri: str) -> str | None:
        """The subject that a document or a cell belongs to."""
        if uri in self.paths:
            return uri
        return next((book for book, cells in self.notebooks.items() if uri in cells), None)

    def subject(self, key: str) -> Subject | None:
        """The document or notebook as it is now; the same object as long as it does not change."""
        if key not in self.paths:
            return None
        known = self._subjects.get(key)
        if known is None:
            known = self._subjects[key] = self._made(key)
        return known

    def is_current(self, subject: Subject) -> bool:
        """Whether nothing has changed since. This may be asked from another thread."""
        return self._subjects.get(subject.uri) is subject

    def subjects(self) -> Iterator[Subject]:
        """All that is open."""
        for key in tuple(self.paths):
            found = self.subject(key)
            if found is not None:
                yield found

    def overlay(self) -> Mapping[str, bytes]:
        """What the open files hold, by path."""
        return {subject.path: subject.data for subject in self.subjects() if subject.path is not None}

    def _made(self, key: str) -> Subject:
        if key not in self.notebooks:
            return Subject(key, self.paths[key], ((None, self.texts[key]),))
        cells = self.notebooks[key]
        known = tuple((number, self.texts[uri]) for number, uri in enumerate(cells, 1) if uri in self.texts)
        return Subject(key, self.paths[key], known, len(cells))


def _changed(buffer: Buffer, change: Change, encoding: str) -> str:
    if change.between is None:
        return change.text
    (line, character), (end_line, end_character) = change.between
    start = offset_of(buffer.lines, line, character, encoding)
    end = max(start, offset_of(buffer.lines, end_line, end_character, encoding))
    return buffer.text[:start] + change.text + buffer.text[end:]
