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
from tests.rules.everything import Judged, judged, laid_out
from tests.rules.harness import ALL_CODES, fix_path, source_of
from tests.rules.test_rules import SPEAKS_AFTER
from tests.rules.test_shapes import comments

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return laid_out(tmp_path_factory.mktemp("everything"))


@pytest.fixture(scope="module")
def read_back(folder: Path) -> list[Judged]:
    """All fixtures judged here, while every module is written as a table and read back before a rule sees it."""
    written: list[int] = []

    def stored(source: Source, path: str | None = None, *, slicing: bool = True, cache: object = None) -> Read:
        read = read_modules(source, path, slicing=slicing)
        return Read(tuple(_from_disk(module, written) for module in read.modules), read.problems, read.parsed)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "read_modules", stored)
        out = list(judged(folder))
    assert len(written) >= len(out)
    return out


def test_the_order_of_rules_the_seed_of_hashes_and_facts_from_disk_are_no_matter(
    folder: Path, read_back: list[Judged]
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.rules.everything", str(folder), "--reversed"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONHASHSEED": "1", "PYTHONIOENCODING": "utf-8"},
    )
    lines = done.stdout.splitlines()
    assert len(lines) > 1000 and lines == [line for one in read_back for line in one.said(folder)]


def _from_disk(module: ModuleFacts, written: list[int]) -> ModuleFacts:
    data = store.encode(module.root)
    written.append(len(data))
    root = store.decode(data)
    assert isinstance(root, t.Module)
    return ModuleFacts(module.path, root, name=module.name, parsed=module.parsed)


def test_all_fixes_together_lose_nothing_and_bring_nothing(folder: Path, read_back: list[Judged]) -> None:
    changed, wrong = 0, list[str]()
    for one in read_back:
        old = source_of(one.path)
        changed += one.fixed.text != old.text
        losses = [*_losses(old, one.fixed), *_news(one.before, one.after), *_second_run(one.path, one.home, one.fixed)]
        if "CKP901" in {finding.code for finding in one.before.findings}:  # takes a comment away: it is for that
            losses = [loss for loss in losses if loss != LOST]
        wrong += [f"{one.path.relative_to(folder)}: {loss}" for loss in losses]
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
