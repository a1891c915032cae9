"""Processes that work for this one: results, errors, what cannot be pickled, deaths, and that none is left behind."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
from concurrent.futures import CancelledError
from concurrent.futures.process import BrokenProcessPool

import pytest

from ckpt_lint.processes import Processes

TIMEOUT = 60


def pool(number: int = 2, **more: object) -> Processes:
    return Processes(number, multiprocessing.get_context(), **more)  # type: ignore[arg-type]


def die(signum: int) -> None:
    os.kill(os.getpid(), signum)


def refuse(word: str) -> None:
    raise ValueError(word)


class Odd:
    """What can be pickled, and not unpickled."""

    def __reduce__(self) -> tuple[type[int], tuple[str]]:
        return int, ("no number",)


def large(size: int) -> bytes:
    return b"x" * size


def remember(value: str) -> None:
    os.environ["CKPT_LINT_TEST_BEGUN"] = value


def test_results_come_back_whatever_their_size() -> None:
    with pool() as processes:
        futures = [processes.submit(large, 300_000 * n) for n in range(8)]
        assert [len(future.result(TIMEOUT)) for future in futures] == [300_000 * n for n in range(8)]


def test_each_process_begins_once() -> None:
    with pool(begin=remember, initial=("yes",)) as processes:
        assert processes.submit(os.getenv, "CKPT_LINT_TEST_BEGUN").result(TIMEOUT) == "yes"


def test_errors_are_raised_here_and_the_process_goes_on() -> None:
    with pool(1) as processes:
        with pytest.raises(ValueError, match="no good"):
            processes.submit(refuse, "no good").result(TIMEOUT)
        with pytest.raises(ValueError, match="no number"):
            processes.submit(Odd).result(TIMEOUT)
        with pytest.raises(TypeError, match="cannot be handed over"):
            processes.submit(threading.Lock).result(TIMEOUT)
        with pytest.raises((AttributeError, TypeError), match=r"pickle|local object"):
            processes.submit(lambda: 1).result(TIMEOUT)
        assert processes.submit(abs, -1).result(TIMEOUT) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_a_death_is_told_to_all_who_wait() -> None:
    with pool() as processes:
        dead = processes.submit(die, signal.SIGKILL)
        waiting = [processes.submit(time.sleep, 30) for _ in range(4)]
        start = time.monotonic()
        for future in (dead, *waiting):
            with pytest.raises(BrokenProcessPool):
                future.result(TIMEOUT)
        with pytest.raises(BrokenProcessPool):
            processes.submit(abs, -1)
        assert time.monotonic() - start < 20


def test_nothing_is_left_behind() -> None:
    with pool() as processes:
        pids = {processes.submit(os.getpid).result(TIMEOUT) for _ in range(20)}
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_what_nobody_waits_for_is_not_done() -> None:
    start = time.monotonic()
    with pytest.raises(KeyError), pool(1) as processes:
        waiting = [processes.submit(time.sleep, 30) for _ in range(3)]
        raise KeyError
    assert time.monotonic() - start < 20
    for future in waiting:
        with pytest.raises((BrokenProcessPool, CancelledError)):
            future.result(TIMEOUT)


def test_shutdown_takes_back_what_has_not_begun() -> None:
    processes = pool(1)
    first = processes.submit(abs, -1)
    assert first.result(TIMEOUT) == 1
    running = processes.submit(time.sleep, 0.5)
    waiting = [processes.submit(time.sleep, 30) for _ in range(3)]
    time.sleep(0.2)
    processes.shutdown(cancel_futures=True)
    assert running.done() and all(future.cancelled() for future in waiting)
