"""Killed at every step of every writer: no file is left half written, and the next run does what was asked.

A child kills itself (-9) at its n-th step on the disk, for n from 1 up to where the run comes to its end. The steps are
all that Python reports of opening for writing, linking, renaming, removing and making folders, and both sides of an
opening, of a flush to the disk and of a rename.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OLD = "import torch\n\n\ndef restore(path):\n    return torch.load(path)\n"
CELL = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None, "source": OLD}
NOTEBOOK = json.dumps({"cells": [CELL], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}, indent=1)

NURSERY = """
import builtins, io, json, os, signal, sys
import libcst, ckpt_lint.cli, ckpt_lint.cli.check, ckpt_lint.engine, ckpt_lint.run, ckpt_lint.workspace, ckpt_lint.report.full

left, home = 0, ""

def step():
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)

def ours(path):
    return isinstance(path, (str, os.PathLike)) and (not os.path.isabs(path) or os.path.realpath(path).startswith(home))

def hook(name, args):
    if name == "open" and ours(args[0]) and args[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
        step()
    elif name in ("os.rename", "os.link", "os.remove", "os.mkdir", "os.truncate", "os.chmod") and ours(args[0]):
        step()

def around(do):
    def done(*args, **more):
        step()
        result = do(*args, **more)
        step()
        return result
    return done

def opening(do):
    # A step once a file is opened, too: what is written in place is empty then.
    def done(path, *args, **more):
        result = do(path, *args, **more)
        if ours(path) and any(isinstance(arg, str) and set(arg) & set("wax+") for arg in (*args, *more.values())):
            step()
        return result
    return done

def work(order):
    global left, home
    os.chdir(order["folder"])
    for number, name in ((1, order["out"]), (2, order["err"])):
        os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    left, home = order["step"], os.path.realpath(order["home"])
    os.fsync, os.replace = around(os.fsync), around(os.replace)
    builtins.open = io.open = opening(open)
    sys.addaudithook(hook)
    code = ckpt_lint.cli.main(order["arguments"])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)

for line in sys.stdin:
    child = os.fork()
    if child == 0:
        try:
            work(json.loads(line))
        except BaseException:
            import traceback
            traceback.print_exc()
            sys.stderr.flush()
            os._exit(99)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""

FIX = ("check", "--fix", "--unsafe-fixes", "--no-cache", "-j1", ".")
WRITERS: Mapping[str, tuple[str, ...]] = {
    "fix": FIX,
    "cache": ("check", "--cache-dir", "../cache", "-j1", "--output-format", "concise", "."),
    "new baseline": ("check", "--no-cache", "-j1", "--baseline", "../baseline.json", "--update-baseline", "."),
    "baseline": ("check", "--no-cache", "-j1", "--baseline", "../old.json", "--update-baseline", "."),
    "noqa": ("check", "--no-cache", "-j1", "--add-noqa", "."),
    "output file": ("check", "--no-cache", "-j1", "-o", "../report.txt", "."),
    "old output file": ("check", "--no-cache", "-j1", "-o", "../old.json", "."),
    "report of verify": ("verify", ".", "--report", "../old.json"),
    "page of inspect": ("inspect", "--html", "../old.json", "../checkpoint.pt"),
    "stream": ("check", "--no-cache", "--engine", "local", "--output-format", "json-lines", "-o", "../rows.jsonl", "."),
}


def made(folder: Path) -> Path:
    """A project of two files, and beside it a baseline that knows nothing."""
    project = folder / "project"
    project.mkdir(parents=True)
    (project / "train.py").write_text(OLD)
    (project / "train.ipynb").write_text(NOTEBOOK)
    (folder / "old.json").write_text('{"version": 1, "findings": []}')
    checkpoint = ROOT / "fixtures" / "checkpoints" / "files" / "state_dict.pt"
    (folder / "checkpoint.pt").write_bytes(checkpoint.read_bytes())
    return project


def content(folder: Path) -> dict[str, bytes]:
    """Every file but entries of the cache, which have names that differ and seals of their own, and what a kill left."""
    files = (path for path in folder.rglob("*") if path.is_file() and "cache" not in path.relative_to(folder).parts)
    kept = {str(path.relative_to(folder)): path.read_bytes() for path in files if not path.name.endswith(".tmp")}
    if "rows.jsonl" in kept:  # its first row is of the run, and others name the folder and say when a file was changed
        rows = kept["rows.jsonl"].replace(os.fsencode(folder), b"").partition(b"\n")[2]
        kept["rows.jsonl"] = re.sub(rb'"mtime_ns":\d+', b"", rows)
    return kept


