"""A project on disk, as the engine asks for it: its modules read on demand, its bounds, its texts."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from ckpt_lint.model import Problem
from ckpt_lint.project.importers import SEARCHES, Importers
from ckpt_lint.project.imports import (
    Handed,
    Import,
    find_handed_on,
    foreign,
    imports,
    imports_file,
    raw_words,
    star_closure,
)
from ckpt_lint.project.modules import ModuleIndex, index_modules, project_files, resolve_import
from ckpt_lint.project.root import RootCache, project_root
from ckpt_lint.source.enclosing import functions_calling
from ckpt_lint.source.gate import may_act, may_matter

if TYPE_CHECKING:
    from ckpt_lint.project.bounds import BoundsCache, TorchBounds
    from ckpt_lint.source.cache import FactCache
    from ckpt_lint.source.module import ModuleFacts
    from ckpt_lint.source.read import PackedRead, Read
    from ckpt_lint.source.text import Source

KEPT_SOURCES = 16
"""Texts that are kept: more than one finding may speak of the same other file."""

_DEFINED = re.compile(rb"^[ \t]*(?:async[ \t]+)?(?:def|class)[ \t]+(\w+)", re.MULTILINE)

_AT_TOP = re.compile(rb"^(?:async[ \t]+)?(?:def|class)[ \t]+(\w+)", re.MULTILINE)


def read_bytes(path: str) -> bytes | None:
    """The bytes of a file, None where they cannot be had."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return None


@dataclass(slots=True)
class Disk:
    """What one run has read of the disk: shared by all its projects."""

    slicing: bool = True
    cache: FactCache | None = None
    roots: RootCache = field(default_factory=RootCache)
    manifests: BoundsCache | None = None
    read: Callable[[str], bytes | None] = read_bytes
    projects: dict[str, ProjectFiles] = field(default_factory=dict)

    def project_of(self, path: str) -> ProjectFiles:
        """The project that a file belongs to."""
        root = project_root(path, self.roots)
        if root not in self.projects:
            self.projects[root] = ProjectFiles(root, self)
        return self.projects[root]

    def forget(self, root: str) -> None:
        """Drop what is known of a project's files."""
        self.projects.pop(root, None)


