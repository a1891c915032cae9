"""The draft that `ast` gives is what LibCST says; where it is not, LibCST's word counts."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from ckpt_lint import engine
from ckpt_lint.model import Problem, Span
from ckpt_lint.settings import Settings
from ckpt_lint.source import store
from ckpt_lint.source import tree as t
from ckpt_lint.source.module import ModuleFacts
from ckpt_lint.source.parse import Unparsable, parse, parse_draft
from ckpt_lint.source.read import Read, confirmed, read_modules
from ckpt_lint.source.text import Source, source_of_text
from ckpt_lint.workspace import FileProject, Workspace
from tests.rules.harness import ALL_CODES, FIXTURES, settings_for
from tests.source.test_record import SYNTAX, stdlib_sample

FILES = sorted(FIXTURES.rglob("*.py"))
LOAD = "import torch\n\n\ndef restore(model, path):\n    model.load_state_dict(torch.load(path, weights_only=True))\n"

OPERATORS = ("+", "-", "*", "/", "//", "%", "**", "@", "&", "|", "^", "<<", ">>")
PIECES = {
    "f-strings, with escapes and neighbours": 'x = f"a\\n{y!r:>{w}}" "b" f"{{c}}" if f"" else f\'{z=}\'\n',
    "an f-string on several lines": 'x = f"""\n{y}\n{z.a[0]}"""\n',
    "tuples as indices": "x = a[1, 2], a[(1, 2)], a[1,], a[(1), 2], a[()], a[1:2, ...]\n",
    "brackets around everything": "x = ((a)) + (((b))(c))[(d)]\n",
    "columns are bytes in ast": "x = 'é€😀', torch.load('ü'), f'{ä}'\n",
    "bytes in a body that is not read": "import torch\n\n\ndef f(a):\n"
    + "    q = 1\n" * 30
    + "    return 'é' + é(a)\n\n\ntorch.load(p)\n",
    "stars everywhere": "f(*a, b, *c, d=1, **e, g=2)\nclass K(A, *B, metaclass=M, **kw): pass\n"
    "x = [*a, *b]\nfor i in *a, b: pass\n",
    "else: if is not elif": "if a:\n    b\nelse:\n    if c:\n        d\n    elif e:\n        f\n",
    "semicolons and one-liners": "if a: b; c\nclass K: x = 1; y: int\nwith a as b, (c) as (d, e): pass\n",
    "chains of operators": "x = a and b and (c and d) or not e\ny = a < b <= (c < d)\nz = a + b - (c + d) ** -e\n",
    "deep comprehensions": "x = {k: [m async for m in v if m if k] for k, v in (yield).items() for v in v}\n",
    "augmented by every operator": "".join(f"x {op}= 1\n" for op in OPERATORS),
}


def agree(code: str, *, base: int = 0) -> bool:
    drafted = parse_draft(code, base=base)
    assert drafted is not None
    return store.same(drafted, parse(code, base=base).module)


@pytest.mark.parametrize("code", [*PIECES.values(), SYNTAX, SYNTAX.replace("\n", "\r\n"), "", "\ufeff"[1:], "pass"])
def test_both_recorders_write_the_same(code: str) -> None:
    assert agree(code) and agree(code, base=17)


def test_both_recorders_write_the_same_of_every_fixture() -> None:
    assert len(FILES) > 300
    wrong = []
    for path in FILES:
        code = path.read_bytes().decode("utf-8", "replace")
        try:
            if not agree(code):
                wrong.append(path)
        except (Unparsable, AssertionError):  # fixtures of what cannot be parsed, or only by LibCST
            assert "fixtures/rules" in path.as_posix() and not _ast_takes(code), path
    assert not wrong


def _ast_takes(code: str) -> bool:
    try:
        compile(code, "x.py", "exec", flags=1024)
    except SyntaxError:
        return False
    return True


@pytest.mark.parametrize("path", stdlib_sample(), ids=lambda path: path.name)
def test_both_recorders_write_the_same_of_real_code(path: Path) -> None:
    assert agree(path.read_bytes().decode("utf-8", "surrogateescape"))


TWO = """\
import torch


def one(path):
    a = torch.load(path)
{pad}    return a


