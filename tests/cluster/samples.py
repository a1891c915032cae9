"""What the tests of engines check: a made-up organisation, and its rows as the engine `local` gives them."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.cli.command import Ran

ROOT = Path(__file__).parents[2]


def make_samples(folder: Path, *, files: int, checkpoints: int) -> None:
    """Projects and checkpoint files, by the generator of the benchmark."""
    path = ROOT / "benchmarks" / "cluster_samples.py"
    spec = importlib.util.spec_from_file_location("cluster_samples", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.make(folder, files=files - 1, checkpoints=checkpoints, seed=1)
    (folder / "code" / "broken.py").write_text("import torch\n\ntorch.save(\n")


def check(cwd: Path, *arguments: str) -> Ran:
    """`ckpt-lint check`, in this process: a run costs no imports."""
    from ckpt_lint.cli import main

    before, out, err = Path.cwd(), io.StringIO(), io.StringIO()
    os.chdir(cwd)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main(["check", *arguments])
    finally:
        os.chdir(before)
    return Ran(code, out.getvalue(), err.getvalue())


def rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a file of JSON lines."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def started(*arguments: str, cwd: Path) -> subprocess.Popen[str]:
    """`ckpt-lint check`, running."""
    return subprocess.Popen(
        [sys.executable, "-m", "ckpt_lint", "check", *arguments],
        cwd=cwd,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def with_rows(path: Path, running: subprocess.Popen[str]) -> bool:
    """Wait for the first rows of a run; whether it is running still."""
    deadline = time.monotonic() + 60
    while running.poll() is None:
        if path.exists() and path.stat().st_size > 1_000:
            return True
        assert time.monotonic() < deadline, "no rows for a minute"
        time.sleep(0.002)
    return False


def interrupted(*arguments: str, cwd: Path, out: Path) -> None:
    """Kill a `ckpt-lint check` that writes to `out` when there are some of its rows, and not all."""
    for _ in range(8):
        running = started(*arguments, "-o", str(out), cwd=cwd)
        in_time = with_rows(Path(f"{out}.partial"), running)
        running.kill()
        running.communicate()
        if in_time and not out.exists():
            return
        out.unlink()
    raise AssertionError("every run was over before it could be killed")


class Assassin:
    """Kills whatever reads a file, as often as anybody tries: a file that a process dies over."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.killed: set[int] = set()
        os.mkfifo(path)

    def strike(self) -> bool:
        """Whether there was a reader, which is dead now."""
        try:
            handle = os.open(self.path, os.O_WRONLY | os.O_NONBLOCK)
        except OSError:
            return False
        try:
            return self._kill_readers()
        finally:
            os.close(handle)

    def _kill_readers(self) -> bool:
        deadline = time.monotonic() + 1  # one that was killed just now may seem to be there
        while time.monotonic() < deadline:  # the reader's `open` returns now, and then it can be seen
            for process in Path("/proc").iterdir():
                if process.name.isdecimal() and int(process.name) != os.getpid() and self._reads(process):
                    with suppress(ProcessLookupError):  # it may have ended just now
                        os.kill(int(process.name), 9)
                        self.killed.add(int(process.name))
                    return True
            time.sleep(0.001)
        return False

    def _reads(self, process: Path) -> bool:
        try:
            found = [fd.name for fd in (process / "fd").iterdir() if os.readlink(fd) == str(self.path)]
            told = [(process / "fdinfo" / name).read_text().split() for name in found]
            return any(words[words.index("flags:") + 1].endswith("0") for words in told)  # a fork may inherit ours
        except OSError:
            return False