class Nursery:
    """A process that has everything imported, and forks one child for each run: hundreds of starts would take minutes."""

    def __init__(self) -> None:
        env = {**os.environ, "PYTHONPATH": str(ROOT), "VIRTUAL_ENV": "", "CONDA_PREFIX": ""}
        pipe = subprocess.PIPE
        self.process = subprocess.Popen([sys.executable, "-c", NURSERY], env=env, stdin=pipe, stdout=pipe, text=True)

    def run(self, project: Path, arguments: tuple[str, ...], step: int = 0) -> subprocess.CompletedProcess[str]:
        """One run in a project; it kills itself at its n-th step, never where that is 0."""
        out, err = (project.parent.parent / name for name in ("stdout", "stderr"))
        order = {"folder": str(project), "home": str(project.parent), "step": step, "arguments": arguments,
                 "out": str(out), "err": str(err)}  # fmt: skip
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        code = int(self.process.stdout.readline())
        return subprocess.CompletedProcess(arguments, code, out.read_text(), err.read_text())

    def close(self) -> None:
        self.process.communicate("")


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    one = Nursery()
    yield one
    one.close()


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("name", WRITERS)
def test_killed_at_every_step(nursery: Nursery, tmp_path: Path, name: str) -> None:
    arguments = WRITERS[name]
    whole = made(tmp_path / "whole")
    before = content(whole.parent)
    wanted = nursery.run(whole, arguments)
    assert wanted.returncode in (0, 1, 3) and "Traceback" not in wanted.stderr, wanted
    after = content(whole.parent)
    step, states = 0, set[bool]()
    while True:
        step += 1
        project = made(tmp_path / str(step))
        done = nursery.run(project, arguments, step)
        if done.returncode != -signal.SIGKILL:
            break
        left = content(project.parent)
        for file, data in left.items():
            assert data in (before.get(file), after.get(file)) or file == "rows.jsonl.partial", (name, step, file)
        assert set(before) <= set(left)
        states.add(left == after)
        resumed = ("--resume",) if (project.parent / "rows.jsonl.partial").exists() else ()  # without, that is refused
        again = nursery.run(project, (*arguments, *resumed))
        assert again.returncode in (wanted.returncode, 0) and "Traceback" not in again.stderr, (name, step, again)
        assert content(project.parent) == after, (name, step)
        if name in ("cache", "output file"):
            assert again.stdout == wanted.stdout
    assert step > 2, "nothing was written"
    assert states == {True, False} or name in ("cache", "stream", "fix"), "the kill never came in the middle"


@pytest.mark.skipif(sys.platform == "win32", reason="limits of POSIX")
@pytest.mark.parametrize("name", WRITERS)
def test_no_byte_can_be_written(nursery: Nursery, tmp_path: Path, name: str) -> None:
    """The disk is full, or the tree read-only: said in a line, with its exit code; every file as it was."""
    project = made(tmp_path / "full")
    before = content(project.parent)
    plain = nursery.run(made(tmp_path / "whole"), WRITERS[name])
    code = (
        "import resource, signal, sys\nsignal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))\n"
        "from ckpt_lint.cli import main\nsys.exit(main(sys.argv[1:]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-B", "-c", code, *WRITERS[name]], cwd=project, check=False, timeout=120,
        capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "VIRTUAL_ENV": "", "CONDA_PREFIX": ""},
    )  # fmt: skip
    assert "Traceback" not in done.stderr and content(project.parent).items() >= before.items(), done
    if name == "cache":
        assert (done.returncode, done.stdout) == (plain.returncode, plain.stdout)
    else:
        assert done.returncode in (2, 3) and "File too large" in done.stdout + done.stderr, done
    assert not list(project.parent.rglob("*.tmp"))


@pytest.mark.skipif(sys.platform == "win32", reason="forks of POSIX")
def test_two_runs_at_once(nursery: Nursery, tmp_path: Path) -> None:
    """Each writer twice at the same time: the result is that of one."""
    for name in ("noqa", "new baseline", "old output file", "cache"):
        arguments = WRITERS[name]
        whole = made(tmp_path / name / "whole")
        wanted = nursery.run(whole, arguments)
        project = made(tmp_path / name / "both")
        env = {**os.environ, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-m", "ckpt_lint", *arguments]
        runs = [
            subprocess.Popen(command, cwd=project, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            for _ in range(3)
        ]
        for each in runs:
            _, err = each.communicate()
            assert each.returncode in (wanted.returncode, 0, 3) and "Traceback" not in err, (name, err)
        assert content(project.parent) == content(whole.parent) and not list(project.parent.rglob("*.tmp"))
