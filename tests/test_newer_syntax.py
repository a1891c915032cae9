"""Syntax that the running Python refuses and LibCST reads: it is checked, fixed, and held to LibCST where it is edited."""

from __future__ import annotations

import ast
from importlib.metadata import version
from pathlib import Path

import pytest

from ckpt_lint.edits import ast_parses, converge, insert
from ckpt_lint.model import Applicability, Finding, Fix, Location, Severity, Span
from ckpt_lint.source.parse import is_readable
from ckpt_lint.source.text import Source, source_of_text
from tests.cli.command import ckpt_lint

LOAD = "def restore(model, path):\n    model.load_state_dict(torch.load(path, weights_only=True))\n"
SINCE = {
    "a default of a type parameter, 3.13": (1, 4),
    "a template string, 3.14": (1, 8, 5),
    "exceptions without brackets, 3.14": (1, 8, 5),
}
"""The LibCST that reads it first, of those that are allowed."""

LIBCST = tuple(map(int, version("libcst").split(".")[:3]))
ALL = {
    "a type statement, 3.12": "type Weights = dict[str, int]\n",
    "type parameters, 3.12": "def first[T](items: list[T]) -> T:\n    return items[0]\n",
    "quotes inside of an f-string, 3.12": "x = f'{y['a']}'\n",
    "a default of a type parameter, 3.13": "def last[T = int](items: list[T]) -> T:\n    return items[-1]\n",
    "a template string, 3.14": "x = t'{y}'\n",
    "exceptions without brackets, 3.14": "try:\n    pass\nexcept OSError, ValueError:\n    pass\n",
}
NEWER = {name: syntax for name, syntax in ALL.items() if SINCE.get(name, (0,)) <= LIBCST or ast_parses(syntax)}
UNREAD = {name: syntax for name, syntax in ALL.items() if name not in NEWER}


@pytest.mark.parametrize("syntax", NEWER.values(), ids=NEWER)
def test_newer_syntax_is_checked_and_fixed(tmp_path: Path, syntax: str) -> None:
    text = f"import torch\n\n{syntax}\n\n{LOAD}"
    (tmp_path / "a.py").write_text(text)
    ran = ckpt_lint("check", "--fix", "--output-format", "concise", cwd=tmp_path)
    assert (ran.code, ran.out) == (0, "Found 1 finding (1 fixed, 0 remaining).\n")
    assert (tmp_path / "a.py").read_text() == text.replace("True))", 'True, map_location="cpu"))')
    assert ckpt_lint("check", "--diff", cwd=tmp_path).code == 0


def test_some_of_it_is_newer_than_any_python_that_runs_this() -> None:
    assert not ast_parses(ALL["a template string, 3.14"]) or hasattr(ast, "TemplateStr")
    assert {name for name, syntax in ALL.items() if is_readable(syntax)} == NEWER.keys()


def test_what_an_older_libcst_does_not_read_is_said_to_be_unchecked(tmp_path: Path) -> None:
    for number, syntax in enumerate(UNREAD.values()):
        (tmp_path / f"a{number}.py").write_text(f"import torch\n\n{syntax}\n\n{LOAD}")
    ran = ckpt_lint("check", "--fix", "--output-format", "concise", cwd=tmp_path)
    assert (ran.code, ran.out.count("invalid-syntax")) == (3 if UNREAD else 0, len(UNREAD))
    assert all("map_location" not in path.read_text() for path in tmp_path.iterdir())


@pytest.mark.parametrize("syntax", NEWER.values(), ids=NEWER)
def test_a_fix_that_breaks_newer_syntax_is_dropped(syntax: str) -> None:
    text = f"import torch\n\n{syntax}\n\n{LOAD}"
    end = text.index("weights_only")

    def findings(source: Source) -> list[Finding]:
        fix = Fix(Applicability.SAFE, "break it", insert(end, "(")) if source.text == text else None
        place = Location(1, 1)
        return [Finding("CKP999", "breaker", Severity.ERROR, "", "a.py", Span(0, 1), place, place, 1, fix=fix)]

    source = source_of_text("a.py", text)
    assert isinstance(source, Source)
    done = converge(source, findings, applicabilities={Applicability.SAFE}, parsers=(ast_parses, is_readable))
    assert done.source.text == text
    assert [problem.message for problem in done.problems] == ["the fix of CKP999 would break the code and was dropped"]
