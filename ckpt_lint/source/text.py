"""From the bytes of a file to its text: encodings, newlines, notebook cells, and places in them.

The text of a Python file is what its bytes decode to, newlines untouched and without the byte order mark. The text of
a notebook is the sources of its code cells, joined by `\\n`. Nothing here parses Python.
"""

from __future__ import annotations

import codecs
import itertools
import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ckpt_lint.model import Edit, Location, Problem, Span, Status
from ckpt_lint.source import notebook
from ckpt_lint.source.lines import LineTable
from ckpt_lint.source.magics import CellKind, Download, read_cell

MAX_FILE_SIZE = 1_000_000
"""Bytes of source code that are read at most, unless `max_size` says otherwise (`max-file-size` in the settings)."""

NOTEBOOK_FACTOR = 20
"""A notebook also holds outputs: its JSON may be this many times as large as the code in it."""

_COOKIE = re.compile(rb"^[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)")
_BLANK_OR_COMMENT = re.compile(rb"^[ \t\f]*(?:#.*)?$")
_LINE = re.compile(rb"[^\r\n]*(?:\r\n?|\n|$)")
_LONE_NEWLINE = re.compile(r"(?<!\r)\n")


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of the text that is parsed alone: a whole Python file, or a code cell.

    `module` is empty for the file's own module, and names the file that a `%%writefile x.py` cell writes. `code` is
    what to parse: as long as the text of `span`, with the same lines, and with magics replaced by harmless code.
    """

    span: Span
    module: str
    cell: int | None
    code: str


@dataclass(frozen=True, slots=True)
class Cell:
    """A code cell, or the whole of a Python file (`number` None). `number` counts all cells of a notebook from 1."""

    span: Span
    number: int | None


@dataclass(frozen=True, slots=True)
class Manifest:
    """The text of a manifest that a `%%writefile requirements.txt` cell writes. `name` is as the cell spells it."""

    name: str
    text: str
    cell: int


@dataclass(frozen=True, slots=True)
class Source:
    """The text of one input, and where its parts lie.

    `data` are the bytes that were read, `problems` what could not be read in it (single cells of a notebook).
    `encoding` is the codec's own name; `bom` says whether a byte order mark stood before the text.
    """

    path: str
    text: str
    parts: tuple[Part, ...]
    cells: tuple[Cell, ...]
    lines: LineTable = field(repr=False)
    data: bytes = field(repr=False)
    encoding: str = "utf-8"
    bom: bool = False
    downloads: tuple[Download, ...] = ()
    manifests: tuple[Manifest, ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def is_notebook(self) -> bool:
        """Whether the text is made of cells."""
        return is_notebook(self.path)

    def cell_at(self, offset: int) -> Cell:
        """The cell that `offset` lies in; the separator after a cell belongs to it."""
        starts = [cell.span.start for cell in self.cells]
        return self.cells[max(bisect_right(starts, offset) - 1, 0)]

    def location(self, offset: int) -> Location:
        """The place of a character as people count: in a notebook, rows count inside the cell."""
        row, column = self.lines.row(offset), self.lines.column(offset)
        if not self.is_notebook or not self.cells:
            return Location(row, column)
        cell = self.cell_at(offset)
        return Location(row - self.lines.row(cell.span.start) + 1, column, cell.number)

    def offset(self, row: int, column: int, *, cell: int | None = None) -> int:
        """The reverse of `location`. IndexError where there is no such row or cell."""
        first = 1
        if cell is not None:
            spans = [known.span for known in self.cells if known.number == cell]
            first = self.lines.row(spans[0].start)
        return self.lines.offset(row + first - 1, column)

    def edited(self, edits: Iterable[Edit]) -> Source:
        """This source with edits in it; a `\\n` that an edit brings becomes the newline that is used at that place.

        Insertions at one point stay in the order given. ValueError for edits that overlap, lie outside of the text, or
        reach over the border of a cell. `data` stays what was read.
        """
        ordered = sorted(edits, key=lambda edit: edit.span)
        for before, after in itertools.pairwise(ordered):
            if after.span.start < before.span.end:
                raise ValueError(f"edits overlap at {after.span}")
        by_cell: dict[int, list[Edit]] = {}
        for edit in ordered:
            by_cell.setdefault(self._cell_index(edit.span), []).append(edit)
        texts = [
            (cell.number, self._edited_cell(cell.span, by_cell.get(index, ()))) for index, cell in enumerate(self.cells)
        ]
        return _assemble(self.path, self.data, texts, encoding=self.encoding, bom=self.bom)

    def _cell_index(self, span: Span) -> int:
        for index, cell in enumerate(self.cells):
            if cell.span.start <= span.start and span.end <= cell.span.end:
                return index
        raise ValueError(f"an edit at {span} reaches over the border of a cell")

    def _edited_cell(self, span: Span, edits: Sequence[Edit]) -> str:
        pieces, done = [], span.start
        for edit in edits:
            pieces.append(self.text[done : edit.span.start])
            pieces.append(_LONE_NEWLINE.sub(self.lines.newline_near(edit.span.start), edit.text))
            done = edit.span.end
        return "".join([*pieces, self.text[done : span.end]])


def is_notebook(path: str) -> bool:
    """Whether a file of that name is read as a Jupyter notebook."""
    return path.lower().endswith(".ipynb")


def read_source(path: str, data: bytes, *, max_size: int = MAX_FILE_SIZE) -> Source | Problem:
    """Decode a Python file or a notebook. Limits: `max_size` bytes of code, `NOTEBOOK_FACTOR` times that of JSON."""
    if is_notebook(path):
        return _read_notebook(path, data, max_size)
    if len(data) > max_size:
        return _too_large("", len(data), max_size)
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return Problem(Status.BAD_ENCODING, "UTF-16 text; Python source is UTF-8 or says its encoding", Location(1, 1))
    if b"\0" in data:
        return Problem(Status.UNREADABLE, "binary file: it holds NUL bytes")
    encoding = _declared_encoding(data)
    if isinstance(encoding, Problem):
        return encoding
    bom = data.startswith(codecs.BOM_UTF8)
    text = _decode(data[len(codecs.BOM_UTF8) if bom else 0 :], encoding)
    if isinstance(text, Problem):
        return text
    return _assemble(path, data, [(None, text)], encoding=encoding, bom=bom)


def source_of_text(path: str, text: str, *, max_size: int = MAX_FILE_SIZE) -> Source | Problem:
    """A Python file whose text somebody else has decoded. Its bytes are not known: it is never written back."""
    data = text.encode("utf-8", "surrogatepass")
    if len(data) > max_size:
        return _too_large("", len(data), max_size)
    return _assemble(path, data, [(None, text)])


def _too_large(what: str, size: int, limit: int) -> Problem:
    return Problem(Status.TOO_LARGE, f"{what}{_size(size)}, over the limit of {_size(limit)} (max-file-size)")


def _size(count: int) -> str:
    return f"{count / 1e6:.4g} MB" if count >= 100_000 else f"{count} bytes"


def _declared_encoding(data: bytes) -> str | Problem:
    """The codec by PEP 263: the first two lines may say it, the second only under a blank line or a comment."""
    bom = data.startswith(codecs.BOM_UTF8)
    position = len(codecs.BOM_UTF8) if bom else 0
    for row in (1, 2):
        match = _LINE.match(data, position)
        line = match.group().rstrip(b"\r\n") if match else b""
        cookie = _COOKIE.match(line)
        if cookie:
            return _codec(cookie.group(1).decode("ascii", "replace"), bom=bom, place=Location(row, 1))
        if match is None or not _BLANK_OR_COMMENT.match(line):
            break
        position = match.end()
    return "utf-8"


def _codec(declared: str, *, bom: bool, place: Location) -> str | Problem:
    try:
        name = codecs.lookup(declared).name
        b" ".decode(declared)
    except (LookupError, ValueError):
        return Problem(Status.BAD_ENCODING, f"unknown encoding declared: {declared}", place)
    if bom and name != "utf-8":
        return Problem(Status.BAD_ENCODING, f"a UTF-8 byte order mark, but {declared} is declared", place)
    return name


def _decode(data: bytes, encoding: str) -> str | Problem:
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        row = LineTable(data[: error.start].decode("latin-1")).row(error.start)
        byte = data[error.start : error.start + 1].hex()
        return Problem(Status.BAD_ENCODING, f"byte 0x{byte} is not {encoding} text", Location(row, 1))
    except UnicodeError as error:
        return Problem(Status.BAD_ENCODING, f"not {encoding} text: {error}", Location(1, 1))
    if "\0" in text:
        return Problem(Status.UNREADABLE, "binary file: it holds NUL characters")
    return text


def _read_notebook(path: str, data: bytes, max_size: int) -> Source | Problem:
    if len(data) > max_size * NOTEBOOK_FACTOR:
        return _too_large("a notebook of ", len(data), max_size * NOTEBOOK_FACTOR)
    cells = notebook.code_cells(data)
    if isinstance(cells, Problem):
        return cells
    size = sum(len(cell.text) for cell in cells)
    if size > max_size:
        return _too_large("code cells of ", size, max_size)
    return _assemble(path, data, [(cell.number, cell.text) for cell in cells])


def _assemble(
    path: str, data: bytes, texts: Sequence[tuple[int | None, str]], *, encoding: str = "utf-8", bom: bool = False
) -> Source:
    text = "\n".join(text for _, text in texts)
    cells: list[Cell] = []
    parts: list[Part] = []
    downloads: list[Download] = []
    manifests: list[Manifest] = []
    problems: list[Problem] = []
    start = 0
    for number, cell_text in texts:
        span = Span(start, start + len(cell_text))
        start = span.end + 1
        cells.append(Cell(span, number))
        if number is None:
            parts.append(Part(span, "", None, cell_text))
            continue
        if not _parseable(cell_text):
            message = "the cell holds characters that no Python source can hold"
            problems.append(Problem(Status.SYNTAX_ERROR, message, Location(1, 1, number)))
            continue
        cell = read_cell(cell_text)
        downloads.extend(download.shifted(span.start) for download in cell.downloads)
        if cell.kind is CellKind.CODE:
            parts.append(Part(span, cell.module, number, cell.code))
        elif cell.kind is CellKind.MANIFEST:
            manifests.append(Manifest(cell.module, cell.code, number))
    return Source(
        path=path,
        text=text,
        parts=tuple(parts),
        cells=tuple(cells),
        lines=LineTable(text),
        data=data,
        encoding=encoding,
        bom=bom,
        downloads=tuple(downloads),
        manifests=tuple(manifests),
        problems=tuple(problems),
    )


def _parseable(text: str) -> bool:
    """No NUL, and no half of a surrogate pair, which JSON may spell but UTF-8 cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text
