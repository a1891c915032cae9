"""A forward reader over a stream of bytes: small reads are slices of one buffer, large payloads are skipped."""

from __future__ import annotations

from collections.abc import Callable

from ckpt_lint.artifact.limits import LimitReached, Limits

Feed = Callable[[int], bytes]
_CHUNK = 1 << 18


class Truncated(Exception):
    """The stream ends inside of something."""


class Cursor:
    """Reads from `feed`, which gives up to n further bytes and nothing at the end.

    `buffer[position:]` is what was fetched and not yet taken; `offset` is the place in the stream. `readable` is how
    many bytes the stream can have at most (a file's size), so that a declared length is refused before it is fetched.
    """

    def __init__(self, feed: Feed, readable: int, limits: Limits, *, start: int = 0) -> None:
        self._feed = feed
        self._readable = readable
        self._limits = limits
        self.base = start
        self._inline = 0
        self.buffer = b""
        self.position = 0

    @property
    def offset(self) -> int:
        return self.base + self.position

    def refill(self, length: int) -> bool:
        """Have at least `length` bytes at `position`; False where the stream ends before."""
        rest = self.buffer[self.position :]
        self.base += self.position
        self.position = 0
        parts = [rest]
        have = len(rest)
        while have < length:
            part = self._feed(max(length - have, _CHUNK))
            if not part:
                break
            parts.append(part)
            have += len(part)
        self.buffer = b"".join(parts)
        if self.base + have > self._limits.pickle_bytes:
            raise LimitReached(f"the pickle is longer than {self._limits.pickle_bytes >> 20} MB")
        return have >= length

    def take(self, length: int) -> bytes:
        """Exactly `length` bytes; raises Truncated."""
        end = self.position + length
        if end > len(self.buffer):
            if length > self._readable or not self.refill(length):
                raise Truncated
            end = length
        data = self.buffer[self.position : end]
        self.position = end
        return data

    def byte(self) -> int:
        """The next byte as a number; raises Truncated."""
        position = self.position
        if position < len(self.buffer):
            self.position = position + 1
            return self.buffer[position]
        return self.take(1)[0]

    def payload(self, length: int) -> bytes | None:
        """`length` bytes of a string or bytes literal; None (and skipped) where it is too long to keep."""
        if length > 256:
            self._inline += length
        if length <= self._limits.inline_bytes and self._inline <= self._limits.inline_total:
            return self.take(length)
        self.skip(length)
        return None

    def ahead(self, length: int) -> None:
        """Raise Truncated where so many bytes cannot follow."""
        if self.offset + length > self._readable:
            raise Truncated

    def skip(self, length: int) -> None:
        self.ahead(length)
        while length > 0:
            if self.position >= len(self.buffer) and not self.refill(1):
                raise Truncated
            step = min(length, len(self.buffer) - self.position)
            self.position += step
            length -= step

    def line(self) -> bytes:
        """Up to and without the next newline. At the end of the stream, as `readline()[:-1]`: one byte is lost."""
        end = self.buffer.find(b"\n", self.position)
        if end < 0:
            self.refill(self._limits.line_bytes)
            end = self.buffer.find(b"\n", self.position)
            if end < 0:
                if len(self.buffer) >= self._limits.line_bytes:
                    raise LimitReached(f"a line is longer than {self._limits.line_bytes} bytes")
                raise Truncated
        data = self.buffer[self.position : end]
        self.position = end + 1
        return data
