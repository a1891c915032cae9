"""The same run on several processes. Imported only where that pays.

Each process judges runs of neighbouring files, for those need the same of their project.
"""

from __future__ import annotations

import concurrent.futures as futures
import gc
import multiprocessing
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool

from ckpt_lint.config import Configs
from ckpt_lint.discover import Target
from ckpt_lint.model import Outcome, Problem, Status
from ckpt_lint.run import FileResult, Mode, Weighed, Weight, Worker

PARTS_PER_PROCESS = 3
"""Runs of files that are judged for each process: few, for neighbours share what they need; more than one, for balance."""

UNSURE_SHARE = 20
"""Of what a parsed byte costs to be judged, a byte costs that is only looked at for calls of wrappers: one part in so many."""

_worker: list[Worker] = []
"""The worker of a child process, set once when it starts."""


def run_parallel(waiting: Sequence[Weighed], configs: Configs, mode: Mode, *, jobs: int) -> Iterator[FileResult]:
    """The results of all targets in their order; those that the gate let pass need no worker."""
    with _pool(jobs, configs, mode) as pool:
        parts = list(_parts(waiting, jobs))
        handed = [_submit(pool, [waiting[index].target for index in part]) for part in parts]
        upcoming = 0
        for part, future in zip(parts, handed):
            for index, result in zip(part, _results(future, [waiting[index].target for index in part], configs, mode)):
                yield from (FileResult(Outcome(found.target.path)) for found in waiting[upcoming:index])
                yield result
                upcoming = index + 1
    yield from (FileResult(Outcome(found.target.path)) for found in waiting[upcoming:])


def _submit(pool: futures.ProcessPoolExecutor, targets: Sequence[Target]) -> futures.Future[list[FileResult]]:
    try:
        return pool.submit(_check_all, targets)
    except BrokenProcessPool as error:
        future = futures.Future[list[FileResult]]()
        future.set_exception(error)
        return future


def _parts(waiting: Sequence[Weighed], jobs: int) -> Iterator[list[int]]:
    """The indices of the targets that need a worker, in runs of about the same cost."""
    costs = [_cost(found) for found in waiting]
    share = max(1, sum(costs) // (jobs * PARTS_PER_PROCESS))
    part, size = list[int](), 0
    for index, (found, cost) in enumerate(zip(waiting, costs)):
        if found.weight is Weight.NOTHING:
            continue
        part.append(index)
        size += cost
        if size >= share:
            yield part
            part, size = [], 0
    if part:
        yield part


def _cost(found: Weighed) -> int:
    return found.size // UNSURE_SHARE if found.weight is Weight.UNSURE else found.size


def _pool(jobs: int, configs: Configs, mode: Mode) -> futures.ProcessPoolExecutor:
    """Forked where the system does that well: a child then starts with everything imported."""
    linux = sys.platform == "linux"
    method = "fork" if linux and "fork" in multiprocessing.get_all_start_methods() else "spawn"
    context = multiprocessing.get_context(method)
    return futures.ProcessPoolExecutor(jobs, mp_context=context, initializer=_begin, initargs=(configs, mode))


def _begin(configs: Configs, mode: Mode) -> None:
    gc.disable()  # see `source.collector`
    _worker.append(Worker(configs, mode))


def _check_all(targets: Sequence[Target]) -> list[FileResult]:
    return [_worker[0].check(target) for target in targets]


def _results(
    future: futures.Future[list[FileResult]], targets: Sequence[Target], configs: Configs, mode: Mode
) -> list[FileResult]:
    """The results of a chunk. Where a process died, each file of the chunk gets a process of its own."""
    try:
        return future.result()
    except BrokenProcessPool:
        return [_alone(target, configs, mode) for target in targets]


def _alone(target: Target, configs: Configs, mode: Mode) -> FileResult:
    with _pool(1, configs, mode) as pool:
        try:
            return pool.submit(_check_all, [target]).result()[0]
        except BrokenProcessPool:
            problem = Problem(Status.INTERNAL_ERROR, "the process that checked this file died")
            return FileResult(Outcome(target.path, problems=(problem,)))
