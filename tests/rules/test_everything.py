"""What holds of all fixtures at once: the same answers whatever the circumstances, and fixes that lose nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from ckpt_lint.edits import ast_parses
from ckpt_lint.model import Outcome
from ckpt_lint.source import read as reading
from ckpt_lint.source import store
from ckpt_lint.source import tree as t
from ckpt_lint.source.encode import encode
from ckpt_lint.source.module import ModuleFacts
from ckpt_lint.source.read import Read, read_modules
from ckpt_lint.source.text import Source
from tests.rules.everything import answers, homes, laid_out
from tests.rules.harness import ALL_CODES, check_path, fix_path, source_of
from tests.rules.test_rules import SPEAKS_AFTER
from tests.rules.test_shapes import comments

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return laid_out(tmp_path_factory.mktemp("everything"))


@pytest.fixture(scope="module")
def expected(folder: Path) -> list[str]:
    """The answers of a process of its own."""
    process = started(folder, "0")
    lines = process.communicate()[0].splitlines()
    assert process.returncode == 0 and len(lines) > 1000
    return lines


def started(folder: Path, seed: str, *options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.rules.everything", str(folder), *options],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONIOENCODING": "utf-8"},
    )


def test_the_order_of_rules_and_the_seed_of_hashes_are_no_matter(folder: Path, expected: list[str]) -> None:
    process = started(folder, "1", "--reversed")
    assert process.communicate()[0].splitlines() == expected
    assert process.returncode == 0


def test_facts_that_were_on_disk_say_the_same(
    folder: Path, expected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every module is written as a table and read back before a rule sees it."""
    written: list[int] = []

    def stored(source: Source, path: str | None = None, *, slicing: bool = True, cache: object = None) -> Read:
        read = read_modules(source, path, slicing=slicing)
        return Read(tuple(_from_disk(module, written) for module in read.modules), read.problems, read.parsed)

    monkeypatch.setattr(reading, "read_modules", stored)
    assert list(answers(folder)) == expected
    assert len(written) >= sum(1 for _ in homes(folder))


def _from_disk(module: ModuleFacts, written: list[int]) -> ModuleFacts:
    data = store.encode(module.root)
    written.append(len(data))
    root = store.decode(data)
    assert isinstance(root, t.Module)
    return ModuleFacts(module.path, root, name=module.name, parsed=module.parsed)


def test_all_fixes_together_lose_nothing_and_bring_nothing(folder: Path) -> None:
    changed, wrong = 0, list[str]()
    for path, home in homes(folder):
        old, before = source_of(path), check_path(path, home, ALL_CODES)
        fixed, after = fix_path(path, home, ALL_CODES)
        changed += fixed.text != old.text
        losses = [*_losses(old, fixed), *_news(before, after), *_second_run(path, home, fixed)]
        if "CKP901" in {finding.code for finding in before.findings}:  # takes a comment away: that is what it is for
            losses = [loss for loss in losses if loss != LOST]
        wrong += [f"{path.relative_to(folder)}: {loss}" for loss in losses]
    assert not wrong and changed > 100


LOST = "a comment is lost"


def _losses(old: Source, fixed: Source) -> Iterator[str]:
    if ast_parses(old.text) and not ast_parses(fixed.text):
        yield "the fixed text does not parse"
    if comments(fixed.text) != comments(old.text):
        yield LOST


def _news(before: Outcome, after: Outcome) -> Iterator[str]:
    may_speak = {code for fixed in after.fixed for code in SPEAKS_AFTER.get(fixed, ())}
    more = Counter(f.code for f in after.findings) - Counter(f.code for f in before.findings)
    yield from (f"{code} is new" for code in more if code not in may_speak)
    yield from (problem.message for problem in after.problems)


def _second_run(path: Path, home: Path, fixed: Source) -> Iterator[str]:
    data, as_it_was = encode(fixed), path.read_bytes()
    assert isinstance(data, bytes)
    try:
        path.write_bytes(data)
        again, second = fix_path(path, home, ALL_CODES)
    finally:
        path.write_bytes(as_it_was)
    if again.text != fixed.text or second.fixed:
        yield f"a second run goes on fixing {dict(second.fixed)}"
