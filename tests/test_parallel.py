"""Several processes say what one says, in the same order, and a process that dies costs at most the file it died on."""

from __future__ import annotations

import gc
import json
import os
import pickle
import signal
import subprocess
import sys
import time
import weakref
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

from ckpt_lint import parallel
from ckpt_lint.config import Configs
from ckpt_lint.discover import Target
from ckpt_lint.model import Outcome, Status
from ckpt_lint.rules import ALL
from ckpt_lint.run import PAYS_FROM, FileResult, Mode

NET = """\
import torch

from shared import write


def idle{n}(scale):
{pad}


def train{n}(model, path):
    write(model, path)


def resume{n}(model, path):
    model.load_state_dict(torch.load(path))
"""
PAD = "\n".join(f"    value_{i} = {i} * scale + {i}  # what nobody asks about is not parsed" for i in range(250))


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with enough behind the gate that further processes pay."""
    home = tmp_path_factory.mktemp("large")
    (home / "pyproject.toml").write_text('[project]\nname = "large"\ndependencies = ["torch>=2.1"]\n')
    (home / "shared.py").write_text("import torch\n\n\ndef write(model, path):\n    torch.save(model, path)\n")
    size = n = 0
    while size < 1.1 * PAYS_FROM:
        text = NET.format(n=n, pad=PAD)
        (home / f"train_{n:02}.py").write_text(text)
        size, n = size + len(text), n + 1
    (home / "broken.py").write_text("import torch\ntorch.load(\n")
    return home


def command(*options: str) -> list[str]:
    return [sys.executable, "-m", "ckpt_lint", "check", "--output-format", "json", *options, "."]


def run(project: Path, *options: str) -> tuple[list[dict[str, object]], int]:
    done = subprocess.run(command(*options), cwd=project, capture_output=True, text=True, check=False)
    return json.loads(done.stdout), done.returncode


@pytest.fixture(scope="module")
def one(project: Path) -> tuple[list[dict[str, object]], int]:
    """What one process says."""
    return run(project, "--jobs", "1", "--no-cache")


def test_two_processes_say_what_one_says(
    project: Path, one: tuple[list[dict[str, object]], int], tmp_path: Path
) -> None:
    assert one[1] == 3 and len(one[0]) > 40
    assert run(project, "--jobs", "2", "--no-cache") == one
    assert run(project, "--jobs", "2", "--cache-dir", str(tmp_path)) == one
    assert run(project, "--jobs", "2", "--cache-dir", str(tmp_path)) == one
    assert run(project, "--jobs", "1", "--cache-dir", str(tmp_path)) == one


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="finds the children in /proc")
def test_a_process_that_dies_loses_nothing(project: Path, one: tuple[list[dict[str, object]], int]) -> None:
    killed = 0
    for wait in (0.0, 0.5, 1.0):
        running = subprocess.Popen(
            command("--jobs", "2", "--no-cache"), cwd=project, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        _wait_for_children(running.pid)
        time.sleep(wait)
        for child in _children(running.pid)[:1]:
            os.kill(child, signal.SIGKILL)
            killed += 1
        output, _ = running.communicate(timeout=120)
        assert (json.loads(output), running.returncode) == one
    assert killed


@pytest.mark.skipif(sys.platform != "linux", reason="the fault is handed to children by fork")
def test_the_file_that_kills_its_process_is_named_and_the_others_are_checked(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def deadly(number: int, targets: Iterable[Target]) -> tuple[int, bytes]:
        if any("train_03" in target.path for target in targets):
            os._exit(1)
        return checked(number, targets)

    checked = parallel._check_all
    monkeypatch.setattr(parallel, "_check_all", deadly)
    deadly.__module__, deadly.__qualname__ = checked.__module__, checked.__qualname__
    targets = [Target(str(path)) for path in sorted(project.glob("*.py"))]
    sizes = [os.path.getsize(target.path) for target in targets]
    results = list(parallel.run_parallel(targets, sizes, Configs(ALL, []), Mode(), jobs=2))
    assert [result.outcome.path for result in results] == [target.path for target in targets]
    died = [r.outcome for r in results if any(p.status is Status.INTERNAL_ERROR for p in r.outcome.problems)]
    assert [os.path.basename(outcome.path) for outcome in died] == ["train_03.py"]
    assert sum(bool(result.outcome.findings) for result in results) >= len(targets) - 3


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="finds the children in /proc")
def test_a_killed_run_leaves_no_process_behind(project: Path) -> None:
    running = subprocess.Popen(command("--jobs", "2", "--no-cache"), cwd=project, stdout=subprocess.DEVNULL)
    children: list[int] = []
    until = time.monotonic() + 30
    while not children and time.monotonic() < until:
        children = _children(running.pid)
        time.sleep(0.05)
    running.kill()
    running.wait()
    assert children
    while any(Path(f"/proc/{child}").exists() for child in children) and time.monotonic() < until:
        time.sleep(0.1)
    assert not [child for child in children if Path(f"/proc/{child}").exists()]


def _children(pid: int) -> list[int]:
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="finds the children in /proc")
def test_a_process_that_dies_while_it_hands_over_results_loses_nothing(
    project: Path, one: tuple[list[dict[str, object]], int]
) -> None:
    """While the parent is stopped a child has to wait with its results, half of them in the pipe if they go that way."""
    running = subprocess.Popen(
        command("--jobs", "2", "--no-cache"), cwd=project, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    children = _wait_for_children(running.pid)
    os.kill(running.pid, signal.SIGSTOP)
    _wait_until_idle(children)
    for child in children:
        os.kill(child, signal.SIGKILL)
    os.kill(running.pid, signal.SIGCONT)
    output, _ = running.communicate(timeout=120)
    assert (json.loads(output), running.returncode) == one


def _wait_for_children(pid: int, count: int = 2) -> list[int]:
    """The children of a process, once there are so many and all of them have work."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        found = _children(pid)
        if len(found) == count and all(_processor_time(child) >= 5 for child in found):
            return found
        time.sleep(0.01)
    raise AssertionError("no children at work")


def _wait_until_idle(pids: Sequence[int]) -> None:
    """Wait until none of the processes has used the processor for a while."""
    until = time.monotonic() + 60
    used = None
    while used != (used := [_processor_time(pid) for pid in pids]) and time.monotonic() < until:
        time.sleep(1.5)


def _processor_time(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])  # utime and stime, in clock ticks; see proc(5)


class Circular:
    """Checks nothing, and leaves behind what only the collector frees."""

    def __init__(self) -> None:
        self.left: list[weakref.ref[list[object]]] = []

    def check(self, target: Target) -> FileResult:
        class Ring(list[object]):
            pass

        ring = Ring()
        ring.append(ring)
        self.left.append(weakref.ref(ring))
        notes = ("noted",) if target.path.endswith("1.py") else ()
        return FileResult(Outcome(target.path, notes=notes))


def test_plain_results_are_not_handed_over_and_nothing_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    worker = Circular()
    monkeypatch.setattr(parallel, "_worker", [worker])
    targets = [Target(f"m{number}.py") for number in range(13)]
    gc.disable()
    try:
        number, packed = parallel._check_all(3, targets)
    finally:
        gc.enable()
    assert number == 3 and sorted(pickle.loads(packed)) == [1, 11] and len(worker.left) == len(targets)
    assert [ring for ring in worker.left if ring() is not None] == []
    results = list(parallel._whole(targets, packed))
    assert [result.outcome.path for result in results] == [target.path for target in targets]
    assert [result.outcome.path for result in results if result.outcome.notes] == ["m1.py", "m11.py"]
