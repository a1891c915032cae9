"""Who imports a file: imports turned round, so that whom a function may have called by is looked for in few files."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from ckpt_lint.project.imports import MAX_HOPS, imports, targets_of

if TYPE_CHECKING:
    from ckpt_lint.project.imports import Places

SEARCHES = 3
"""So many questions cost about as much, asked of all files, as to turn the imports of all files round."""


class Importers:
    """For each file of a project the files that import it, themselves or through a package that hands it on.

    The imports of a file are told from its bytes and not kept: what is kept is one list of paths a file.
    """

    def __init__(self, places: Places, paths: Iterable[str], bytes_of: Callable[[str], bytes]) -> None:
        self.places = places
        self.bytes_of = bytes_of
        self._direct: dict[str, list[str]] = {}
        for path in paths:
            files = {file for found in imports(bytes_of(path)) for file in targets_of(places, path, found)}
            for file in files:
                self._direct.setdefault(file, []).append(path)

    def of(self, target: str) -> dict[str, list[frozenset[str]]]:
        """The files that import `target`; where names are listed, if they contain a name of one of them."""
        out: dict[str, list[frozenset[str]]] = {path: [] for path in self._direct.get(target, ())}
        certain = set(out)
        for package in sorted(self._packages_above(target)):
            handed = self.places.handed_on(package, mattering=False)
            if target in handed:
                names = handed[target]
                for path in self._direct.get(package, ()):
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
            level = {path for below in level for path in self._direct.get(below, ()) if path.endswith("__init__.py")} - found
            found |= level
        return found
