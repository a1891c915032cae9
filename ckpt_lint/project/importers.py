"""Who imports a file: imports turned round, so that whom a function may have called by is looked for in few files."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from ckpt_lint.project.imports import MAX_HOPS, imports, targets_of

if TYPE_CHECKING:
    from ckpt_lint.project.imports import Places

SEARCHES = 3
"""So many questions cost about as much, asked of all files, as to turn the imports of all files round."""


_BITS = 32


class Importers:
    """For each file of a project the files that import it, themselves or through a package that hands it on.

    The imports of a file are told from its bytes and not kept. What is kept is a number for each that reaches a file of
    the project: the place of the imported file in the sorted `paths`, and behind it that of the file that imports it.
    """

    def __init__(self, places: Places, paths: Iterable[str], bytes_of: Callable[[str], bytes]) -> None:
        self.places = places
        self._paths = sorted(paths)
        self._pairs = array("Q", sorted(self._found(bytes_of)))

    def _found(self, bytes_of: Callable[[str], bytes]) -> Iterator[int]:
        numbers = {path: number for number, path in enumerate(self._paths)}
        for number, path in enumerate(self._paths):
            files = {file for found in imports(bytes_of(path)) for file in targets_of(self.places, path, found)}
            yield from ((numbers[file] << _BITS) | number for file in files if file in numbers)

    def _direct(self, target: str) -> Iterator[str]:
        """The files of which an import means `target`, in sorted order."""
        number = bisect_left(self._paths, target)
        if number < len(self._paths) and self._paths[number] == target:
            first, last = (bisect_left(self._pairs, one << _BITS) for one in (number, number + 1))
            yield from (self._paths[pair & ((1 << _BITS) - 1)] for pair in self._pairs[first:last])

    def of(self, target: str) -> dict[str, list[frozenset[str]]]:
        """The files that import `target`; where names are listed, if they contain a name of one of them."""
        out: dict[str, list[frozenset[str]]] = {path: [] for path in self._direct(target)}
        certain = set(out)
        for package in sorted(self._packages_above(target)):
            handed = self.places.handed_on(package, mattering=False)
            if target in handed:
                names = handed[target]
                for path in self._direct(package):
                    if names is None:
                        certain.add(path)
                        out[path] = []
                    elif path not in certain:
                        out.setdefault(path, []).append(names)
        return out

    def _packages_above(self, target: str) -> set[str]:
        """The packages that may hand `target` on: those that import it, and those that import them."""
        found: set[str] = set()
        level = {target}
        for _ in range(MAX_HOPS):
            level = {path for below in level for path in self._direct(below) if path.endswith("__init__.py")} - found
            found |= level
        return found
