"""Programs make the same calls before and after a safe fix, but for the change that the rule declares."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

from ckpt_lint import rules
from ckpt_lint.model import Applicability
from ckpt_lint.source.text import Source
from tests.rules.everything import homes, laid_out
from tests.rules.harness import check_path, fix_path, source_of
from tests.rules.stand_in import Call, calls_of

WORLDS = range(6)


@dataclasses.dataclass(frozen=True)
class Declared:
    """The change that a rule's safe fix may make to the calls of a program.

    `added` calls give what they are called on, so that what follows is the same; so do `ignored` results, which the
    program takes for the receiver. `keywords` come with just that value, or go (None). `renamed` are methods that one
    of them takes the place of.
    """

    added: frozenset[str] = frozenset()
    ignored: frozenset[str] = frozenset()
    keywords: tuple[tuple[str, str | None], ...] = ()
    renamed: frozenset[str] = frozenset()


DECLARED = {
    "CKP102": Declared(added=frozenset({"state_dict"})),
    "CKP106": Declared(added=frozenset({"deepcopy"})),
    "CKP112": Declared(added=frozenset({"clone"})),
    "CKP114": Declared(keywords=(("pickle_protocol", None),)),
    "CKP301": Declared(keywords=(("map_location", "'cpu'"),)),
    "CKP302": Declared(keywords=(("weights_only", "True"),)),
    "CKP401": Declared(ignored=frozenset({"load_state_dict"})),
    "CKP404": Declared(renamed=frozenset({"lstrip", "strip", "replace", "removeprefix"})),
    "CKP414": Declared(),  # `list(state)` is no call of anything but Python
}

SAFE = [r.code for r in rules.ALL if r.fix is Applicability.SAFE and r.code != "CKP901"]
"""The rules whose safe fixes change code; CKP901 takes comments away."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return laid_out(tmp_path_factory.mktemp("same_calls"))


@pytest.fixture(scope="module")
def places(folder: Path) -> dict[str, list[tuple[Path, Path]]]:
    """The files with a safe fix of each rule, and their projects."""
    found: dict[str, list[tuple[Path, Path]]] = {code: [] for code in SAFE}
    for path, home in homes(folder):
        outcome = check_path(path, home, frozenset(SAFE))
        fixes = {f.code for f in outcome.findings if f.fix and f.fix.applicability is Applicability.SAFE}
        for code in sorted(fixes):
            found[code].append((path, home))
    return found


def test_every_safe_rule_declares_its_change() -> None:
    assert sorted(DECLARED) == sorted(SAFE)


def program(source: Source) -> str:
    """The code of a source, magics of notebooks left out."""
    return "\n".join(part.code for part in source.parts)


@pytest.mark.parametrize("code", SAFE)
def test_a_safe_fix_changes_what_it_declares_and_no_other_call(
    code: str, places: dict[str, list[tuple[Path, Path]]]
) -> None:
    fixed_programs = declared = 0
    for path, home in places[code]:
        old = program(source_of(path))
        new = program(fix_path(path, home, frozenset({code}), unsafe=False)[0])
        fixed_programs += old != new
        for world in WORLDS:
            pair = [_calls(text, world, DECLARED[code]) for text in (old, new)]
            other, seen = compare(*pair, DECLARED[code])
            assert not other, f"{path.parent.name}/{path.name} in world {world}: {other}"
            declared += seen
    assert fixed_programs
    assert declared or code in ("CKP401", "CKP414"), "no program came to a call that the fix changes"


def _calls(text: str, world: int, change: Declared) -> list[Call]:
    return calls_of(text, world, transparent=change.added | change.ignored, renamed=change.renamed)


def compare(before: list[Call], after: list[Call], change: Declared) -> tuple[str, int]:
    """The first difference that is not declared, "" where there is none, and how many there are that are."""
    left, declared = list(before), 0
    for call in after:
        if left and left[0] == call:
            left.pop(0)
        elif left and _is_declared(left[0], call, change):
            left.pop(0)
            declared += 1
        elif call[0].rpartition(".")[2] in change.added:
            declared += 1
        else:
            return f"{left[0] if left else 'nothing'} became {call}", declared
    return (f"{left[0]} is gone" if left else ""), declared


def _is_declared(before: Call, after: Call, change: Declared) -> bool:
    (name, arguments, keywords), (new_name, new_arguments, new_keywords) = before, after
    if name != new_name:
        one, other = name.rpartition("."), new_name.rpartition(".")
        return one[:2] == other[:2] and {one[2], other[2]} <= change.renamed
    others = [[item for item in words if item[0] not in dict(change.keywords)] for words in (keywords, new_keywords)]
    wanted = [(key, value) for key, value in change.keywords if value is not None]
    if others[0] != others[1] or not change.keywords:
        return False
    if arguments == new_arguments:
        return all(item in new_keywords for item in wanted) and not any(
            key in dict(new_keywords) for key, value in change.keywords if value is None
        )
    return keywords == new_keywords and arguments[1:] == ("None",) and new_arguments[1:] == tuple(v for _, v in wanted)


PROGRAM = """\
import torch

def save(model, path):
    torch.save(model.state_dict(), path)

def load(model, path):
    model.load_state_dict(torch.load(path))
"""


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("torch.load(path)", "torch.load(path, map_location='cuda')", "map_location"),
        ("torch.load(path)", "torch.load(path, map_location='cpu', mmap=True)", "mmap"),
        ("torch.load(path)", "torch.load(model)", "load:model"),
        ("torch.save", "torch.saved", "torch.saved"),
        ("model.load_state_dict(torch.load(path))", "torch.load(path)", "became"),
        ("model.state_dict()", "model.state_dict().copy()", "copy"),
    ],
)
def test_any_other_change_is_seen(old: str, new: str, words: str) -> None:
    assert old in PROGRAM
    change = DECLARED["CKP301"]
    other, _ = compare(_calls(PROGRAM, 0, change), _calls(PROGRAM.replace(old, new), 0, change), change)
    assert words in other


def test_the_stand_in_goes_through_both_branches() -> None:
    text = "import torch\nif torch.cuda.is_available():\n    torch.load(a)\nelse:\n    torch.load(b)\n"
    seen = {call[1] for world in WORLDS for call in calls_of(text, world) if call[0] == "torch.load"}
    assert seen == {("a",), ("b",)}


def _names(text: str) -> Iterator[str]:
    return (call[0] for call in calls_of(text, 0))


def test_the_stand_in_calls_methods_functions_and_coroutines() -> None:
    text = (
        "import torch\nclass Net(torch.nn.Module):\n    def __init__(self, n):\n        super().__init__()\n"
        "    def forward(self, x):\n        return torch.relu(x)\n"
        "async def work(p):\n    return torch.load(p)\n"
        "def items(p):\n    yield torch.save(p)\n"
    )
    assert {"torch.relu", "torch.load", "torch.save"} <= set(_names(text))
