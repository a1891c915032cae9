"""Input shapes that every fixing rule is pushed through: one call, written in all the ways that Python knows.

`shapes("torch.load(path)")` yields files as bytes. Nothing is said here about what a rule finds in them; whatever it
does must keep encoding, newlines and comments, parse, and do nothing the second time. In every shape the names of the
prelude are bound, and the call stands there once, unless the shape's name says otherwise.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Shape:
    """A named input file. `data` are its bytes, `text` what they decode to, without a byte order mark."""

    name: str
    text: str
    data: bytes


STATEMENTS = {
    "plain": "x = CALL\n",
    "bare": "CALL\n",
    "comment behind": "x = CALL  # noted\n",
    "annotated": "x: object = CALL\n",
    "walrus": "if (x := CALL):\n    pass\n",
    "nested in a call": "print(str(CALL), end='')\n",
    "twice on a line": "x, y = CALL, CALL\n",
    "inside itself": "x = dict(a=CALL, b=[CALL])\n",
    "attribute of the result": "x = CALL.items().__len__()\n",
    "subscript of the result": "x = CALL['a'][0]\n",
    "parenthesised": "x = (\n    CALL\n)\n",
    "chained": "x = (\n    CALL\n    .items()  # and on\n)\n",
    "in a list": "x = [\n    CALL,  # first\n    1,\n]\n",
    "in a dict": "x = {'a': CALL, **{}}\n",
    "starred": "print(*CALL, **CALL)\n",
    "conditional": "x = CALL if y else None\n",
    "boolean": "x = y or CALL and y\n",
    "lambda": "x = lambda: CALL\n",
    "default argument": "def f(a=CALL, *, b: int = 1) -> None: ...\n",
    "comprehension": "x = [CALL for y in range(3) if y]\n",
    "generator": "x = sum(1 for y in CALL)\n",
    "decorator": "@print\n@str(CALL).join\ndef f():\n    pass\n",
    "class body": "class A:\n    a = CALL\n\n    def f(self): return CALL\n",
    "async": "async def f():\n    async with g(CALL) as h:\n        return await h(CALL)\n",
    "return": "def f():\n    return CALL\n",
    "yield": "def f():\n    x = yield CALL\n",
    "with": "with g(CALL) as x, g(y):\n    pass\n",
    "assert": "assert CALL, 'message'\n",
    "try": "try:\n    x = CALL\nexcept OSError: x = CALL\nfinally: pass\n",
    "deep": "for i in y:\n    while i:\n        with y:\n            if i:\n                x = CALL\n",
    "match": "match CALL:\n    case {'a': z}: x = CALL\n    case _: pass\n",
    "semicolons": "y = 1; x = CALL; z = 2\n",
    "semicolon at the end": "x = CALL;\n",
    "one-line if": "if y: x = CALL\nelse: x = CALL\n",
    "one-line loop": "for y in z: x = CALL; y = 1\n",
    "one-line def": "def f(): x = CALL; return x\n",
    "continuation": "x = \\\n    CALL\n",
    "continuation before": "if y: \\\n    x = CALL\n",
    "continued operator": "x = y + \\\n    CALL \\\n    + y\n",
    "f-string": "x = f'{CALL!r:>{10}} {{no}}'\n",
    "f-string in double quotes": 'x = f"{CALL}"\n',
    "f-string over lines": "x = f'''\n{CALL}\n'''\n",
    "print to file": "print(CALL, file=(y))\n",
    "docstring": '"""Doc."""\nfrom __future__ import annotations\n\nx = CALL\n',
    "comments around": "# before\nx = CALL  # behind\n# after\n",
    "type checking": "if TYPE_CHECKING:\n    import copy\nx = CALL\n",
    "tabs": "if y:\n\tif z:\n\t\tx = CALL\n",
    "form feed": "y = 1\n\f\nx = CALL\n",
    "form feed before code": "y = 1\n\fx = CALL\n",
    "no-break text": "x = ['\u00e9\U0001f600', CALL, '\u00e9']  # \u00fcber\n",
}
"""How `CALL` may stand in code."""

SPELLINGS = {
    "one a line": "FUNC(\n    ARGS_ON_LINES,\n)",
    "one a line, no trailing comma": "FUNC(\n    ARGS_ON_LINES\n)",
    "one a line, comments": "FUNC(\n    # before\n    ARGS_ON_LINES,  # behind\n    # after\n)",
    "one a line, comment, no trailing comma": "FUNC(\n    ARGS_ON_LINES  # behind\n)",
    "hanging": "FUNC(ARGS_ALIGNED)",
    "trailing comma": "FUNC(ARGS,)",
    "trailing comma and blanks": "FUNC( ARGS , )",
    "blanks": "FUNC ( ARGS )",
    "continuation inside": "FUNC(\\\n    ARGS)",
    "comment before the bracket": "FUNC(ARGS  # behind\n    )",
    "kwargs": "FUNC(ARGS, **kwargs)",
    "args": "FUNC(*(PLAIN,), KEYWORDS)",
    "generator": "FUNC(y for y in z)",
    "generator over lines": "FUNC(\n    y\n    for y in z  # each\n)",
    "lambda argument": "FUNC((lambda a, b=1: a)(ARGS))",
    "string with brackets": "FUNC(str(')' '#(') + ARGS)",
}
"""How the call itself may be spelled. `ARGS` are its arguments."""


def shapes(call: str, prelude: str = "import torch\n") -> Iterator[Shape]:
    """Every shape of `call`, a call expression on one line without comments."""
    for name, statement in STATEMENTS.items():
        quoted = call.replace('"', "'") if "'" not in statement[:7] else call.replace("'", '"')
        text = statement.replace("CALL", quoted)
        head, tail = ("", text) if not name.startswith("docstring") else text.split("\n\n")
        yield _shape(name, (head + "\n\n" if head else "") + prelude + tail)
    for name, spelling in SPELLINGS.items():
        yield _shape(f"call: {name}", prelude + f"x = {spelled(call, spelling)}\n")
        yield _shape(f"call in a block: {name}", prelude + _indented(f"x = {spelled(call, spelling)}\n"))
    yield from _files(prelude + f"def f(path):\n    x = {call}\n    return x\n")


def spelled(call: str, spelling: str) -> str:
    """`call` in one of the `SPELLINGS`."""
    tree = ast.parse(call, mode="eval").body
    assert isinstance(tree, ast.Call)
    function = ast.get_source_segment(call, tree.func) or ""
    arguments = [ast.get_source_segment(call, node) or "" for node in (*tree.args, *tree.keywords)]
    plain, keywords = arguments[: len(tree.args)], arguments[len(tree.args) :]
    spelling = spelling.replace("PLAIN", ", ".join(plain)).replace(", KEYWORDS", "".join(f", {k}" for k in keywords))
    for placeholder, separator in (("ARGS_ON_LINES", ",\n    "), ("ARGS_ALIGNED", ",\n         "), ("ARGS", ", ")):
        spelling = spelling.replace(placeholder, separator.join(arguments))
    return spelling.replace("FUNC", function)


def _files(text: str) -> Iterator[Shape]:
    crlf = text.replace("\n", "\r\n")
    yield Shape("byte order mark", text, b"\xef\xbb\xbf" + text.encode())
    yield Shape("byte order mark, CRLF", crlf, b"\xef\xbb\xbf" + crlf.encode())
    yield _shape("CRLF", crlf)
    yield _shape("CR", text.replace("\n", "\r"))
    yield _shape("mixed newlines", text.replace("\n", "\r\n", 2))
    yield _shape("no final newline", text[:-1])
    yield _shape("no final newline, CRLF", crlf[:-2])
    yield _shape("blank lines at the end", text + "\n \n\t\n")
    yield _shape("form feed first", "\f" + text)
    latin = f"# -*- coding: latin-1 -*-\n# \u00e9t\u00e9\n{text}y = '\u00df'\n"
    yield Shape("latin-1", latin, latin.encode("latin-1"))
    second = f"#!/usr/bin/python\n# vim: set fileencoding=cp1252 :\n{text}y = '\u20ac'\n"
    yield Shape("cp1252, second line", second, second.encode("cp1252"))


def _indented(text: str) -> str:
    return "if True:\n" + "".join(f"    {line}" for line in text.splitlines(keepends=True))


def _shape(name: str, text: str) -> Shape:
    return Shape(name, text, text.encode())
