"""What the verifier says: a closed set of verdicts, each with its evidence."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass

from ckpt_lint.verify.sites import Site


class Status(str, enum.Enum):
    """How a fix stands against a checkpoint. Only CONFIRMED is evidence for it, only REFUTED evidence against it."""

    CONFIRMED = "confirmed"
    REFUTED = "refuted"
    UNREADABLE = "unreadable"
    UNAVAILABLE = "unavailable"
    TIMED_OUT = "timed out"
    CRASHED = "crashed"


_WORST = (Status.REFUTED, Status.CRASHED, Status.TIMED_OUT, Status.UNREADABLE, Status.UNAVAILABLE, Status.CONFIRMED)


@dataclass(frozen=True, slots=True)
class Check:
    """One site against one checkpoint.

    `matched` says why this file. `before` and `after` are the two loads in words. `compared` lists what was held
    against each other, `obstacles` what stands in the way and what would remove it, `notes` what limits the evidence.
    `content` tells the file's content (torch's serialization id, or a SHA-256), `size` is in bytes.
    """

    checkpoint: str
    matched: str
    status: Status
    reason: str
    before: str = ""
    after: str = ""
    compared: tuple[str, ...] = ()
    obstacles: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    enforced: tuple[str, ...] = ()
    size: int = 0
    content: str = ""


@dataclass(frozen=True, slots=True)
class SiteResult:
    """A site and its checks; `reason` is said where there is no checkpoint."""

    site: Site
    checks: tuple[Check, ...] = ()
    reason: str = ""

    @property
    def status(self) -> Status:
        """The worst of its checks: confirmed only where every matching checkpoint confirms it."""
        return worst(check.status for check in self.checks) if self.checks else Status.UNAVAILABLE


def worst(statuses: Iterable[Status]) -> Status:
    """The status that decides. Raises ValueError for none."""
    return min(statuses, key=_WORST.index)
