"""Units through an executor: a bounded number at once, results in order, and a worker that dies costs little.

Any `concurrent.futures.Executor` does. What a worker died over, or what failed in another way, is handed out again with
no other suspect beside it, and in ever smaller parts where it fails again, so that the file that is to blame is known: it
is reported as one that could not be checked, and all others have their results.
"""

from __future__ import annotations

import concurrent.futures as futures
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from ckpt_lint.cluster.job import Job, check_unit
from ckpt_lint.cluster.rows import FileRows, lost
from ckpt_lint.cluster.units import Item, Unit
from ckpt_lint.config import ConfigError

ALONE = 2
"""How often a file is tried alone before it is given up."""

PARTS = 8
"""Into how many parts a unit is taken that failed twice."""

AHEAD = 4
"""Units that may wait for a slower one before them, for each that may be in flight: what bounds the memory."""

PATIENCE = 5.0
"""Seconds without a result after which an engine is asked whether anybody is still there."""

Future = futures.Future[list[FileRows]]


class EngineError(Exception):
    """The engine is gone, or of no use: one line for people. What was finished stands."""


class Lane:
    """An executor that is started when it is needed, and again where it broke, if `start` gives another one."""

    def __init__(self, start: Callable[[], futures.Executor]) -> None:
        self._start = start
        self._executor: futures.Executor | None = None

    def submit(self, job: Job, unit: Unit) -> Future:
        """Hand out a unit. Raises EngineError."""
        for last in (False, True):
            if self._executor is None:
                self._executor = self._start()
            try:
                return self._executor.submit(check_unit, job, unit)
            except futures.BrokenExecutor as error:
                self.close()
                if last:
                    raise EngineError(f"no work can be handed out: {_reason(error)}") from None
        raise AssertionError("unreachable")

    def close(self) -> None:
        """Give up what is running."""
        if self._executor is not None:
            self._executor.shutdown(wait=False)
            self._executor = None


@dataclass
class Engine:
    """Where units are checked. `window` is how many may be in flight.

    `many` is for units, `alone` for what must not harm others; `alive` raises EngineError where nobody is left.
    """

    many: Lane
    alone: Lane
    window: int
    alive: Callable[[], None] = lambda: None
    close_all: Callable[[], None] = lambda: None

    @classmethod
    def of(cls, executor: futures.Executor, *, window: int) -> Engine:
        """An engine around an executor that belongs to somebody else: it is not shut down."""
        lane = Lane(lambda: executor)
        return cls(lane, lane, window)

    def close(self) -> None:
        """Leave nothing running that was started here."""
        self.close_all()


@dataclass
class _Slot:
    """A unit's place in the order, and the rows that have come for it."""

    unit: Unit
    rows: dict[str, FileRows] = field(default_factory=dict)

    @property
    def done(self) -> bool:
        return len(self.rows) == len(self.unit.items)


@dataclass(frozen=True)
class _Task:
    """What is in flight: a unit's place, items of it, whether they are suspects, and how often one was tried alone."""

    slot: _Slot
    items: tuple[Item, ...]
    suspect: bool = False
    tried: int = 0


class Run:
    """One run: iterate over it once."""

    def __init__(self, units: Iterable[Unit], job: Job, engine: Engine) -> None:
        self._units = iter(units)
        self._job, self._engine = job, engine
        self._slots: deque[_Slot] = deque()
        self._suspects: deque[_Task] = deque()
        self._flying: dict[Future, _Task] = {}
        self.retried = 0

    def __iter__(self) -> Iterator[list[FileRows]]:
        """The rows of each unit, in the order of the units. Raises EngineError, ConfigError."""
        while True:
            self._fill()
            if not self._slots:
                return
            if not self._slots[0].done:
                self._wait()
            while self._slots and self._slots[0].done:
                slot = self._slots.popleft()
                yield [slot.rows[item.target.path] for item in slot.unit.items]

    def cancel(self) -> None:
        """Take back what is in flight."""
        for future in self._flying:
            future.cancel()
        self._flying.clear()

    def _fill(self) -> None:
        window = self._engine.window
        if self._suspects and not any(task.suspect for task in self._flying.values()):
            self._submit(self._suspects.popleft())
        while len(self._flying) < window and len(self._slots) < window * AHEAD:
            unit = next(self._units, None)
            if unit is None:
                return
            slot = _Slot(unit)
            self._slots.append(slot)
            self._submit(_Task(slot, unit.items))

    def _submit(self, task: _Task) -> None:
        lane = self._engine.alone if task.suspect else self._engine.many
        self._flying[lane.submit(self._job, Unit(task.items, task.slot.unit.code))] = task

    def _wait(self) -> None:
        done, _ = futures.wait(self._flying, timeout=PATIENCE, return_when=futures.FIRST_COMPLETED)
        if not done:
            self._engine.alive()
        for future in done:
            self._take(future, self._flying.pop(future))

    def _take(self, future: Future, task: _Task) -> None:
        if future.cancelled():
            self._engine.alive()
            raise EngineError("the work was taken back: the cluster has forgotten it")
        error = future.exception()
        if error is None:
            for item, rows in zip(task.items, future.result()):
                task.slot.rows[item.target.path] = rows
            return
        if isinstance(error, ConfigError):
            raise error
        if isinstance(error, ModuleNotFoundError) and (error.name or "").startswith("ckpt_lint"):
            raise EngineError(f"a worker cannot import ckpt_lint: {_reason(error)}")
        self._failed(task, error)

    def _failed(self, task: _Task, error: BaseException) -> None:
        self.retried += 1
        if not task.suspect:
            self._suspects.append(_Task(task.slot, task.items, suspect=True))
        elif len(task.items) > 1:
            size = -(-len(task.items) // PARTS)
            parts = (task.items[start : start + size] for start in range(0, len(task.items), size))
            self._suspects.extend(_Task(task.slot, part, suspect=True) for part in parts)
        elif task.tried + 1 < ALONE:
            self._suspects.append(_Task(task.slot, task.items, suspect=True, tried=task.tried + 1))
        else:
            path = task.items[0].target.path
            task.slot.rows[path] = lost(task.items[0], f"given up after {ALONE} tries alone: {_word(error)}")


def _word(error: BaseException) -> str:
    """Why a unit has no result, the same whichever engine says it."""
    died = isinstance(error, futures.BrokenExecutor) or type(error).__name__ == "KilledWorker"
    return "the process that checked this file died" if died else f"{type(error).__name__}: {_reason(error)}"


def _reason(error: BaseException) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
