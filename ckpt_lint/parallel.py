"""The same run on several processes. Imported only where that pays."""

from __future__ import annotations

import concurrent.futures as futures
import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool

from ckpt_lint.config import Configs
from ckpt_lint.discover import Target
from ckpt_lint.model import Outcome, Problem, Status
from ckpt_lint.run import FileResult, Mode, Worker, chunks

_worker: list[Worker] = []
"""The worker of a child process, set once when it starts."""


def run_parallel(
    waiting: Sequence[tuple[Target, int | None]], configs: Configs, mode: Mode, *, jobs: int
) -> Iterator[FileResult]:
    """The results of all targets in their order; those that the gate let pass need no worker."""
    parts = list(chunks(waiting))
    with _pool(min(jobs, len(parts)), configs, mode) as pool:
        handed = [pool.submit(_check_all, [waiting[index][0] for index in part]) for part in parts]
        upcoming = 0
        for part, future in zip(parts, handed):
            for index, result in zip(part, _results(future, [waiting[index][0] for index in part], configs, mode)):
                yield from (FileResult(Outcome(target.path)) for target, _ in waiting[upcoming:index])
                yield result
                upcoming = index + 1
    yield from (FileResult(Outcome(target.path)) for target, _ in waiting[upcoming:])


def _pool(jobs: int, configs: Configs, mode: Mode) -> futures.ProcessPoolExecutor:
    """Forked where the system does that well: a child then starts with everything imported."""
    method = "fork" if "fork" in multiprocessing.get_all_start_methods() and _is_linux() else "spawn"
    context = multiprocessing.get_context(method)
    return futures.ProcessPoolExecutor(jobs, mp_context=context, initializer=_begin, initargs=(configs, mode))


def _is_linux() -> bool:
    import sys

    return sys.platform == "linux"


def _begin(configs: Configs, mode: Mode) -> None:
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
