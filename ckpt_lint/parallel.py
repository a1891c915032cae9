"""The same run on several processes. Imported only where that pays.

Each process judges runs of neighbouring files, for those need the same of their project.
"""

from __future__ import annotations

import gc
import multiprocessing
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress

from ckpt_lint.config import Configs
from ckpt_lint.discover import Target
from ckpt_lint.model import Outcome, Problem, Status
from ckpt_lint.processes import Processes
from ckpt_lint.run import FileResult, Mode, Worker
from ckpt_lint.targets import Targets

PARTS_PER_PROCESS = 8
"""Runs of files for each process: few, for neighbours share what they need; more than one, for balance."""

_worker: list[Worker] = []
"""The worker of a child process, set once when it starts."""


def run_parallel(
    waiting: Iterable[Target], sizes: Sequence[int], configs: Configs, mode: Mode, *, jobs: int
) -> Iterator[FileResult]:
    """The results of all targets, of so many bytes each, in their order.

    Where a process dies the others go with it: the part that was waited for is looked into alone, and the rest handed
    out again.
    """
    parts = deque(_parts(waiting, sizes, jobs))
    while parts:
        with _pool(jobs, configs, mode) as pool, suppress(BrokenProcessPool):
            waiting_for = deque(pool.submit(_check_all, part) for part in parts)
            while waiting_for:
                found = waiting_for.popleft().result()  # and let go of it: there may be hundreds of thousands
                yield from _with_plain(parts.popleft(), found)
        if parts:
            yield from _halved(list(parts.popleft()), configs, mode)


def _parts(waiting: Iterable[Target], sizes: Sequence[int], jobs: int) -> Iterator[Targets]:
    """The targets in runs of about the same size."""
    share = max(1, sum(sizes) // (jobs * PARTS_PER_PROCESS))
    part, total = Targets(), 0
    for target, size in zip(waiting, sizes):
        part.append(target)
        total += size
        if total >= share:
            yield part
            part, total = Targets(), 0
    if len(part):
        yield part


def _pool(jobs: int, configs: Configs, mode: Mode) -> Processes:
    """Forked where the system does that well: a child then starts with everything imported."""
    linux = sys.platform == "linux"
    method = "fork" if linux and "fork" in multiprocessing.get_all_start_methods() else "spawn"
    context = multiprocessing.get_context(method)
    return Processes(jobs, context, begin=_begin, initial=(configs, mode))


def _begin(configs: Configs, mode: Mode) -> None:
    gc.disable()  # see `source.collector`
    _worker.append(Worker(configs, mode))


def _check_all(targets: Iterable[Target]) -> dict[int, FileResult]:
    """The results by the number of the target, but for plain ones: most are, and need not be handed over."""
    results = ((number, target, _worker[0].check(target)) for number, target in enumerate(targets))
    found = {number: result for number, target, result in results if result != _plain(target)}
    gc.collect(0)  # what is new since the last time: in a large project nothing may be dropped, and collected, for long
    return found


def _plain(target: Target) -> FileResult:
    return FileResult(Outcome(target.path))


def _with_plain(targets: Iterable[Target], found: dict[int, FileResult]) -> Iterator[FileResult]:
    """All results in their order."""
    for number, target in enumerate(targets):
        yield found.pop(number) if number in found else _plain(target)


def _halved(targets: Sequence[Target], configs: Configs, mode: Mode) -> Iterator[FileResult]:
    """The results of a part of which some file may kill the process that checks it: that one has none."""
    with _pool(1, configs, mode) as pool, suppress(BrokenProcessPool):
        yield from _with_plain(targets, pool.submit(_check_all, targets).result())
        return
    if len(targets) == 1:
        problem = Problem(Status.INTERNAL_ERROR, "the process that checked this file died")
        yield FileResult(Outcome(targets[0].path, problems=(problem,)))
        return
    middle = len(targets) // 2
    yield from _halved(targets[:middle], configs, mode)
    yield from _halved(targets[middle:], configs, mode)
