"""Throughput on a Dask cluster of this machine, with a worker killed in the middle: what `cluster.md` is made from.

    python benchmarks/cluster.py [--files 20000] [--checkpoints 2000] [--workers 1 2 4] [--output benchmarks/cluster.md]

The cluster is real: a scheduler and workers in processes of their own, which speak over loopback. Their CPU time is read
from /proc, so Linux is needed. Rows are compared byte for byte with those of the engine `local`.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cluster_samples import make
from corpus import cache_folder
from measure import Cost, ckpt_lint, expect, measured

TEN_MILLION = 10_000_000
_TICK = os.sysconf("SC_CLK_TCK")


@dataclass
class Ran:
    """One run: what the client cost, what the cluster cost meanwhile, and its rows."""

    name: str
    client: Cost
    rows: Path
    workers_cpu: float = 0.0
    scheduler_cpu: float = 0.0
    workers_memory: float = 0.0
    killed: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class Cluster:
    """A cluster that is running: where, and the processes that cost something."""

    address: str
    scheduler: int
    nannies: list[int]

    def workers(self) -> list[int]:
        """The processes that do the work now."""
        return [child for nanny in self.nannies for child in _children(nanny)]


@contextmanager
def cluster(workers: int) -> Iterator[Cluster]:
    """A scheduler and so many workers with one thread each, as `dask scheduler` and `dask worker` start them."""
    folder = cache_folder() / "runs" / f"dask-{os.getpid()}"
    folder.mkdir(parents=True, exist_ok=True)
    told = folder / "scheduler.json"
    told.unlink(missing_ok=True)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parent.parent)}

    def start(*arguments: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "distributed.cli." + arguments[0], *arguments[1:]],
            cwd=folder,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    place = ("--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(told))
    scheduler = start("dask_scheduler", *place)
    wait_until(told.exists)
    one = ("--nthreads", "1", "--nworkers", "1", "--no-dashboard", "--memory-limit", "0")
    address = json.loads(told.read_text())["address"]
    nannies = [start("dask_worker", address, *one) for _ in range(workers)]
    found = Cluster(address.replace("tcp://", "dask://"), scheduler.pid, [nanny.pid for nanny in nannies])
    try:
        wait_until(lambda: len(found.workers()) == workers)
        time.sleep(3)  # until they have said so to the scheduler, and nothing else costs anything
        yield found
    finally:
        for process in (*nannies, scheduler):
            process.send_signal(signal.SIGTERM)
        for process in (*nannies, scheduler):
            process.wait()


def wait_until(come: Callable[[], bool]) -> None:
    """Wait for something that takes seconds; end the benchmark where it takes a minute."""
    deadline = time.monotonic() + 60
    while not come():
        if time.monotonic() > deadline:
            sys.exit("the cluster does not start")
        time.sleep(0.05)


def _children(pid: int) -> list[int]:
    try:
        threads = list(Path(f"/proc/{pid}/task").iterdir())  # a child belongs to the thread that started it
        found = [int(word) for thread in threads for word in (thread / "children").read_text().split()]
    except OSError:
        return []
    return [child for child in found if b"spawn_main" in _command(child) or b"forkserver" in _command(child)]


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def cpu_of(pid: int) -> float:
    """Seconds that a process has used, with the children that it has waited for; 0 where it is gone."""
    try:
        words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(int(word) for word in words[11:15]) / _TICK


def memory_of(pid: int) -> float:
    """The most memory that a process has held, in MB."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1e3 for line in lines if line.startswith("VmHWM")), 0.0)


class Watcher(threading.Thread):
    """Adds up the CPU time of workers, those that die included, and kills one once there are rows enough."""

    def __init__(self, running: Cluster, ran: Ran, *, kill_at: int | None) -> None:
        super().__init__(daemon=True)
        self._cluster, self._ran, self._kill_at = running, ran, kill_at
        self._latest: dict[int, float] = {}
        self._first = {pid: cpu_of(pid) for pid in (*running.workers(), running.scheduler)}
        self.done = threading.Event()

    def run(self) -> None:
        partial = Path(f"{self._ran.rows}.partial")
        while not self.done.wait(0.05):
            self._look()
            if self._kill_at is not None and partial.exists() and partial.stat().st_size > self._kill_at:
                victim = self._cluster.workers()[0]
                os.kill(victim, signal.SIGKILL)
                self._ran.killed.append(victim)
                self._kill_at = None
        self._look()

    def _look(self) -> None:
        for pid in self._cluster.workers():
            self._latest[pid] = max(self._latest.get(pid, 0.0), cpu_of(pid))
            self._ran.workers_memory = max(self._ran.workers_memory, memory_of(pid))
        self._ran.workers_cpu = sum(seconds - self._first.get(pid, 0.0) for pid, seconds in self._latest.items())
        self._ran.scheduler_cpu = cpu_of(self._cluster.scheduler) - self._first[self._cluster.scheduler]


