"""The per-file boundary: whatever goes wrong with one file becomes its outcome, and the run goes on.

The only place that catches every exception. It imports next to nothing: files of every kind pass through it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from ckpt_lint.model import Outcome, Problem, Status

T = TypeVar("T")


def guarded(path: str, judge: Callable[[], Outcome]) -> Outcome:
    """The outcome that `judge` gives for the file `path`; whatever goes wrong in it becomes one. Nothing is raised."""
    outcome, error = attempted(judge)
    if error is not None:  # one file must not take the run with it
        return Outcome(path, problems=(_internal(error),))
    assert outcome is not None
    return outcome


def attempted(call: Callable[[], T]) -> tuple[T | None, Exception | None]:
    """What `call` gives and None, or None and what it raises."""
    try:
        return call(), None
    except Exception as error:
        return None, error


def _internal(error: Exception) -> Problem:
    import traceback

    last = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{last.filename.rsplit('/', 1)[-1]}:{last.lineno}"
    return Problem(Status.INTERNAL_ERROR, f"internal error, please report it: {type(error).__name__}: {error} ({where})")
