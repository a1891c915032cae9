"""Processes that work for this one, each over a pipe of its own.

`concurrent.futures.ProcessPoolExecutor` has all its processes write their results into one pipe: where one of them is
killed in the middle of a result, the rest of it is waited for for ever, and nobody is told. A pipe that only one process
writes to ends with that process.
"""

from __future__ import annotations

import concurrent.futures as futures
import os
import pickle
import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import connection
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from typing import Any

from ckpt_lint.boundary import attempted
from ckpt_lint.orphans import end_with_parent

DIED = "a process died before its work was done"


Call = tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]
"""A function, its arguments and its keyword arguments."""


@dataclass(frozen=True, slots=True)
class _Work:
    future: futures.Future[Any]
    call: Call | Callable[[int], Call]
    """What to call, or what says it once it is known in which of the processes."""


class Processes(futures.Executor):
    """An executor of `number` processes, started at once. `begin(*initial)` is called first in each of them.

    Where a process dies, what was handed out fails with BrokenProcessPool, and so does all that is handed out later.
    """

    def __init__(
        self, number: int, context: BaseContext, *, begin: Callable[..., object] | None = None, initial: Sequence[object] = ()
    ) -> None:
        self._waiting = queue.SimpleQueue[_Work | None]()
        self._broken = False
        self._processes = [_started(context, begin, tuple(initial)) for _ in range(number)]  # before there are threads
        self._threads = [
            threading.Thread(target=self._serve, args=(number, process, pipe), daemon=True)
            for number, (process, pipe) in enumerate(self._processes)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> futures.Future[Any]:
        """Hand out a call; function, arguments and result are pickled. Raises BrokenProcessPool where a process died."""
        return self._put((fn, args, kwargs))

    def submit_for(self, choose: Callable[[int], Call]) -> futures.Future[Any]:
        """Hand out what `choose` says when a process is free, given its number. Raises BrokenProcessPool, too.

        `choose` is called in a thread of its process, and must not raise.
        """
        return self._put(choose)

    def _put(self, call: Call | Callable[[int], Call]) -> futures.Future[Any]:
        if self._broken:
            raise BrokenProcessPool(DIED)
        future = futures.Future[Any]()
        self._waiting.put(_Work(future, call))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the processes, once what was handed out is done or, with `cancel_futures`, what is being done."""
        while cancel_futures and (work := _next(self._waiting)) is not None:
            work.future.cancel()
        for _ in self._threads:
            self._waiting.put(None)
        if wait:
            for thread in self._threads:
                thread.join()

    def _serve(self, number: int, process: BaseProcess, pipe: connection.Connection) -> None:
        """Hand work to one process, as long as there is some."""
        while (work := self._waiting.get()) is not None:
            if work.future.set_running_or_notify_cancel():
                self._do(work, number, pipe)
        with pipe:
            if not self._broken:
                _tell(pipe, b"")
        process.join()

    def _do(self, work: _Work, number: int, pipe: connection.Connection) -> None:
        if self._broken:
            work.future.set_exception(BrokenProcessPool(DIED))
            return
        chosen = work.call(number) if callable(work.call) else work.call
        call, error = attempted(lambda: pickle.dumps(chosen, pickle.HIGHEST_PROTOCOL))
        answer: tuple[Any, Exception | None] | None = None
        if call is not None:
            try:
                pipe.send_bytes(call)
                data = pipe.recv_bytes()
            except (EOFError, OSError):
                self._break()
                error = BrokenProcessPool(DIED)
            else:
                answer, error = attempted(lambda: pickle.loads(data))
        result, error = answer if answer is not None else (None, error)
        if error is not None:
            work.future.set_exception(error)
        else:
            work.future.set_result(result)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self._break()  # nobody waits for the rest
        self.shutdown()

    def _break(self) -> None:
        self._broken = True
        for process, _ in self._processes:
            process.kill()


def _next(waiting: queue.SimpleQueue[_Work | None]) -> _Work | None:
    try:
        return waiting.get_nowait()
    except queue.Empty:
        return None


def _started(
    context: BaseContext, begin: Callable[..., object] | None, initial: tuple[object, ...]
) -> tuple[BaseProcess, connection.Connection]:
    here, there = context.Pipe()
    with there:  # the process has its own; with this one open its end would not be seen
        process = context.Process(target=_work, args=(there, os.getpid(), begin, initial), daemon=True)  # type: ignore[attr-defined]
        process.start()
    return process, here


def _work(
    pipe: connection.Connection, parent: int, begin: Callable[..., object] | None, initial: tuple[object, ...]
) -> None:
    """What a process does: calls as they come, until there are none or nobody is there to hand them out."""
    end_with_parent(parent)
    if begin is not None:
        begin(*initial)
    while (data := _heard(pipe)) is not None:
        _tell(pipe, _answer(data))


def _answer(data: bytes) -> bytes:
    """What a call gave, or raised, as it goes over the pipe."""
    function, arguments, named = pickle.loads(data)
    given = attempted(lambda: function(*arguments, **named))
    answer, error = attempted(lambda: pickle.dumps(given, pickle.HIGHEST_PROTOCOL))
    if answer is not None:
        return answer
    return pickle.dumps((None, TypeError(f"the result cannot be handed over: {error}")))


def _heard(pipe: connection.Connection) -> bytes | None:
    try:
        return pipe.recv_bytes() or None
    except (EOFError, OSError):
        return None


def _tell(pipe: connection.Connection, data: bytes) -> None:
    """Nothing, b"", says that there is no more to do. Where nobody is there any more, that is no matter."""
    with suppress(ConnectionError):
        pipe.send_bytes(data)
