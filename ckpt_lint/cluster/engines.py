"""What `--engine` may name: this process, processes of this machine, or a Dask cluster that is running already."""

from __future__ import annotations

import concurrent.futures as futures
import multiprocessing
from collections.abc import Callable
from typing import Any

from ckpt_lint.cluster.runner import Engine, Lane
from ckpt_lint.config import ConfigError
from ckpt_lint.processes import Processes
from ckpt_lint.run import usable_processors

EXPECTED = "expected local, processes, processes:N or dask://HOST:PORT"
IN_FLIGHT = 3
"""Units in flight for each that is being worked on: nobody waits for the next one, and the rest stays here."""


class Inline(futures.Executor):
    """Does the work when it is handed out, in this process."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> futures.Future[Any]:
        """The result, at hand already. What is raised, is raised here: there is nobody to do it better."""
        future = futures.Future[Any]()
        future.set_result(fn(*args, **kwargs))
        return future


def engine_of(name: str) -> Engine:
    """The engine of that name. Raises ConfigError where there is none, or it cannot be reached."""
    if name == "local":
        return Engine.of(Inline(), window=1)
    if name == "processes" or name.startswith("processes:"):
        return _processes(name)
    if name.startswith("dask://"):
        from ckpt_lint.cluster.dask_engine import connect

        return connect(name)
    raise ConfigError(f"--engine {name}: {EXPECTED}")


def _processes(name: str) -> Engine:
    number = name.partition(":")[2] or str(usable_processors())
    if not number.isdecimal() or not 0 < int(number) <= 1_000:
        raise ConfigError(f"--engine {name}: {EXPECTED}")
    many, alone = Lane(lambda: _pool(int(number))), Lane(lambda: _pool(1))

    def close() -> None:
        many.close()
        alone.close()

    return Engine(many, alone, IN_FLIGHT * int(number), close_all=close)


def _pool(number: int) -> Processes:
    return Processes(number, multiprocessing.get_context())
