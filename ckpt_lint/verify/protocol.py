"""What the verifier asks of its child and what it hears: plain values, and no torch."""

from __future__ import annotations

import os
from dataclasses import dataclass

Identity = tuple[int, int, int, int]
"""Device, inode, size and time of change (ns) of a file: who it is, and whether it is still the same."""

@dataclass(frozen=True, slots=True)
class LoadOptions:
    """Keyword arguments of `torch.load`; `mmap` is only named where it is true."""

    weights_only: bool
    map_location: str | None
    mmap: bool = False


def identity(path: str) -> Identity:
    """The identity of a file. Raises OSError."""
    seen = os.stat(path)
    return (seen.st_dev, seen.st_ino, seen.st_size, seen.st_mtime_ns)


@dataclass(frozen=True, slots=True)
class Torch:
    """The interpreter that answered, and its torch. `origin` says where it was found; versions are texts."""

    python: str
    origin: str
    python_version: str
    version: str
    has_mmap: bool
    anonymous: int

    def __str__(self) -> str:
        return f"torch {self.version} in {self.python} ({self.origin}, Python {self.python_version})"


@dataclass(frozen=True, slots=True)
class Job:
    """One checkpoint to load. `room` is the private memory in bytes that the child may take for it."""

    path: str
    seen: Identity
    after: LoadOptions
    before: LoadOptions | None
    full: bool
    room: int


@dataclass(frozen=True, slots=True)
class Loaded:
    """What one load came to. `structure` is a digest of all keys, kinds, shapes, strides and plain values."""

    ok: bool
    seconds: float
    error: str = ""
    message: str = ""
    memory: bool = False
    type: str = ""
    keys: tuple[str, ...] | None = None
    tensors: int = 0
    devices: tuple[str, ...] = ()
    structure: str = ""

    @property
    def words(self) -> str:
        """The exception in one line, "loads" where there was none."""
        return "loads" if self.ok else f"{self.error}: {self.message}".rstrip(": ")


@dataclass(frozen=True, slots=True)
class Compared:
    """What `--full` held against each other: bytes of records, or digests of storages. `difference` is "" for none."""

    bytes: int = 0
    storages: int = 0
    crc: bool = False
    by_digest: bool = False
    difference: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """How a job ended. `ended` is answered, timed out, crashed or unavailable; `reason` says why it is not answered.

    `enforced` lists the guards that were up. `anonymous` is the child's private memory afterwards, `peak` the most
    that the parent saw, `asked` and `fetched` the bytes that were read by calls and from the disk.
    """

    ended: str
    reason: str = ""
    changed: bool = False
    after: Loaded | None = None
    before: Loaded | None = None
    full: Compared | None = None
    enforced: tuple[str, ...] = ()
    anonymous: int = 0
    peak: int = 0
    asked: int = 0
    fetched: int = 0
