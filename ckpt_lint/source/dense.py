"""How long and how deep the expressions of a text are, told from its tokens alone.

LibCST dies of nesting that it is not kept from, and takes minutes for long chains. Where there is an `ast`, that says how
long they are; a text in newer syntax than the running Python, or a broken one, has none. And brackets in the pattern of a
`case`, each of which doubles the time that LibCST takes or makes it five times as long, leave no trace in the `ast`. This
counts rather too much than too little: of 6,000 files of PyTorch packages, none has a chain of more than 50, nor a pattern
deeper than 3.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_TOKEN = re.compile(
    r"""
      (?P<string>[rbuft]{0,2}(?:\"{3}(?:\\.|[^\\])*?(?:\"{3}|\Z) | '{3}(?:\\.|[^\\])*?(?:'{3}|\Z)
        | "(?:\\.|[^"\\\r\n])*"? | '(?:\\.|[^'\\\r\n])*'?))
    | \#[^\r\n]* | \\\r?\n
    | (?P<word>\w+)
    | (?P<open>[(\[{]) | (?P<close>[)\]}])
    | (?P<newline>\r?\n|\r) | (?P<end>[,;])
    | (?P<mark>[-+*/%|&^@~<>=!.:]+)
    """,
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)
_MATCH = re.compile(r"^[ \t]*match\b[^\r\n]*:[ \t]*(?:#[^\r\n]*)?\r?$", re.MULTILINE)
_CASE = re.compile(r"case\b[ \t]*(?![ \t=.,:)\]\r\n])")
_WORDS = frozenset({"and", "or", "not", "if", "else", "lambda", "await", "in", "is", "for"})


@dataclass
class Extent:
    """The longest chain of operators, calls, attributes and branches, the deepest brackets, and those of a `case`."""

    chain: int = 0
    depth: int = 0
    pattern: int = 0


@dataclass
class _Scan:
    """Where a scan stands: the links of the chain at each open bracket, and the `elif` in a row at each indent."""

    extent: Extent = field(default_factory=Extent)
    links: list[int] = field(default_factory=lambda: [0])
    branches: dict[int, int] = field(default_factory=dict)
    after: str = ""
    in_case: bool = False

    def link(self, count: int = 1) -> None:
        self.links[-1] += count
        self.extent.chain = max(self.extent.chain, self.links[-1])

    def open(self) -> None:
        if self.after in ("word", "close", "string"):
            self.link()
        self.links.append(0)
        self.extent.depth = max(self.extent.depth, len(self.links) - 1)
        if self.in_case:
            self.extent.pattern = max(self.extent.pattern, len(self.links) - 1)

    def close(self) -> None:
        if len(self.links) > 1:
            self.links.pop()

    def line(self, indent: int, word: str) -> None:
        """A logical line begins."""
        for deeper in [known for known in self.branches if known > indent]:
            del self.branches[deeper]
        self.branches[indent] = self.branches.get(indent, 0) + 1 if word == "elif" else 0
        self.extent.chain = max(self.extent.chain, self.branches[indent])

    def string(self, text: str) -> None:
        if self.after == "string":
            self.link()
        if "f" in text[:2].lower() or "t" in text[:2].lower():
            self._formatted(text)

    def _formatted(self, text: str) -> None:
        """What stands between the braces of an f-string counts as if it were one expression."""
        inside = "".join(part for piece in text.replace("{{", "").split("{")[1:] for part in piece.partition("}")[:1])
        self.link(
            sum(inside.count(mark) for mark in "+-*/%|&^@~<>.") + sum(inside.count(f"{word} ") for word in _WORDS)
        )
        depth = len(self.links) - 1 + max(text.count("{"), sum(inside.count(mark) for mark in "(["))
        self.extent.depth = max(self.extent.depth, depth if inside else 0)


def pattern_depth(code: str) -> int:
    """How deep the brackets in the patterns of a text are nested; 0 where it holds no `match`."""
    return extent_of(code).pattern if _MATCH.search(code) else 0


def extent_of(code: str) -> Extent:
    """How long and how deep the expressions of a text may be. Linear in its length."""
    scan = _Scan()
    fresh = True
    for match in _TOKEN.finditer(code):
        kind, text = match.lastgroup or "", match.group()
        if kind and fresh and kind != "newline" and len(scan.links) == 1:
            scan.line(_indent(code, match.start()), text)
            scan.in_case = text == "case" and _CASE.match(code, match.start()) is not None
            fresh = False
        if kind == "string":
            scan.string(text)
        elif kind == "open":
            scan.open()
        elif kind == "close":
            scan.close()
        elif kind == "mark":
            scan.link(len(text))
        elif kind == "word" and text in _WORDS:
            scan.link()
        elif kind == "end" or (kind == "newline" and len(scan.links) == 1):
            scan.links[-1] = 0
            fresh = fresh or kind == "newline"
        scan.after = kind or scan.after
    return scan.extent


def _indent(code: str, start: int) -> int:
    line = max(code.rfind("\n", 0, start), code.rfind("\r", 0, start)) + 1
    return start - line