class ProjectFiles:
    """The files of one project. Implements what `facts.world.Files` asks for."""

    def __init__(self, root: str, disk: Disk) -> None:
        self.root = root
        self.disk = disk
        self.note: str | None = None  # what a reader has to know, once the files are listed
        self.nodes = 0
        """How many syntax facts are held."""
        self._index: ModuleIndex | None = None
        self._reads: dict[str, Read] = {}
        self._packed: dict[str, PackedRead] = {}
        self._texts: dict[str, tuple[int, int]] = {}
        self._sources: dict[str, Source | None] = {}
        self._matters: dict[str, bool] = {}
        self._acts: dict[str, bool] = {}
        self._remembered: dict[tuple[str, str], frozenset[str]] = {}
        self._imports: dict[str, tuple[Import, ...]] = {}
        self._resolved: dict[tuple[str, str, int], str | None] = {}
        self._starred: dict[str, tuple[str, ...]] = {}
        self._handed: dict[tuple[str, bool], Handed] = {}
        self._searches = self._looked_into = 0
        self._mentions: dict[tuple[tuple[str, ...], Callable[[bytes], bool] | None], tuple[str, ...]] = {}

    @property
    def index(self) -> ModuleIndex:
        """The project's python files and their module names."""
        if self._index is None:
            files = project_files(self.root, self.disk.roots)
            self.note = files.note
            self._index = index_modules(files)
        return self._index

    @property
    def listed(self) -> Sequence[str]:
        """The project's python files, in sorted order."""
        return self._sorted_paths

    @property
    def is_cut(self) -> bool:
        """Whether the project has more files than are listed."""
        return bool(self.index.paths) and self.note is not None

    def source(self, path: str) -> Source | None:
        """The text of a file, None where it cannot be read. The latest few are kept."""
        if path not in self._sources:
            from ckpt_lint.source.text import read_source

            data = self.disk.read(path)
            found = read_source(path, data) if data is not None else None
            while len(self._sources) >= KEPT_SOURCES:
                del self._sources[next(iter(self._sources))]
            self._sources[path] = None if found is None or isinstance(found, Problem) else found
        return self._sources[path]

    def read(self, path: str) -> Sequence[ModuleFacts]:
        """The modules of a file."""
        return self.read_whole(path).modules

    def read_whole(self, path: str) -> Read:
        """The modules of a file, and what could not be parsed of it."""
        if path not in self._reads:
            from ckpt_lint.source.read import NOTHING, unpacked

            known = self._packed.get(path)
            source = self.source(path) if known is None else None
            if known is not None:
                self._hold(path, unpacked(known, path))
            else:
                self._hold(path, self._read_source(path, source) if source is not None else NOTHING)
        return self._reads[path]

    def read_as(self, path: str, source: Source) -> Read | None:
        """The same for a file whose text is at hand, None where another text lies there."""
        if path not in self._texts and self._lies_there(path, source):
            self._hold(path, self._read_source(path, source))
        return self.read_whole(path) if self._texts.get(path) == _text_key(source) else None

    def _read_source(self, path: str, source: Source) -> Read:
        from ckpt_lint.source.read import read_modules

        self._texts[path] = _text_key(source)
        return read_modules(source, path, slicing=self.disk.slicing, cache=self.disk.cache)

    def _lies_there(self, path: str, source: Source) -> bool:
        if self.disk.read(path) == source.text.encode("utf-8", "surrogatepass"):
            return not source.is_notebook
        known = self.source(path)
        return known is not None and known.text == source.text

    def _hold(self, path: str, read: Read) -> None:
        self._reads[path] = read
        self.nodes += sum(len(module.nodes) for module in read.modules)

    def drop(self) -> None:
        """Forget texts, and pack the syntax facts: a tenth of the memory, and unpacked when they are asked for."""
        from ckpt_lint.source.read import packed

        for path, read in self._reads.items():
            if path not in self._packed:
                self._packed[path] = packed(read)
        self.let_go()
        self._sources.clear()

    def let_go(self) -> None:
        """Free the syntax facts: nobody may be using them."""
        for read in self._reads.values():
            for module in read.modules:
                module.let_go()
        self._reads.clear()
        self.nodes = 0

    def bytes_of(self, path: str) -> bytes:
        """The bytes of a file, b"" where they cannot be had."""
        return self.disk.read(path) or b""

    def imports_of(self, path: str) -> Sequence[Import]:
        """What a file imports, told from its bytes."""
        if path not in self._imports:
            self._imports[path] = tuple(imports(self.bytes_of(path)))
        return self._imports[path]

    @cached_property
    def _first_names(self) -> frozenset[str]:
        # A script that lies in a package and is run by its path imports what lies beside it: any folder, any file.
        folders = (os.path.basename(folder) for folder in self.index.packages)
        files = (os.path.basename(path).rpartition(".")[0] for path in self.index.paths)
        return frozenset([*(name.partition(".")[0] for name in self.index.by_name), *folders, *files])

    def resolve(self, path: str, module: str, level: int) -> str | None:
        """The project file that an import means."""
        if not level and (module.partition(".")[0] not in self._first_names or foreign(module, path)):
            return None
        key = (sys.intern(path.rpartition(os.sep)[0]), module, level)  # tens of thousands of them name a few folders
        if key not in self._resolved:
            self._resolved[key] = resolve_import(self.index, path, module, level)
        return self._resolved[key]

    def handed_on(self, path: str, *, mattering: bool) -> Handed:
        """What the `__init__.py` at `path` hands on, all of it or only what passes the gate."""
        key = (path, mattering)
        if key not in self._handed:
            found = self.handed_on(path, mattering=False) if mattering else find_handed_on(self, path)
            self._handed[key] = {p: names for p, names in found.items() if not mattering or self.matters(p)}
        return self._handed[key]

    def starred(self, path: str, name: str) -> Sequence[str]:
        """The file itself and those it takes everything from, if they contain a name; () where they are too many."""
        if path not in self._starred:
            self._starred[path] = tuple(star_closure(self, path))
        return [file for file in self._starred[path] if name.encode() in self.bytes_of(file)]

    def matters(self, path: str) -> bool:
        """Whether a file passes the gate."""
        if path not in self._matters:
            data = self.disk.read(path)
            self._matters[path] = data is not None and may_matter(data)
        return self._matters[path]

    def acts(self, path: str) -> bool:
        """Whether something may be saved or loaded in a file, by what stands in it."""
        if path not in self._acts:
            self._acts[path] = self.matters(path) and may_act(self.bytes_of(path))
        return self._acts[path]

    def contains(self, path: str, words: Collection[str]) -> bool:
        """Whether one of `words` stands in a file."""
        return _contains(self.disk.read(path), [word.encode() for word in words])

    def functions_calling(self, path: str, method: str) -> frozenset[str]:
        """The names of the functions of a file in which a method is called, rather too many than too few."""
        return self.remembered(path, method, lambda: functions_calling(self.bytes_of(path), method.encode()))

    def defined_in(self, path: str) -> frozenset[str]:
        """The names of functions and classes that a file defines at its top level, in no branch, told from its bytes."""

        def find() -> frozenset[str]:
            return frozenset(name.decode("utf-8", "replace") for name in _AT_TOP.findall(self.bytes_of(path)))

        return self.remembered(path, "defined", find)

    def remembered(self, path: str, what: str, find: Callable[[], frozenset[str]]) -> frozenset[str]:
        """Names that were found in a file: kept where its syntax facts are not."""
        key = (path, what)
        if key not in self._remembered:
            self._remembered[key] = find()
        return self._remembered[key]

    def mentioning(self, words: Sequence[str], *, beside: Callable[[bytes], bool] | None = None) -> Sequence[str]:
        """The files that contain one of `words` (and for which `beside` holds, if given)."""
        key = (tuple(sorted(words)), beside)
        if key not in self._mentions:
            wanted = [word.encode() for word in words]
            paths = self._sorted_paths if beside is None else self._matching(beside)
            self._mentions[key] = tuple(path for path in paths if _contains(self.disk.read(path), wanted))
        return self._mentions[key]

    def _matching(self, beside: Callable[[bytes], bool]) -> Sequence[str]:
        """The files for which something holds: asked once, since only the words beside it change."""
        key = ((), beside)
        if key not in self._mentions:
            self._mentions[key] = tuple(path for path in self._sorted_paths if beside(self.bytes_of(path)))
        return self._mentions[key]

    @cached_property
    def _sorted_paths(self) -> Sequence[str]:
        return sorted(self.index.paths)

    def users(self, name: str, path: str) -> Sequence[str]:
        """The other files that call something called `name`, or rename it, and import the file `path`, in sorted order."""
        self._searches += 1
        taken = _taking(name)
        if self._searches <= SEARCHES:
            found = (p for p in self.mentioning([f"{name}(", f"{name} as "]) if p != path)
            return tuple(p for p in found if taken(data := self.bytes_of(p)) and imports_file(self, p, path, data))
        importers = self._importers.of(path)
        self._looked_into += len(importers)
        named = self._naming.get(name) if self._looked_into > SEARCHES * len(self._sorted_paths) else None
        return tuple(
            p
            for p in sorted(importers if named is None else importers.keys() & named)
            if p != path
            and taken(data := self.bytes_of(p))
            and (not importers[p] or any(_contains(data, [word.encode() for word in some]) for some in importers[p]))
        )

    @cached_property
    def _naming(self) -> Mapping[str, Sequence[str]]:
        """For each name that is defined in a file that matters, the files in which it stands."""
        mattering = (self.bytes_of(p) for p in self._sorted_paths if self.matters(p))
        defined = {name: list[str]() for data in mattering for name in _DEFINED.findall(data)}
        for p in self._sorted_paths:
            for name in defined.keys() & raw_words(self.bytes_of(p)):
                defined[name].append(p)
        return {name.decode("utf-8", "replace"): paths for name, paths in defined.items()}

    @cached_property
    def _importers(self) -> Importers:
        return Importers(self, self._sorted_paths, self.bytes_of)

    def bounds_of(self, path: str, source: Source | None, override: str | None) -> TorchBounds:
        """The torch that is declared for a file; `override` is the setting that wins over every manifest."""
        from ckpt_lint.project.bounds import BoundsCache, declared_torch, parse_override

        if self.disk.manifests is None:
            self.disk.manifests = BoundsCache(roots=self.disk.roots)
        return declared_torch(
            path,
            self.root,
            cache=self.disk.manifests,
            source_text=source.text if source is not None and not source.is_notebook else None,
            notebook_manifests=tuple((m.name, m.text) for m in source.manifests) if source is not None else (),
            override=parse_override(override) if override else None,
        )


def _text_key(source: Source) -> tuple[int, int]:
    """What tells a text from others, where the text itself is not kept."""
    return len(source.text), hash(source.text)


def _taking(name: str) -> Callable[[bytes], bool]:
    """What tells of a file's bytes whether it calls something called `name`, or renames it."""
    call, renaming = name.encode() + b"(", name.encode() + b" as "
    exactly = re.compile(rb"\b%s(?:\(| as )" % re.escape(name.encode()))
    return lambda data: (call in data or renaming in data) and exactly.search(data) is not None


def _contains(data: bytes | None, words: Sequence[bytes]) -> bool:
    return data is not None and any(word in data for word in words)

