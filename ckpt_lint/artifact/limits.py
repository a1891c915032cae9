"""What a hostile file may cost: every limit ends in a verdict, never in a hang.

Work is counted, never timed: the same file ends in the same verdict on every machine. The unit is about a tenth of a
microsecond of one core: a plain opcode costs one or two, a tensor as torch.save writes it a hundred in all.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Upper bounds for one file. Sizes are bytes, `work` is units of work.

    What is granted grows with the file (`work_per_kilobyte`, `memory_per_kilobyte`): a header is a small part of an
    honest checkpoint, so one with many tensors is a large file, and all that a small hostile one holds is its header.
    The smallest file may have 20,000 tensors. That takes most of a second, so the first `work_from` kilobytes grant
    nothing more; from there on there is enough for a tensor of every 5 kB.
    """

    pickle_bytes: int = 256 << 20
    inline_bytes: int = 1 << 20
    inline_total: int = 24 << 20
    line_bytes: int = 1 << 16
    memo_entries: int = 4_000_000
    globals: int = 10_000
    memory: int = 60 << 20
    memory_per_kilobyte: int = 300
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
    work: int = 4_700_000
    work_from: int = 47_500
    work_per_kilobyte: int = 40
    work_most: int = 100_000_000


DEFAULT = Limits()


def memory_for(limits: Limits, size: int) -> int:
    """Bytes of memory that reading a file of `size` bytes may take: honest large headers need more than small ones."""
    return min(limits.memory + limits.memory_per_kilobyte * (size >> 10), max(limits.memory, limits.memory_most))


class LimitReached(Exception):
    """A limit of `Limits` was hit; the message names it."""


class Work:
    """What one file may cost, all that lies inside of it included.

    `left` is in units of work; `memory` the bytes that pickles hold which were read before, or wait for the present one.
    """

    __slots__ = ("granted", "left", "memory", "memory_limit")

    def __init__(self, limits: Limits, size: int) -> None:
        more = limits.work_per_kilobyte * max(0, (size >> 10) - limits.work_from)
        self.granted = min(limits.work + more, max(limits.work, limits.work_most))
        self.left = self.granted
        self.memory = 0
        self.memory_limit = memory_for(limits, size)

    def spend(self, units: int) -> None:
        """Raise LimitReached when all is spent."""
        self.left -= units
        if self.left < 0:
            raise LimitReached(self.too_much())

    def too_much(self) -> str:
        """What is said of a file that takes more than it is granted."""
        return f"it holds more than is granted to a file of its size ({self.granted:,} steps of reading)"
