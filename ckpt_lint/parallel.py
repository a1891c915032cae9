"""The same run on several processes. Imported only where that pays.

Each process judges a stretch of neighbouring files, for those need the same of their project; one that is done helps
with the end of the longest stretch that is left.
"""

from __future__ import annotations

import concurrent.futures as futures
import gc
import multiprocessing
import pickle
import sys
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress

from ckpt_lint.config import Configs
from ckpt_lint.discover import Target
from ckpt_lint.model import Outcome, Problem, Status
from ckpt_lint.processes import Call, Processes
from ckpt_lint.run import FileResult, Mode, Worker
from ckpt_lint.targets import Targets

PARTS_PER_PROCESS = 24
"""Parts of a process's stretch, handed out one by one: so many that the processes end at about the same time."""

_worker: list[Worker] = []
"""The worker of a child process, set once when it starts."""


def run_parallel(
    waiting: Iterable[Target], sizes: Sequence[int], configs: Configs, mode: Mode, *, jobs: int
) -> Iterator[FileResult]:
    """The results of all targets, of so many bytes each, in their order.

    Where a process dies the others go with it: the parts they were at are looked into alone, and the rest is handed out
    again.
    """
    parts = list(_parts(waiting, sizes, jobs))
    done = dict[int, Iterable[FileResult]]()
    shown = 0
    while shown < len(parts):
        plan = _Plan(parts, [number for number in range(shown, len(parts)) if number not in done], jobs)
        with _pool(jobs, configs, mode) as pool, suppress(BrokenProcessPool):
            for future in futures.as_completed(pool.submit_for(plan.next_for) for _ in range(plan.left)):
                number, told = future.result()
                plan.at.discard(number)
                done[number] = _whole(parts[number], told)
                while shown in done:
                    yield from done.pop(shown)  # and let go of it: there may be hundreds of thousands
                    shown += 1
        for number in sorted(plan.at):
            done[number] = list(_halved(list(parts[number]), configs, mode))
        while shown in done:
            yield from done.pop(shown)
            shown += 1


class _Plan:
    """Which part each process does next: those of its stretch in their order, then the last of the longest one."""

    def __init__(self, parts: Sequence[Targets], numbers: Sequence[int], jobs: int) -> None:
        self._parts = parts
        share = -(-len(numbers) // jobs)
        self._stretches = [deque(numbers[start * share : (start + 1) * share]) for start in range(jobs)]
        self._lock = threading.Lock()
        self.left = len(numbers)
        self.at = set[int]()
        """The numbers of the parts that are being judged."""

    def next_for(self, process: int) -> Call:
        """The call of the next part."""
        with self._lock:
            own = self._stretches[process]
            number = own.popleft() if own else max(self._stretches, key=len).pop()
            self.at.add(number)
        return _check_all, (number, self._parts[number]), {}


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


def _check_all(number: int, targets: Iterable[Target]) -> tuple[int, bytes]:
    """The number of a part, and by their place in it, packed, the results of which there is something to say: of few."""
    results = ((place, target, _worker[0].check(target)) for place, target in enumerate(targets))
    told = {place: result for place, target, result in results if result != _plain(target)}
    gc.collect(0)  # what is new since the last time, and garbage already
    return number, pickle.dumps(told, pickle.HIGHEST_PROTOCOL)


def _plain(target: Target) -> FileResult:
    return FileResult(Outcome(target.path))


def _whole(targets: Iterable[Target], packed: bytes) -> Iterator[FileResult]:
    """All results of a part, unpacked when they are asked for: they may have to wait for those of others."""
    told: dict[int, FileResult] = pickle.loads(packed)
    for place, target in enumerate(targets):
        yield told.pop(place) if place in told else _plain(target)


def _halved(targets: Sequence[Target], configs: Configs, mode: Mode) -> Iterator[FileResult]:
    """The results of a part of which some file may kill the process that checks it: that one has none."""
    with _pool(1, configs, mode) as pool, suppress(BrokenProcessPool):
        yield from _whole(targets, pool.submit(_check_all, 0, targets).result()[1])
        return
    if len(targets) == 1:
        problem = Problem(Status.INTERNAL_ERROR, "the process that checked this file died")
        yield FileResult(Outcome(targets[0].path, problems=(problem,)))
        return
    middle = len(targets) // 2
    yield from _halved(targets[:middle], configs, mode)
    yield from _halved(targets[middle:], configs, mode)
