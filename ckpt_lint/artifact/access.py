"""Bytes from anywhere: a local file, a buffer, a range of an HTTP object. All offsets and lengths are bytes."""

from __future__ import annotations

import errno
import os
import stat
from types import TracebackType
from typing import Protocol

BLOCK = 1 << 16


class RandomAccess(Protocol):
    """Something of known size that gives any range of its bytes.

    `seeks_are_cheap` says whether many small reads far apart cost next to nothing (a local file) or a round trip
    each (an object behind HTTP).
    """

    @property
    def size(self) -> int: ...

    @property
    def seeks_are_cheap(self) -> bool: ...

    def read_at(self, offset: int, length: int) -> bytes:
        """Up to `length` bytes from `offset`; fewer only at the end. Raises OSError where the medium fails."""
        ...


class BytesAccess:
    """A buffer in memory."""

    seeks_are_cheap = True

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.size = len(data)

    def read_at(self, offset: int, length: int) -> bytes:
        return self._data[offset : offset + length]


class FileAccess:
    """A local file, open for as long as the `with` block runs. Raises OSError from the constructor and from reads."""

    seeks_are_cheap = True

    def __init__(self, path: str | os.PathLike[str]) -> None:
        if not stat.S_ISREG(os.stat(path).st_mode):  # opening a pipe waits for a writer, for ever
            raise OSError(errno.EINVAL, "no regular file", os.fspath(path))
        self._file = open(path, "rb", buffering=0)  # noqa: SIM115, close() closes it
        self.size = os.fstat(self._file.fileno()).st_size

    def read_at(self, offset: int, length: int) -> bytes:
        self._file.seek(offset)
        parts: list[bytes] = []
        while length > 0:
            part = self._file.read(length)
            if not part:
                break
            parts.append(part)
            length -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> FileAccess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class CountingAccess:
    """Counts what is asked of the access beneath it: `bytes_read`, and `reads`, the number of ranges."""

    def __init__(self, inner: RandomAccess) -> None:
        self._inner = inner
        self.size = inner.size
        self.seeks_are_cheap = inner.seeks_are_cheap
        self.bytes_read = 0
        self.reads = 0

    def read_at(self, offset: int, length: int) -> bytes:
        data = self._inner.read_at(offset, length)
        self.reads += 1
        self.bytes_read += len(data)
        return data


class CachedAccess:
    """Keeps the head, the tail and the last range in memory, so that a header costs few reads.

    `head` and `tail` are the sizes of the two ends, read when first touched; a file smaller than both is one read.
    """

    def __init__(self, inner: RandomAccess, *, head: int = BLOCK, tail: int = BLOCK) -> None:
        self._inner = inner
        self.size = inner.size
        self.seeks_are_cheap = inner.seeks_are_cheap
        self._head_length = self.size if self.size <= head + tail else head
        self._tail_start = max(self.size - tail, self._head_length)
        self._ranges: list[tuple[int, bytes]] = []

    def read_at(self, offset: int, length: int) -> bytes:
        length = min(length, self.size - offset)
        if length <= 0:
            return b""
        for start, data in self._ranges:
            if start <= offset and offset + length <= start + len(data):
                return data[offset - start : offset - start + length]
        return self._fetch(offset, length)

    def _fetch(self, offset: int, length: int) -> bytes:
        if offset + length <= self._head_length:
            start, wanted = 0, self._head_length
        elif offset >= self._tail_start:
            start, wanted = self._tail_start, self.size - self._tail_start
        elif length >= BLOCK or self.seeks_are_cheap:
            return self._inner.read_at(offset, length)
        else:
            start, wanted = offset, min(BLOCK, self.size - offset)
        data = self._inner.read_at(start, wanted)
        self._ranges = [*self._ranges[-3:], (start, data)]
        return data[offset - start : offset - start + length]


class Window:
    """A range of another access as an access of its own: a stored member of an archive."""

    def __init__(self, inner: RandomAccess, start: int, size: int) -> None:
        self._inner = inner
        self._start = start
        self.size = max(0, min(size, inner.size - start))
        self.seeks_are_cheap = inner.seeks_are_cheap

    def read_at(self, offset: int, length: int) -> bytes:
        length = min(length, self.size - offset)
        return self._inner.read_at(self._start + offset, length) if length > 0 else b""
