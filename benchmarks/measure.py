"""Run a command and say what it cost: wall time, CPU time and peak memory, its own processes included."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from corpus import cache_folder

TOOLS = ("torchfix==0.7.0", "bandit==1.9.4", "ruff==0.17.6", "flake8==7.5.0")


@dataclass(frozen=True)
class Cost:
    """What one run of a command took. `memory` is that of the largest single process, in MB."""

    wall: float
    user: float
    system: float
    memory: float
    status: int
    output: bytes
    errors: bytes

    @property
    def cpu(self) -> float:
        """User and system time in seconds."""
        return self.user + self.system


def work_folder(name: str) -> Path:
    """A folder of this process's own for what a benchmark changes: two benchmarks may share a cache."""
    return cache_folder() / "runs" / f"{name}-{os.getpid()}"


def measured(
    command: Sequence[str | Path], *, cwd: Path | None = None, environment: Mapping[str, str] | None = None
) -> Cost:
    """Run `command` to its end. Its output goes to files, so that no pipe slows it."""
    if command[0] == sys.executable:
        # What lies in this checkout is measured, installed or not; the peers do not see it.
        environment = {"PYTHONPATH": str(Path(__file__).resolve().parent.parent), **(environment or {})}
    work = cache_folder() / "runs"
    work.mkdir(parents=True, exist_ok=True)
    out, err = work / f"out-{os.getpid()}", work / f"err-{os.getpid()}"
    with out.open("wb") as stdout, err.open("wb") as stderr:
        start = time.perf_counter()
        process = subprocess.Popen(
            [str(part) for part in command],
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            env={**os.environ, **(environment or {})},
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    # ru_maxrss is in kilobytes on Linux and in bytes on macOS.
    memory = usage.ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)
    cost = Cost(wall, usage.ru_utime, usage.ru_stime, memory, process.returncode, out.read_bytes(), err.read_bytes())
    out.unlink()
    err.unlink()
    return cost


def expect(cost: Cost, allowed: Sequence[int], what: str) -> Cost:
    """Return `cost`; end the benchmark where the command did not end as it should: a failed run has no speed."""
    if cost.status not in allowed:
        tail = cost.errors.decode("utf-8", "replace")[-2000:] or cost.output.decode("utf-8", "replace")[-2000:]
        sys.exit(f"{what} ended with status {cost.status}:\n{tail}")
    return cost


def tools() -> Path:
    """Return the folder of the peers' programs, in a virtual environment of their own that is made where needed."""
    folder = cache_folder() / "tools"
    stamp = folder / "installed.txt"
    if not stamp.is_file() or stamp.read_text(encoding="utf-8").split() != list(TOOLS):
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        subprocess.run([str(folder / "bin" / "python"), "-m", "pip", "install", "-q", *TOOLS], check=True)
        stamp.write_text("\n".join(TOOLS), encoding="utf-8")
    return folder / "bin"


def ckpt_lint() -> list[str]:
    """The command that runs the ckpt-lint of this checkout."""
    return [sys.executable, "-m", "ckpt_lint"]
