"""The inputs of a run, kept in about twenty bytes each: there may be hundreds of thousands of them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from ckpt_lint.discover import Target

_BETWEEN = "\0"
"""What no path of a file holds."""


class Targets:
    """Targets in their order. Those of one folder are one text of names; the objects are made when they are asked for."""

    def __init__(self, targets: Iterable[Target] = ()) -> None:
        self._blocks: list[Target | tuple[str, str]] = []
        self._folder = ""
        self._names: list[str] = []  # of the last folder, as long as more of it come
        self._number = 0
        for target in targets:
            self.append(target)

    def append(self, target: Target) -> None:
        """Add one at the end."""
        self._number += 1
        if target.checkpoint or target.problem is not None or _BETWEEN in target.path:
            self._close()
            self._blocks.append(target)
            return
        name = target.path.rpartition(os.sep)[2]
        folder = target.path[: len(target.path) - len(name)]
        if folder != self._folder:
            self._close()
            self._folder = folder
        self._names.append(name)

    def _close(self) -> None:
        if self._names:
            self._blocks.append((self._folder, _BETWEEN.join(self._names)))
            self._names = []

    def __len__(self) -> int:
        return self._number

    def __iter__(self) -> Iterator[Target]:
        self._close()
        for block in self._blocks:
            if isinstance(block, Target):
                yield block
            else:
                folder, names = block
                yield from (Target(folder + name) for name in names.split(_BETWEEN))
