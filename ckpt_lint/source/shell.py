"""Just enough of a shell's grammar to say what a `!` line of a notebook downloads, and where the words stand."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ckpt_lint.model import Span

_PIECE = re.compile(
    r"""(?P<space>(?:[ \t]|\\?(?:\r\n?|\n))+)
    |(?P<comment>\#[^\r\n]*)
    |(?P<between>;|\|\|?|&&|&(?=\s|\Z))
    |(?P<redirect>(?:(?<!\S)[0-9&])?>>?&?)
    |(?P<word>(?:"(?:[^"\\]|\\.)*"|'[^']*'|\\.|[^\s;|"'>\\&]|&(?![&\s]|\Z))+)
    |(?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
_QUOTED = re.compile(r""""((?:[^"\\]|\\.)*)"|'([^']*)'|\\(.)""", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Word:
    """A word with its quotes taken off; `span` is the word as it stands."""

    text: str
    span: Span


@dataclass(frozen=True, slots=True)
class Command:
    """One command of a line: its words, `sudo` and assignments before them left out, and where its output goes."""

    words: tuple[Word, ...]
    redirected: Word | None = None

    def option(self, short: str, long: str) -> Word | None:
        """The value of an option, spelled `-o x`, `-qo x`, `-ox`, `--output x` or `--output=x`."""
        cluster = re.compile(rf"-[A-Za-z]*?{short}(?P<value>.*)", re.DOTALL)
        for word, after in zip(self.words, (*self.words[1:], None)):
            if word.text == f"--{long}":
                return after
            if word.text.startswith(f"--{long}="):
                return Word(word.text[len(long) + 3 :], word.span)
            match = None if word.text.startswith("--") else cluster.fullmatch(word.text)
            if match is not None:
                return Word(match["value"], word.span) if match["value"] else after
        return None

    def has_flag(self, short: str, long: str) -> bool:
        """Whether a flag is given, alone or in a cluster of flags."""
        return any(re.fullmatch(rf"--{long}|-[A-Za-z]*{short}[A-Za-z]*", word.text) for word in self.words)


def commands(line: str, start: int = 0) -> Iterator[Command]:
    """The commands of a line from offset `start` on; a `#` word ends it."""
    words: list[Word] = []
    redirect: Word | None = None
    operator = ""
    for piece in _PIECE.finditer(line, start):
        if piece.lastgroup == "word":
            word = Word(_QUOTED.sub(lambda m: m[1] or m[2] or m[3] or "", piece.group()), Span(*piece.span()))
            if operator:
                redirect = word if operator in (">", ">>", "1>", "1>>") else redirect
                operator = ""
            elif words or not (word.text == "sudo" or re.match(r"\w+=", word.text)):
                words.append(word)
        elif piece.lastgroup == "redirect":
            operator = piece.group()
        elif piece.lastgroup in ("between", "comment"):
            if words:
                yield Command(tuple(words), redirect)
            words, redirect, operator = [], None, ""
            if piece.lastgroup == "comment":
                return
    if words:
        yield Command(tuple(words), redirect)
