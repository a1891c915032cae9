"""A small Python lexer: enough to tell code from strings and comments and to count brackets, on text as it stands.

`tokenize` needs whole, valid files and refuses newer syntax; this reads any stretch of text, never fails, and gives
offsets in characters. It does not look into f-strings: a quote that is nested in one of the same kind (Python 3.12)
ends the string here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

_TOKEN = re.compile(
    r"""(?P<space>[ \t\f]+)
    |(?P<comment>\#[^\r\n]*)
    |(?P<string>(?:[A-Za-z]{1,2}(?=["']))?
        (?:(?P<quote>\"{3}|'{3})(?:[^\\]|\\.)*?(?:(?P=quote)|\Z)
        |"(?:[^"\\\r\n]|\\(?:\r\n|.))*"? | '(?:[^'\\\r\n]|\\(?:\r\n|.))*'?))
    |(?P<continued>\\(?:\r\n?|\n))
    |(?P<newline>\r\n?|\n)
    |(?P<open>[(\[{])|(?P<close>[)\]}])
    |(?P<word>\w+)
    |(?P<mark>.)""",
    re.VERBOSE | re.DOTALL,
)
_BLANKS = frozenset({"space", "comment", "continued", "newline"})


class Token(NamedTuple):
    """A token and its offsets. Kinds: space, comment, string, continued, newline, open, close, word, mark.

    `depth` counts the brackets that were open before the token, from where the scan began.
    """

    kind: str
    start: int
    end: int
    text: str
    depth: int

    @property
    def is_code(self) -> bool:
        """Not a space, a newline, a comment or a continued line."""
        return self.kind not in _BLANKS


def tokens(text: str, start: int = 0, end: int | None = None) -> Iterator[Token]:
    """The tokens of `text[start:end]`; `start` must not lie in a string or a comment."""
    depth = 0
    for match in _TOKEN.finditer(text, start, len(text) if end is None else end):
        kind = "string" if match.lastgroup == "quote" else match.lastgroup or "mark"
        yield Token(kind, match.start(), match.end(), match.group(), depth)
        if kind == "open":
            depth += 1
        elif kind == "close":
            depth = max(depth - 1, 0)


def logical_line_end(text: str, start: int) -> int:
    """The offset after the newline that ends the logical line that begins at `start`, or the end of the text."""
    for token in tokens(text, start):
        if token.kind == "newline" and token.depth == 0:
            return token.end
    return len(text)


_FORMATTED = re.compile(r"(?:[fFtT][rR]?|[rR][fFtT])(\"{3}|'{3}|[\"'])")


def enclosing_quote(text: str, offset: int) -> str | None:
    """The quotes of the f-string that the character at `offset` is in; None where it is in none.

    Before Python 3.12 the code in an f-string must have neither its quote nor a backslash in it.
    """
    line = max(text.rfind("\n", 0, offset), text.rfind("\r", 0, offset)) + 1
    near = (match for match in _FORMATTED.finditer(text, 0, offset) if len(match[1]) == 3 or match.start() >= line)
    if next(near, None) is None:
        return None  # by far the most usual, and ten times as fast as reading all tokens
    for token in tokens(text):
        if token.end > offset:
            match = _FORMATTED.match(token.text) if token.start < offset and token.kind == "string" else None
            return match[1] if match else None
    return None