def check(name: str, engine: str, folder: Path, *paths: str) -> Ran:
    """One run of `ckpt-lint check`; its rows lie beside the samples."""
    rows = folder / f"{name}.jsonl"
    for path in (rows, Path(f"{rows}.partial")):
        path.unlink(missing_ok=True)
    ran = Ran(name, Cost(0, 0, 0, 0, 0, b"", b""), rows)
    command = [*ckpt_lint(), "check", "--engine", engine, "--checkpoints", *paths, "-o", rows]
    ran.client = expect(measured(command, cwd=folder), (0, 1, 3), name)
    return ran


def check_on_cluster(name: str, workers: int, folder: Path, *paths: str, kill_at: int | None = None) -> Ran:
    """The same on a cluster of so many workers."""
    with cluster(workers) as running:
        told = Ran(name, Cost(0, 0, 0, 0, 0, b"", b""), folder / f"{name}.jsonl")
        Path(f"{told.rows}.partial").unlink(missing_ok=True)
        watcher = Watcher(running, told, kill_at=kill_at)
        watcher.start()
        told.client = check(name, running.address, folder, *paths).client
        watcher.done.set()
        watcher.join()
    return told


def same(ran: Ran, local: Ran) -> str:
    """Whether the rows are those of the local run, byte for byte; the benchmark ends where they are not."""
    if ran.rows.read_bytes() != local.rows.read_bytes():
        sys.exit(f"{ran.name}: other rows than the local run: compare {ran.rows} and {local.rows}")
    return "same bytes"


def table(runs: list[Ran], local: Ran, files: int) -> Iterator[str]:
    costs = "CPU s: workers | scheduler | client | CPU ms an input | memory MB: worker | client"
    yield f"| run | wall s | inputs/s | {costs} | rows |"
    yield "|---|---|---|---|---|---|---|---|---|---|"
    for ran in runs:
        cpu = ran.workers_cpu + ran.scheduler_cpu + ran.client.cpu
        cells = (
            ran.name, f"{ran.client.wall:.1f}", f"{files / ran.client.wall:.0f}", f"{ran.workers_cpu:.1f}",
            f"{ran.scheduler_cpu:.1f}", f"{ran.client.cpu:.1f}", f"{1e3 * cpu / files:.2f}", f"{ran.workers_memory:.0f}",
            f"{ran.client.memory:.0f}", "—" if ran is local else same(ran, local),
        )  # fmt: skip
        yield "| " + " | ".join(cells) + " |"


def counted(path: Path) -> dict[str, int]:
    """What the rows of a run come to."""
    found = {"findings": 0, "clean": 0, "with findings": 0, "not checked": 0}
    names = {"clean": "clean", "findings": "with findings", "unchecked": "not checked"}
    for line in path.open(encoding="utf-8"):
        row = json.loads(line)
        if row["kind"] == "file":
            found[names[row["outcome"]]] += 1
        found["findings"] += row["kind"] == "finding"
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=20_000)
    parser.add_argument("--checkpoints", type=int, default=2_000)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--output", type=Path, help="a file for the tables (default: the terminal)")
    arguments = parser.parse_args()
    folder = cache_folder() / f"organisation-{arguments.files}-{arguments.checkpoints}"
    if not folder.is_dir():
        make(folder, files=arguments.files, checkpoints=arguments.checkpoints)
    lines = list(report(folder, arguments.files, arguments.checkpoints, arguments.workers))
    text = "\n".join(lines) + "\n"
    arguments.output.write_text(text, encoding="utf-8") if arguments.output else print(text)


def report(folder: Path, files: int, checkpoints: int, workers: list[int]) -> Iterator[str]:
    everything = files + checkpoints
    local = check("local", "local", folder, "code", "checkpoints")
    size = local.rows.stat().st_size
    told = ", ".join(f"{number:,} {what}" for what, number in counted(local.rows).items())
    projects = sum(1 for _ in (folder / "code").iterdir())
    yield f"{files:,} files of code in {projects} projects and {checkpoints:,} checkpoint files: {told};"
    yield f"{size / 1e6:.1f} MB of rows. {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f} when this began.\n"
    runs = [local, check("processes-2", "processes:2", folder, "code", "checkpoints")]
    runs += [check_on_cluster(f"dask-{n}", n, folder, "code", "checkpoints") for n in workers]
    killed = check_on_cluster("dask-2-killed", 2, folder, "code", "checkpoints", kill_at=size // 3)
    if not killed.killed:
        sys.exit("no worker was killed")
    yield from table([*runs, killed], local, everything)
    yield f"\nOf `dask-2-killed` the client says: {killed.client.errors.decode().strip().splitlines()[0]}\n"
    yield "Each kind alone, in one process:\n"
    apart = [check(f"local-{what}", "local", folder, what) for what in ("code", "checkpoints")]
    yield "| inputs | CPU s | CPU ms an input | most memory MB |"
    yield "|---|---|---|---|"
    for ran, number in zip(apart, (files, checkpoints)):
        yield f"| {ran.name[6:]} | {ran.client.cpu:.1f} | {1e3 * ran.client.cpu / number:.2f} | {ran.client.memory:.0f} |"


if __name__ == "__main__":
    main()
