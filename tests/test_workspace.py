"""What a run keeps of its projects: as much as there is room for, and the answers do not depend on it."""

from __future__ import annotations

import gc
import os
import shutil
import weakref
from pathlib import Path

import pytest

from ckpt_lint import workspace
from ckpt_lint.config import Configs
from ckpt_lint.discover import discover
from ckpt_lint.model import Outcome
from ckpt_lint.rules import ALL
from ckpt_lint.run import Mode, run
from ckpt_lint.source import tree as t
from ckpt_lint.source.collector import collector_off
from ckpt_lint.source.module import ModuleFacts
from ckpt_lint.workspace import KnownProject

FIXTURES = Path(__file__).parents[1] / "fixtures"


def outcomes() -> list[Outcome]:
    configs = Configs(ALL, [])
    return [result.outcome for result in run(discover(["."], configs), configs, Mode(), jobs=1)]


@pytest.fixture
def two_projects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("one", "two"):
        shutil.copytree(FIXTURES / "projects" / "classifier", tmp_path / name)
        (tmp_path / name / "big.py").write_text("import torch\n" + "x = torch.load('a')\n" * 60)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("room", [1, 500, 1_000_000])
def test_what_is_dropped_is_read_again(two_projects: None, monkeypatch: pytest.MonkeyPatch, room: int) -> None:
    expected = outcomes()
    dropped: list[str] = []
    drop = KnownProject.drop

    def watched(self: KnownProject) -> None:
        dropped.append(Path(self.files.root).name)
        drop(self)

    monkeypatch.setattr(KnownProject, "drop", watched)
    monkeypatch.setattr(workspace, "MAX_NODES", room)
    assert outcomes() == expected and sum(len(one.findings) for one in expected) > 120
    assert set(dropped) == {1: {"one", "two"}, 1_000_000: set()}.get(room, set(dropped) | {"one"})


def test_a_project_that_is_left_makes_room_first(two_projects: None, monkeypatch: pytest.MonkeyPatch) -> None:
    dropped: list[str] = []
    monkeypatch.setattr(KnownProject, "drop", lambda self: (dropped.append(Path(self.files.root).name), self.files.drop()))
    monkeypatch.setattr(workspace, "MAX_NODES", 1_200)
    outcomes()
    assert dropped and dropped[0] == "one"


@pytest.fixture
def five_projects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(5):
        shutil.copytree(FIXTURES / "projects" / "classifier", tmp_path / f"p{number}")
    monkeypatch.chdir(tmp_path)


def test_what_is_let_go_of_is_freed_without_the_collector(five_projects: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Facts name one another: they are untied, for a collector that looks for them looks at all that lives."""
    monkeypatch.setattr(workspace, "gc", None)  # nobody asks it for anything, and while files are judged it is off
    made = [0]
    kept: list[weakref.ref[ModuleFacts]] = []
    init = ModuleFacts.__init__

    def watched(self: ModuleFacts, path: str, *rest: t.Module, **more: str) -> None:
        init(self, path, *rest, **more)
        made[0] += len(self.nodes)
        kept.extend([weakref.ref(self)] if f"{os.sep}p0{os.sep}" in path else [])

    monkeypatch.setattr(ModuleFacts, "__init__", watched)
    gc.collect()
    before = _nodes_alive()
    configs = Configs(ALL, [])
    results = run(discover(["."], configs), configs, Mode(), jobs=1)
    alive = [_nodes_alive() - before for result in results if "p4" in result.outcome.path]
    assert kept and all(one() is None for one in kept)
    assert made[0] > 5_000 and alive[-1] < (workspace.MAX_PROJECTS + 0.5) / 5 * made[0]


def _nodes_alive() -> int:
    return sum(isinstance(one, t.Node) for one in gc.get_objects())


@pytest.mark.parametrize(("left", "asked"), [(0, True), (1_000_000, False)])
def test_what_is_left_over_is_collected_once_it_is_much(
    five_projects: None, monkeypatch: pytest.MonkeyPatch, left: int, asked: bool
) -> None:
    seen: list[str] = []
    monkeypatch.setattr(workspace, "LEFT_OVER", left)
    with collector_off():
        gc.collect()
        gc.callbacks.append(watch := lambda phase, info: seen.append(phase))
        try:
            outcomes()
        finally:
            gc.callbacks.remove(watch)
    assert ("start" in seen) is asked
