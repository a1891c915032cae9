"""Syntax facts against `ast`: the same structure, at the same places, for all of Python's syntax."""

from __future__ import annotations

import ast
import random
import sys
import time
from pathlib import Path

import pytest

from ckpt_lint.model import Status
from ckpt_lint.source import store
from ckpt_lint.source import tree as t
from ckpt_lint.source.parse import MAX_CHAIN, MAX_DEPTH, Unparsable, parse, parse_draft

SYNTAX = '''\
"""doc"""
import torch as th, os.path
from .. import sibling
from .pkg.mod import (a as b, c)
from torch import *
@decorator(1)
async def f(p, /, q: int = 1, *args, key=None, **kw) -> "T":
    global g
    x: int = 3
    y, (z, *w) = q, [1, *args]
    d = {"é": 1, **kw, 'ü': th.load(p, "cpu", *args, weights_only=True, **kw)}
    if a and b or not c:
        return lambda u, *v, k=2: u
    elif p := q:
        del x, y[0], z.w
    else:
        raise ValueError("no") from None
    for i, j in enumerate(x): print(i, sep="")
    else: pass
    while True: break
    async with open(p) as h, q: await h
    try:
        x += 1
    except (A, B) as e: continue_ = 1
    except Exception: ...
    else: x @= 2
    finally: assert x, "m"
    return a[1:2, ::3], a[0], [k for k in x if k for m in k], {k: v for k, v in d.items()}
class K(Base, metaclass=M):
    attr = -1 ** 2 + ~3
    def m(self): yield; yield 1; yield from self
s = "a" "b".join(rb"c".decode()) if 1 < 2 <= 3 != 4 else (not None) is not True
t = f"{x!r:>{w}}" f"z" 'é'
match s:
    case {"k": v, **rest} if v: pass
    case [1, *others] | K(x=2): pass
'''


def places(code: str) -> set[tuple[str, int, int]]:
    """Kind and offsets of the nodes that `ast` sees and we record too."""
    starts = [0]
    for line in code.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    lines = code.splitlines(keepends=True)

    def offset(line: int, column: int) -> int:
        return starts[line - 1] + len(lines[line - 1].encode()[:column].decode())

    kinds = {"Call", "Attribute", "Subscript", "Dict", "Lambda", "BinOp", "BoolOp", "Compare", "UnaryOp", "IfExp",
             "Assign", "AugAssign", "AnnAssign", "Return", "If", "For", "While", "With", "Try", "ClassDef",
             "FunctionDef", "AsyncFunctionDef", "AsyncFor", "AsyncWith", "Import", "ImportFrom", "Raise", "Assert",
             "Delete", "Match", "Await", "NamedExpr"}  # fmt: skip
    out = set()
    skipped: set[ast.AST] = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.JoinedStr) or node in skipped or isinstance(node, ast.pattern):
            skipped.update(ast.iter_child_nodes(node))
            continue
        name = type(node).__name__
        if name in kinds:
            place = (offset(node.lineno, node.col_offset), offset(node.end_lineno or 0, node.end_col_offset or 0))
            out.add((name.removeprefix("Async"), *place))
    return out


def recorded(code: str) -> set[tuple[str, int, int]]:
    root = parse(code, slicing=False).module
    out = set()
    for node in t.link(root):
        if any(isinstance(parent, t.JoinedStr) for parent in t.ancestors(node)):
            continue
        out.add((type(node).__name__, node.start, node.end))
    return out


def test_every_node_of_ast_is_recorded_at_its_place() -> None:
    assert places(SYNTAX) <= recorded(SYNTAX)


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_places_hold_for_every_newline(newline: str) -> None:
    code = SYNTAX.replace("\n", newline)
    root = parse(code, slicing=False).module
    calls = [n for n in t.link(root) if isinstance(n, t.Call) and isinstance(n.func, t.Attribute)]
    assert 'th.load(p, "cpu", *args, weights_only=True, **kw)' in {code[c.start : c.end] for c in calls}


