"""IPython's additions to Python: which lines of a code cell are no code, what is parsed in their place, downloads.

A magic line is replaced by `pass`, padded with spaces, so that an indented block stays a block; what is assigned from
one (`x = !ls`) becomes the unbound name `_`, about which nothing is known. Lengths and line ends never change.
"""

from __future__ import annotations

import dataclasses
import enum
import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass

from ckpt_lint.model import Span
from ckpt_lint.source.scan import logical_line_end
from ckpt_lint.source.shell import Command, commands


class CellKind(enum.Enum):
    """What a cell is to us. `SKIPPED`: another language, or text for the eye."""

    CODE = "code"
    MANIFEST = "manifest"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Download:
    """A file fetched by a `!wget`, `!curl` or `!gdown` line.

    `target` is the path it is written to, as the line spells it (`{name}` and `$name` are not filled in), None where
    it does not say; `span` is the word that says it (else the
    URL's, else the program's), `line` the whole command line. `url` is empty where none is spelled.
    """

    program: str
    url: str
    target: str | None
    span: Span
    line: Span

    def shifted(self, by: int) -> Download:
        """The same, `by` characters further on."""
        span, line = self.span, self.line
        return dataclasses.replace(
            self, span=Span(span.start + by, span.end + by), line=Span(line.start + by, line.end + by)
        )


@dataclass(frozen=True, slots=True)
class CellCode:
    """A cell as it is to be read. `module` is the file that the cell writes, empty for the notebook's own module.

    `code` is as long as the cell; of a manifest it is the manifest's text.
    """

    kind: CellKind
    code: str
    module: str = ""
    downloads: tuple[Download, ...] = ()


_CELL_MAGIC = re.compile(r"(?:[ \t]*(?:\r\n?|\n))*%%(?P<name>\w+)[ \t]*(?P<words>[^\r\n]*)(?:\r\n?|\n|\Z)")
_TRANSPARENT = frozenset({"time", "timeit", "capture", "prun"})
_WRITERS = frozenset({"writefile", "file"})
_MANIFEST = re.compile(r"(?i)(?:[\w.-]*requirements[\w.-]*\.txt|environment[\w.-]*\.ya?ml|pyproject\.toml|setup\.cfg)")

# IPython takes these for `%pip install`; no Python begins so.
_INSTALL = r"(?:pip|conda|mamba)[ \t]+(?:un)?install[ \t]+[^\s=.,(\[:]"
_CANDIDATE = re.compile(rf"(?:\A|[\r\n])[ \t]*(?:[%!?]|{_INSTALL})|=[ \t]*[%!]|\?[ \t]*(?:#[^\r\n]*)?(?:[\r\n]|\Z)")
_REST = r"(?:\\(?:\r\n?|\n)|[^\r\n])*"
_MAGIC_LINE = re.compile(rf"[ \t]*(?P<magic>(?:[%!]|(?={_INSTALL})|\?{{1,2}}[ \t]*[%\w]){_REST})")
_HELP_LINE = re.compile(r"[ \t]*(?P<magic>%{0,2}[\w.*\[\]]*\?{1,2})[ \t]*(?:#[^\r\n]*)?(?=[\r\n]|\Z)")
_MAGIC_VALUE = re.compile(rf"[ \t]*[\w*(\[][\w \t.,*()\[\]'\"]*=[ \t]*(?P<magic>(?:!|%[ \t]*[A-Za-z_]){_REST})")


def read_cell(text: str) -> CellCode:
    """Tell code from magics in one code cell."""
    header = _CELL_MAGIC.match(text)
    if header is None:
        return _read_lines(text)
    name, body = header["name"], text[header.end() :]
    if name in _TRANSPARENT:
        return _shifted(read_cell(body), blank(header.group()))
    if name not in _WRITERS:
        return CellCode(CellKind.SKIPPED, blank(text))
    words = [word.text for command in commands(header["words"]) for word in command.words]
    target = words[-1] if words else ""
    if target.endswith((".py", ".pyw")):
        return CellCode(CellKind.CODE, blank(header.group()) + body, module=target)
    if _MANIFEST.fullmatch(posixpath.basename(target)):
        return CellCode(CellKind.MANIFEST, body, module=target)
    return CellCode(CellKind.SKIPPED, blank(text))


def blank(text: str) -> str:
    """Spaces for everything but line ends."""
    return re.sub(r"[^\r\n]", " ", text)


def _shifted(cell: CellCode, before: str) -> CellCode:
    code = cell.code if cell.kind is CellKind.MANIFEST else before + cell.code
    downloads = tuple(download.shifted(len(before)) for download in cell.downloads)
    return dataclasses.replace(cell, code=code, downloads=downloads)


def _read_lines(text: str) -> CellCode:
    if not _CANDIDATE.search(text):
        return CellCode(CellKind.CODE, text)
    pieces: list[str] = []
    downloads: list[Download] = []
    done = 0
    for start, end, is_value in _magics(text):
        magic = text[start:end]
        pieces.append(text[done:start] + _stand_in(magic, "_" if is_value else "pass"))
        if magic.startswith("!"):
            downloads.extend(download.shifted(start) for download in _downloads(magic))
        done = end
    return CellCode(CellKind.CODE, "".join([*pieces, text[done:]]), downloads=tuple(downloads))


def _stand_in(magic: str, code: str) -> str:
    """`code` in the place of `magic`; a bare `?` or `!ls` cut short by a continuation leaves room for a name only."""
    room = len(re.match(r"[^\r\n]*", magic).group())  # type: ignore[union-attr]  # it matches the empty string
    code = code if len(code) <= room else "_"
    return code + blank(magic[len(code) :])


def _magics(text: str) -> Iterator[tuple[int, int, bool]]:
    """Start and end of what is no Python at the start of a logical line, and whether it is an assigned value."""
    position = 0
    while position < len(text):
        value = _MAGIC_VALUE.match(text, position)
        match = value or _MAGIC_LINE.match(text, position) or _HELP_LINE.match(text, position)
        if match is not None:
            yield match.start("magic"), match.end("magic"), value is not None
            position = match.end()
        position = logical_line_end(text, position)


def _downloads(magic: str) -> Iterator[Download]:
    if "$(" in magic or "`" in magic:
        return  # what a command within the command prints cannot be known
    start = len(magic) - len(magic.lstrip("!"))
    for command in commands(magic, start):
        program = posixpath.basename(command.words[0].text)
        if program in ("wget", "curl", "gdown"):
            yield from _fetched(program, command, Span(0, len(magic)))


def _fetched(program: str, command: Command, line: Span) -> Iterator[Download]:
    words = command.words[1:]
    urls = [word for word in words if re.match(r"https?://|ftp://|www\.|[\"']?[$\{]", word.text)]
    directory = command.option("P", "directory-prefix") if program == "wget" else None
    output = command.option("o" if program == "curl" else "O", "output" if program != "wget" else "output-document")
    output = output or (command.redirected if program == "curl" else None)
    url = urls[0].text if urls else ""
    if output is not None:
        target = None if output.text == "-" or output.text.endswith("/") else output.text
        yield Download(program, url, target, output.span, line)
        return
    named = program == "wget" or (program == "curl" and command.has_flag("O", "remote-name"))
    for word in urls:
        name = posixpath.basename(re.sub(r"[?#].*", "", word.text)) if named and "{" not in word.text else ""
        target = posixpath.join(directory.text, name) if directory else name
        yield Download(program, word.text, target if name else None, word.span, line)
    if not urls:
        yield Download(program, "", None, command.words[0].span, line)
