"""What a file imports, told from its bytes alone, so that a file need not be parsed to know whether it matters."""

from __future__ import annotations

import functools
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

OUTSIDE = sys.stdlib_module_names | {
    "torch", "torchvision", "torchaudio", "numpy", "scipy", "pandas", "matplotlib", "transformers", "timm", "PIL",
    "tqdm", "yaml", "cv2", "sklearn", "pytest", "einops", "wandb", "tensorboardX", "lightning", "accelerate",
    "pytorch_lightning",
}  # fmt: skip
"""First names that mean a project's own file only inside a folder of that name."""

_IMPORT = re.compile(
    rb"^[ \t]*(?:from[ \t]+(\.*)([\w.]*)[ \t]+import[ \t]*(?:\(([^)]*)|([^\n#;]*))|import[ \t]+([\w., \t]+))",
    re.MULTILINE,
)
_NAME = re.compile(rb"[\w.*]+")
_SPACED = bytes(c if c >= 0x80 or chr(c).isalnum() or chr(c) == "_" else 0x20 for c in range(256))
"""What is no part of a word becomes a space."""


@dataclass(frozen=True, slots=True)
class Import:
    """`from <level dots><module> import <names>`, or `import <module>` with no names. `names` may be ("*",)."""

    module: str
    level: int
    names: tuple[str, ...]

    @property
    def targets(self) -> Iterator[str]:
        """The modules that the statement may read: its own, and each name, which may be a module too."""
        if self.module or self.level:
            yield self.module
        for name in self.names:
            if name != "*":
                yield f"{self.module}.{name}" if self.module else name


def imports(data: bytes) -> Iterator[Import]:
    """The imports of a file's bytes, wherever they stand in it."""
    for dots, module, listed, line, plain in _statements(data):
        if plain:
            for part in plain.decode("ascii", "replace").split(","):
                if part.split():
                    yield Import(part.split()[0], 0, ())
            continue
        words = [word.decode("ascii", "replace") for word in _NAME.findall(listed or line)]
        names = tuple(word for i, word in enumerate(words) if word != "as" and (i == 0 or words[i - 1] != "as"))
        yield Import(module.decode("ascii", "replace"), len(dots), names)


def _statements(data: bytes) -> Iterator[tuple[bytes, ...]]:
    """The groups of every match of `_IMPORT`; looking for the word first is five times faster than trying each line."""
    place = data.find(b"import")
    while place >= 0:
        found = _IMPORT.match(data, data.rfind(b"\n", 0, place) + 1)
        if found is not None:
            yield found.groups(b"")
        line_end = data.find(b"\n", max(place, found.end() if found is not None else 0))
        place = data.find(b"import", line_end) if line_end >= 0 else -1


def foreign(module: str, path: str) -> bool:
    """Whether an absolute import in the file `path` can be none of the project's."""
    first = module.partition(".")[0]
    return first in OUTSIDE and f"/{first}/" not in path.replace("\\", "/")


def own_imports(data: bytes, path: str) -> Iterator[Import]:
    """The imports of a file by which it may take something of its own project."""
    return (found for found in imports(data) if found.level or not foreign(found.module, path))


MAX_HOPS = 3
"""Packages that hand a name on."""

MAX_STARRED = 50
"""Files that are looked into for a name that `from package import *` may bring: a library's front door hides thousands."""

Handed = Mapping[str, frozenset[str] | None]
"""Files that a package hands on, each with the names of which one must be mentioned to reach it (None: always)."""


class Places(Protocol):
    """What is asked of the project's files."""

    def resolve(self, path: str, module: str, level: int) -> str | None:
        """The project file that an import means."""
        ...

    def imports_of(self, path: str) -> Iterable[Import]:
        """What a file imports."""
        ...

    def handed_on(self, path: str, *, mattering: bool) -> Handed:
        """What the `__init__.py` at `path` hands on, all of it or only what passes the gate."""
        ...


def words_of(data: bytes) -> frozenset[str]:
    """The words of a file, numbers among them."""
    return frozenset(data.translate(_SPACED).decode("utf-8", "replace").split())


def raw_words(data: bytes) -> set[bytes]:
    """The same as they stand in the file."""
    return set(data.translate(_SPACED).split())


def reached(
    places: Places,
    path: str,
    imports: Iterable[Import],
    words: Callable[[], frozenset[str]],
    *,
    mattering: bool = False,
) -> Iterator[str]:
    """The project files that a file's imports reach: one step, and through `__init__.py` for names among its words.

    `mattering` leaves out those that packages hand on and that do not pass the gate.
    """
    seen = {path}
    known: frozenset[str] | None = None
    for found in imports:
        for file in targets_of(places, path, found):
            if file not in seen:
                seen.add(file)
                yield file
                if file.endswith("__init__.py"):
                    known = known if known is not None else words()
                    handed = places.handed_on(file, mattering=mattering)
                    for inner, names in handed.items():
                        if inner not in seen and (names is None or not names.isdisjoint(known)):
                            seen.add(inner)
                            yield inner


def imports_file(places: Places, path: str, target: str, data: bytes) -> bool:
    """Whether the file `path`, whose bytes are `data`, imports the file `target`, itself or through a package."""
    for found in places.imports_of(path):
        for file in targets_of(places, path, found):
            if file == target:
                return True
            if file.endswith("__init__.py"):
                handed = places.handed_on(file, mattering=False)
                if target in handed:
                    names = handed[target]
                    if names is None or any(name.encode() in data for name in names):
                        return True
    return False


@functools.lru_cache(maxsize=10_000)
def _as_set(names: tuple[str, ...]) -> frozenset[str]:
    """One set for all packages that hand on the same names: a library of thousands of files has tens of thousands."""
    return frozenset(names)


@functools.lru_cache(maxsize=10_000)
def _both(one: frozenset[str], other: frozenset[str]) -> frozenset[str]:
    """One set, too, for the names of both."""
    return one | other


def find_handed_on(places: Places, path: str) -> Handed:
    """Follow the imports of an `__init__.py`, and of those below it, `MAX_HOPS` deep."""
    out: dict[str, frozenset[str] | None] = {}
    level: list[tuple[str, frozenset[str] | None]] = [(path, None)]
    for _ in range(MAX_HOPS):
        following: list[tuple[str, frozenset[str] | None]] = []
        for here, outer in level:
            for found in places.imports_of(here):
                starred = not found.names or "*" in found.names
                names = outer if starred else _as_set(found.names)
                for file in targets_of(places, here, found):
                    if file == path or (file in out and (out[file] is None or out[file] == names)):
                        continue
                    known = out.get(file, names)
                    out[file] = None if names is None or known is None else known if names <= known else _both(known, names)
                    if file.endswith("__init__.py"):
                        following.append((file, names))
        level = following
    return out


def star_closure(places: Places, path: str) -> list[str]:
    """A file and all that it takes everything from, nearest first; [] where that is more than `MAX_STARRED` files."""
    out = [path]
    for here in out:
        for found in places.imports_of(here):
            if "*" in found.names:
                file = places.resolve(here, found.module, found.level)
                if file is not None and file not in out:
                    out.append(file)
        if len(out) > MAX_STARRED:
            return []
    return out


def targets_of(places: Places, path: str, found: Import) -> Iterator[str]:
    """The project files that one import of the file `path` reads."""
    for target in found.targets:
        file = places.resolve(path, target, found.level)
        if file is not None:
            yield file