def stdlib_sample() -> list[Path]:
    files = sorted(Path(ast.__file__).parent.glob("*.py"))
    return random.Random(7).sample(files, 25)


@pytest.mark.parametrize("path", stdlib_sample(), ids=lambda path: path.name)
def test_real_code_is_recorded_as_ast_sees_it(path: Path) -> None:
    code = path.read_text(encoding="utf-8", errors="surrogateescape")
    assert places(code) <= recorded(code)


def test_a_tree_comes_back_from_disk_as_it_was() -> None:
    root = parse(SYNTAX, slicing=False).module
    t.link(root)
    again = store.decode(store.encode(root))
    assert store.encode_linked(t.link(root)) == store.encode(root)
    t.link(again)
    assert repr(again) == repr(root)
    assert [n.index for n in t.walk(again)] == [n.index for n in t.walk(root)]


def truncated() -> bytes:
    root = parse("x = 1\n").module
    t.link(root)
    return store.encode(root)[:-3]


@pytest.mark.parametrize("data", [b"", b"rubbish", b"\x00" * 40, truncated()])
def test_a_damaged_table_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="table"):
        store.decode(data)


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("(" * 10_000 + ")" * 10_000, Status.TOO_DEEP),
        ("x = " + "+".join(["a"] * 600), Status.TOO_LARGE),
        ("x = a" + ".b" * 700, Status.TOO_LARGE),
        ("x = " + "-" * 5_000 + "1", Status.TOO_DEEP),
        ("print 'python 2'\n", Status.SYNTAX_ERROR),
        ("def f(:\n", Status.SYNTAX_ERROR),
    ],
)
def test_what_libcst_cannot_take_never_reaches_it(code: str, status: Status) -> None:
    with pytest.raises(Unparsable) as caught:
        parse(code)
    assert caught.value.problem.status is status


NEWER = "type X = int\n" if sys.version_info < (3, 12) else "newer = t''\n"
DENSE = {
    "and": "x = " + "a and " * 40_000 + "a",
    "not": "x = " + "not " * 40_000 + "a",
    "unary": "x = " + "-" * 40_000 + "1",
    "power": "x = " + "a ** " * 3_000 + "a",
    "plus": "x = " + "a + " * 40_000 + "a",
    "continued": "x = " + "a + \\\n" * 40_000 + "a",
    "attributes": "x = a" + ".b" * 40_000,
    "calls": "x = a" + ".b()" * 3_000,
    "subscripts": "x = a" + "[0]" * 3_000,
    "lambda": "x = " + "lambda: " * 3_000 + "1",
    "if": "x = " + "a if b else " * 3_000 + "1",
    "elif": "if x: pass\n" + "elif x: pass\n" * 8_000,
    "elif of a block": "if x:\n    pass\n" + "elif x:\n    # why\n    pass\n" * 8_000,
    "strings": "x = " + "'a' " * 40_000,
    "formatted": "x = f'{" + "[" * 3_000 + "]" * 3_000 + "}'",
    "formatted chain": "x = f'{" + "-" * 3_000 + "1}'",
    "brackets": "x = " + "[" * 3_000 + "]" * 3_000,
    "nested calls": "x = " + "f(a, " * 3_000 + "b" + ")" * 3_000,
}


@pytest.mark.parametrize("name", DENSE)
@pytest.mark.parametrize("broken", [NEWER, "x = = 1\n", ""])
def test_nor_where_python_does_not_know_the_syntax(name: str, broken: str) -> None:
    """`ast` says nothing of such a text, and LibCST would die of it, or take minutes."""
    started = time.monotonic()
    for code in (broken + DENSE[name] + "\n", DENSE[name] + "\n" + broken):
        with pytest.raises(Unparsable) as caught:
            parse(code)
        if broken != "x = = 1\n":
            assert caught.value.problem.status in (Status.TOO_DEEP, Status.TOO_LARGE, Status.SYNTAX_ERROR)
    assert time.monotonic() - started < 20