def two(path):
{pad}    return {**path}
"""
PADDED = TWO.replace("{pad}", "".join(f"    value_{n} = path + {n}\n" for n in range(40)))
EVERYWHERE = [Span(0, 10_000_000)]


def test_what_libcst_left_out_is_no_difference_and_what_it_read_is() -> None:
    place = PADDED.index("torch.load")
    part = parse(PADDED, at=[Span(place, place)])
    whole = parse(PADDED, slicing=False)
    assert part.size < 0.6 * whole.size
    assert store.alike(part.module, whole.module) and store.alike(whole.module, part.module)
    for old, new in (("value_7 =", "value_8 ="), ("+ 7", "+ 8"), ("(path)", "(pith)"), ("def two", "def twi"), ("a\n", "b\n")):
        assert not store.alike(part.module, parse(PADDED.replace(old, new), slicing=False).module), old
    other = PADDED.replace("**path", "path: path").ljust(len(PADDED))
    assert not store.alike(parse(other, slicing=False).module, whole.module)


def test_trees_that_differ_in_one_value_or_place_are_told_apart() -> None:
    tree = parse("x = 1\ny = f(a)\n").module
    for other in ("x = 2\ny = f(a)\n", "x = 1\ny =  f(a)\n", "x = 1\ny = f(b)\n", "x = 1\ny = f\n"):
        assert not store.same(tree, parse(other).module)


class Misread(FileProject):
    """A project whose draft is one of another text."""

    other = "x = 1\n"

    def read(self, source: Source) -> Read:
        """A draft that sees what is not there, or does not see what is."""
        text = source_of_text(self.path, self.other.ljust(len(source.text)), max_size=10_000)
        assert not isinstance(text, Problem)
        return read_modules(text, self.path)


def judged(text: str, other: str | None, tmp_path: Path) -> tuple[list[str], int]:
    path = tmp_path / "train.py"
    path.write_text(text)
    source = source_of_text(str(path), text, max_size=10_000)
    assert not isinstance(source, Problem)
    settings: Settings = settings_for(tmp_path, ALL_CODES)
    project = Workspace().project_of(source, settings)
    if other is not None:
        parts = [getattr(project, field.name) for field in dataclasses.fields(project)]
        project = type("Other", (Misread,), {"other": other})(*parts)
    outcome = engine.check(source, project=project, settings=settings)
    assert not outcome.problems
    return [finding.code for finding in outcome.findings], outcome.parsed


def test_libcst_reads_only_files_with_findings_and_has_the_last_word(tmp_path: Path) -> None:
    found, parsed = judged(LOAD, None, tmp_path)
    assert "CKP301" in found and parsed > 0
    harmless = LOAD.replace("torch.load", "torch.lead")
    assert judged(harmless, None, tmp_path) == ([], 0)
    wrong, parsed = judged(harmless, LOAD, tmp_path)  # the draft is wrong: what it saw is not reported
    assert wrong == [] and parsed > 0


def test_what_libcst_confirms_is_the_draft_itself(tmp_path: Path) -> None:
    source = source_of_text("a.py", LOAD, max_size=10_000)
    assert not isinstance(source, Problem)
    drafted = read_modules(source)
    assert drafted.is_draft and not drafted.parsed
    sure = confirmed(source, drafted, at=EVERYWHERE)
    assert sure.modules is drafted.modules and sure.parsed > 0 and not sure.is_draft
    wrong = Read((ModuleFacts("a.py", t.Module(0, 0, ())),), (), 0, is_draft=True)
    assert confirmed(source, wrong, at=EVERYWHERE).modules[0].nodes[0].end == len(LOAD)


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(
    "body", ["    x = [" + "1, " * 300 + "]{0}{0}    y = 2{0}", "    x = f(" + "1, " * 300 + "2{0}){0}"]
)
def test_what_is_not_read_keeps_its_lines_whatever_ends_them(body: str, newline: str) -> None:
    many = "".join(f"def plain_{number}():{newline}{body.format(newline)}" for number in range(3))
    dense = "y = " + " + ".join(["x"] * 200)
    code = f"import torch{newline}{many}{dense}{newline}m.load_state_dict(torch.load(path)){newline}"
    assert agree(code)
    assert parse(code).module.end == len(code)
    assert parse(code).module.body[-1].end == len(code) - len(newline)
