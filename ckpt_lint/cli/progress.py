"""One line on a terminal that says how far a long run is; nothing where nobody is looking, or for a short run."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TextIO, TypeVar

_PATIENCE = 0.7
_EVERY = 0.1
_WIDTH = 24
_ERASE = "\r\x1b[2K"

Item = TypeVar("Item")


class Progress:
    """The line on `stream`. It is drawn by the loop that it watches: no thread, and at most ten times a second."""

    def __init__(self, stream: TextIO, *, wanted: bool = True, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream, self._clock = stream, clock
        self._on = wanted and stream.isatty() and os.environ.get("TERM") != "dumb"
        self._next = clock() + _PATIENCE
        self._drawn = False
        self._total = 0

    def counted(self, items: Iterable[Item]) -> Iterator[Item]:
        """The same files, counted while they are looked for."""
        for item in items:
            self._total += 1
            self._draw(f"Looking for files: {self._total}")
            yield item

    def watch(self, items: Iterable[Item]) -> Iterator[Item]:
        """The same results, set against the files that were counted."""
        for done, item in enumerate(items, 1):
            yield item
            full = _WIDTH * done // max(self._total, done)
            self._draw(f"Checking [{'#' * full}{' ' * (_WIDTH - full)}] {done} of {self._total} files")
        self.clear()

    def tell(self, text: str) -> None:
        """Show a text of the caller's."""
        self._draw(text)

    def clear(self) -> None:
        """Take the line away, so that something can be printed in its place."""
        if self._drawn:
            self._stream.write(_ERASE)
            self._stream.flush()
            self._drawn = False

    def _draw(self, text: str) -> None:
        if not self._on or self._clock() < self._next:
            return
        self._next = self._clock() + _EVERY
        self._stream.write(_ERASE + text)
        self._stream.flush()
        self._drawn = True