def test_what_is_not_closed_is_said_where_a_text_would_be_too_long() -> None:
    with pytest.raises(Unparsable, match="never closed"):
        parse("x = f(1\n" + "y = a + b\n" * 300)


def test_ordinary_text_in_newer_syntax_is_not_too_long() -> None:
    lines = "".join(
        f"x{i} = [-{i}, -{i}.5, a.b.c(d[{i}], *e), 'a' 'b', not f'{{g.h}} - . - . -']\n" for i in range(400)
    )
    branches = "".join(f"if a.b == {i}:\n    pass\nelif a:\n    pass\nelse:\n    pass\n" for i in range(400))
    for code in (lines, branches, "def f():\n" + "".join(f"    {line}\n" for line in branches.splitlines())):
        assert parse(NEWER + code, slicing=False).module.body


@pytest.mark.parametrize(
    "pattern", ["((((((y))))))", "[[[[[[y]]]]]]", "A(" * 6 + "y" + ")" * 6, "{1: " * 6 + "y" + "}" * 6]
)
@pytest.mark.parametrize("known", [True, False])
def test_patterns_that_take_libcst_minutes_never_reach_it(pattern: str, known: bool) -> None:
    head = ("" if known else NEWER) + "match x:\n    case "
    with pytest.raises(Unparsable) as caught:
        parse(head + pattern + ":\n        pass\n", slicing=False)
    assert caught.value.problem.status is Status.TOO_DEEP and "`case`" in caught.value.problem.message
    with pytest.raises(Unparsable, match="case"):
        parse_draft("match x:\n    case " + pattern + ":\n        torch.load(p)\n")
    assert parse(head + "((y)):\n        f(((((((y)))))))\n", slicing=False).module.body
    assert parse("case = ((((((y))))))\nmatch x:\n    case y:\n        pass\n", slicing=False).module.body


def test_a_text_that_libcst_does_not_give_back_is_not_read() -> None:
    """It takes a continued line for no indentation, and counts places in a text without the backslash."""
    code = "if a:\n    b\n    \\\r\n    state = {\n        'x': 1}\n"
    with pytest.raises(Unparsable) as caught:
        parse("def f():\n  " + code + NEWER)
    assert caught.value.problem.status is Status.SYNTAX_ERROR
    with pytest.raises(Unparsable, match=r"concatenate|invalid|cannot|mix"):
        parse("x = 'a' b'c'\n")


def test_an_endless_chain_never_reaches_it() -> None:
    """Python 3.10 reads it, and its length is refused; newer ones refuse its depth."""
    with pytest.raises(Unparsable) as caught:
        parse("x = " + "+".join(["a"] * 20_000))
    assert caught.value.problem.status in (Status.TOO_DEEP, Status.TOO_LARGE)


def test_a_chain_of_the_longest_allowed_length_is_read() -> None:
    code = "x = " + "+".join(["a"] * MAX_CHAIN) + "\n"
    assert parse(code).module.body


def test_brackets_of_the_deepest_nesting_allowed_are_read() -> None:
    assert parse("x = " + "[" * (MAX_DEPTH - 2) + "]" * (MAX_DEPTH - 2) + "\n").module.body
    with pytest.raises(Unparsable):
        parse("x = " + "[" * (MAX_DEPTH + 2) + "]" * (MAX_DEPTH + 2) + "\n")


def test_a_long_elif_chain_is_read() -> None:
    code = "if a: pass\n" + "".join(f"elif a == {i}: pass\n" for i in range(400))
    assert parse(code).module.body


def test_newer_syntax_than_the_running_python_is_read_with_places() -> None:
    code = "import torch\n" + NEWER + "type X = int\ndef f[T](p: T):\n    return torch.load(p)\n"
    with pytest.raises(SyntaxError):
        ast.parse(NEWER)
    root = parse(code).module
    calls = [code[n.start : n.end] for n in t.link(root) if isinstance(n, t.Call)]
    assert calls == ["torch.load(p)"]
