"""The functions in which a method is called, told from a file's bytes: names only, rather too many than too few."""

from __future__ import annotations

import re

_DEF = re.compile(rb"^([ \t]*)(?:async[ \t]+)?def[ \t]+(\w+)")
_TEXTS = re.compile(
    rb"""#[^\n]*|\"\"\"(?:[^"\\]|\\.|"(?!\"\"))*\"\"\"|\'\'\'(?:[^'\\]|\\.|'(?!\'\'))*\'\'\'|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'""",
    re.DOTALL,
)


def without_texts(data: bytes) -> bytes:
    """The bytes of a file without its comments and strings, docstrings among them: what its code may name.

    An f-string may name something too: it stays, on one line.
    """
    return _TEXTS.sub(_left, data)


def _left(text: re.Match[bytes]) -> bytes:
    prefix = text.string[max(0, text.start() - 2) : text.start()]
    return text.group().replace(b"\n", b" ").replace(b"\r", b" ") if b"f" in prefix.lower() else b""


def functions_calling(data: bytes, method: bytes) -> frozenset[str]:
    """The functions around every `.method(` of a file, the outer ones too.

    Told by indentation: of the definitions above a line, those that no later one at their own depth or before it ends.
    """
    if method not in data:
        return frozenset()
    out: set[bytes] = set()
    around: list[tuple[int, bytes]] = []
    for line in without_texts(data).splitlines():
        definition = _DEF.match(line)
        if definition is not None:
            depth = len(definition[1].expandtabs())
            around = [*(one for one in around if one[0] < depth), (depth, definition[2])]
        if method in line:
            out.update(name for _, name in around)
    return frozenset(name.decode("ascii", "replace") for name in out)
