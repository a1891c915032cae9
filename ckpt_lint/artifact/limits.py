"""What a hostile file may cost: every limit ends in a verdict, never in a hang."""

from __future__ import annotations

import time
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Upper bounds for one file. Sizes are bytes, times are seconds of this thread's processor time.

    The time grows with the pickle (`seconds_per_byte`), so that honest large headers are read whole and a small
    hostile one ends at once.
    """

    pickle_bytes: int = 256 << 20
    inline_bytes: int = 1 << 20
    inline_total: int = 24 << 20
    line_bytes: int = 1 << 16
    memo_entries: int = 4_000_000
    globals: int = 10_000
    memory: int = 64 << 20
    memory_per_byte: int = 10
    memory_most: int = 1 << 30
    members: int = 200_000
    tensors: int = 80_000
    directory_bytes: int = 64 << 20
    tree_nodes: int = 400_000
    tree_depth: int = 200
    key_nodes: int = 2_000
    costly_keys: int = 2_000
    stacked_pickles: int = 64
    nesting: int = 8
    seconds: float = 0.4
    seconds_per_byte: float = 1e-6


DEFAULT = Limits()


def memory_for(limits: Limits, size: int) -> int:
    """Bytes of memory that a pickle of `size` bytes may take: honest large headers need more than small ones."""
    more = limits.memory_per_byte * max(0, size - (1 << 20))
    return min(limits.memory + more, max(limits.memory, limits.memory_most))


class LimitReached(Exception):
    """A limit of `Limits` was hit; the message names it."""


class Deadline:
    """Processor time that one file's pickles may take. The clock starts at the first check: small files never ask."""

    def __init__(self, limits: Limits, size: int) -> None:
        self._seconds = limits.seconds + limits.seconds_per_byte * min(size, limits.pickle_bytes)
        self._end: float | None = None

    def check(self) -> None:
        """Raise LimitReached when the time is spent."""
        now = time.thread_time()
        if self._end is None:
            self._end = now + self._seconds
        elif now > self._end:
            raise LimitReached(f"reading it takes longer than {self._seconds:.1f} s")
