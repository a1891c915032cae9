"""What a run knows of the projects that its files belong to: the modules around a file, and the torch they declare."""

from __future__ import annotations

import gc
import os
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import TYPE_CHECKING

from ckpt_lint.project.imports import Import, reached, words_of
from ckpt_lint.project.reader import Disk, ProjectFiles
from ckpt_lint.settings import ApiNames, Settings
from ckpt_lint.source.enclosing import without_texts

if TYPE_CHECKING:
    from ckpt_lint.facts.view import Facts
    from ckpt_lint.model import Span
    from ckpt_lint.project.bounds import TorchBounds
    from ckpt_lint.source.module import ModuleFacts
    from ckpt_lint.source.read import Read
    from ckpt_lint.source.text import Source

MAX_NODES = 340_000
"""Syntax facts that are held, about 0.4 kB each; then those of a project are packed, and unpacked when asked for."""

LEFT_OVER = 300_000
"""Syntax facts that were let go of, from which the collector is asked for what is left of them: a few in a hundred."""

CHARACTERS_A_NODE = 6
"""How much text is taken for one syntax fact before it is read; of real files, sliced, it is some 20."""

FEW_NAMES = 10
"""So many names are looked for in a file's bytes before its words are made."""

MAX_PROJECTS = 2
"""Projects of which the modules are kept: a run goes through files by name, so one project after the other."""


class KnownProject:
    """One project under one set of API names: its files, and the facts that all of them share."""

    def __init__(self, files: ProjectFiles, api: ApiNames) -> None:
        self.files = files
        self.api = api

    @cached_property
    def facts(self) -> Facts:
        """The facts of the project as it lies on disk."""
        from ckpt_lint.facts.view import Facts
        from ckpt_lint.facts.world import World

        return Facts(World(self.files, api=self.api))

    def drop(self) -> None:
        """Forget texts and facts. Answers do not depend on it: they are read and made again when they are asked for."""
        self._forget_facts()
        self.files.drop()

    def let_go(self) -> None:
        """Free what is known: nothing of the project is asked for afterwards."""
        self._forget_facts()
        self.files.let_go()

    def _forget_facts(self) -> None:
        known: Facts | None = self.__dict__.pop("facts", None)
        if known is not None:
            known.let_go()

    def reaches(self, path: str, data: bytes, found: Iterable[Import]) -> bool:
        """Whether a file names a save or load wrapper of the project that its imports `found` reach."""
        words = cache(lambda: words_of(data))
        code = cache(lambda: words_of(without_texts(data)))
        stands = cache(lambda name: name.encode() in data)  # many files offer the same few names
        looks = any(word.encode() in data for word in _EXISTENCE) and not _EXISTENCE.isdisjoint(words())
        compares = _COMPARED.search(data) is not None
        ranks = cache(lambda: _speaks_of_ranks(words()))
        for target in reached(self.files, path, found, words, mattering=True):
            if not self.files.matters(target):
                continue
            names = self._offered_by(target)
            if looks:
                names = names | self._restoring_in(target)
            if compares:
                names = names | self._saving_in(target)
            if not self._syncing_in(target).isdisjoint(words()) and ranks():
                return True
            if names & _METHODS:
                return True
            # a docstring that names it is no call
            if not names or (len(names) <= FEW_NAMES and not any(map(stands, names))):
                continue
            if not (names.isdisjoint(words()) or names.isdisjoint(code())):
                return True
        return False

    def _restoring_in(self, path: str) -> frozenset[str]:
        """The functions of a file that restore something: a caller may pass them by where there is no checkpoint."""
        return self.files.functions_calling(path, "load_state_dict")

    def _saving_in(self, path: str) -> frozenset[str]:
        """The functions of a file that save something: a caller may do so where a metric improved."""
        return self.files.functions_calling(path, ".save(")

    def _syncing_in(self, path: str) -> frozenset[str]:
        """The functions of a file that may save or load with all processes: a caller may leave all but one out."""
        return self.files.remembered(path, "syncing", lambda: _syncing(self.files.bytes_of(path)))

    def _offered_by(self, path: str) -> frozenset[str]:
        """The names of what a file may offer: save and load wrappers, and functions that call some."""
        return self.files.remembered(path, "offered", lambda: self._find_offered(path))

    def _find_offered(self, path: str) -> frozenset[str]:
        from ckpt_lint.facts.reach import callers_by_name

        saves, loads, data = self.facts.saves, self.facts.loads, self.files.bytes_of(path)
        if not (saves.wrappers.near(path, data) or loads.wrappers.near(path, data)):
            return frozenset()
        names: frozenset[str] = frozenset()
        for module in self.facts.world.modules_of(path):
            own = saves.wrapping(module) | loads.wrapping(module)
            own |= saves.callable_names(module) | loads.callable_names(module)
            names |= own | callers_by_name(module, own)
        return names


_EXISTENCE = frozenset({"exists", "lexists", "isfile", "isdir", "is_file", "is_dir", "access"})

_METHODS = frozenset({"__call__", "__init__"})

_COMPARED = re.compile(rb"(?i:best)|<|[^-=]>")
"""What stands in a file that tells whether a metric improved."""

_SYNCS = re.compile(
    rb"barrier|gather|broadcast|bcast|scatter|all_?reduce|FSDP|FullyShard|fully_shard|deepspeed|distributed\.checkpoint"
    rb"|state_dict_type|wait_for_everyone|[Ll]ightning"
)
_DEF = re.compile(rb"\bdef[ \t]+(\w+)")


def _syncing(data: bytes) -> frozenset[str]:
    from ckpt_lint.facts.collectives import SAVES_OR_LOADS

    if _SYNCS.search(data) is None:
        return frozenset()
    names = (name.decode("utf-8", "replace") for name in _DEF.findall(data))
    return frozenset(name for name in names if SAVES_OR_LOADS.search(name))


def _speaks_of_ranks(words: Iterable[str]) -> bool:
    from ckpt_lint.facts.ranks import MAIN, RANK

    return any(MAIN.search(word) or RANK.search(word) for word in words)
"""Wrappers that a caller does not name."""

NAMELESS = "a source without a name belongs to no project: what other files and manifests say of it is not known"


def _placed(path: str, row: int | None, message: str) -> str:
    if path in message:
        return message
    return f"{path}: {message}" if row is None else f"{path}:{row}: {message}"


@dataclass
class Workspace:
    """The projects of one run; what is read of the disk is kept."""

    disk: Disk = field(default_factory=Disk)
    known: dict[tuple[str, ApiNames], KnownProject] = field(default_factory=dict)
    left_over: int = 0

    def project_of(self, source: Source, settings: Settings, *, named: bool = True) -> FileProject:
        """The project of a source. `named` says whether its path is a place on disk; else nothing is looked up."""
        path = os.path.abspath(source.path) if named else os.path.join(settings.root, "stdin.py")
        return FileProject(self.project_at(path, settings, coming=len(source.text)), settings, path, named)

    def project_at(self, path: str, settings: Settings, *, coming: int = 0) -> KnownProject:
        """The project of the file at an absolute path, which is about to be read if its length is `coming`."""
        self.disk.slicing = settings.gate
        files = self.disk.project_of(path)
        key = (files.root, settings.api)
        project = self.known.pop(key, None) or KnownProject(files, settings.api)
        self.known[key] = project  # the latest last
        self._trim(project, coming)
        while len(self.known) > MAX_PROJECTS:
            oldest = next(iter(self.known))
            gone = self.known.pop(oldest)
            self._let_go(gone.files.nodes, gone.let_go)
            self.disk.forget(oldest[0])
        return project

    def _trim(self, project: KnownProject, coming: int) -> None:
        """Make room for the facts of a text of `coming` characters: at the cost of other projects before the own."""
        wanted = coming // CHARACTERS_A_NODE
        for known in (*(other for other in self.known.values() if other is not project), project):
            if known.files.nodes and self._held() + wanted > MAX_NODES:
                self._let_go(known.files.nodes, known.drop)

    def _held(self) -> int:
        return sum(known.files.nodes for known in self.known.values())

    def _let_go(self, nodes: int, free: Callable[[], None]) -> None:
        """Free facts, and now and then what is left of them because it names itself: the collector is asked for that."""
        free()
        self.left_over += nodes
        if self.left_over > LEFT_OVER:
            gc.collect()
            self.left_over = 0

    def reaches(self, path: str, data: bytes, settings: Settings, found: Iterable[Import]) -> bool:
        """Whether a file that the gate would let pass calls a wrapper of its project, given its own imports."""
        path = os.path.abspath(path)
        return self.project_at(path, settings).reaches(path, data, found)


@dataclass(frozen=True)
class FileProject:
    """A project as one of its files sees it: what `engine.Project` asks for."""

    project: KnownProject
    settings: Settings
    path: str
    named: bool

    def read(self, source: Source) -> Read:
        """The modules of the source: those of the project where the file on disk is the same."""
        if self.named:
            known = self.project.files.read_as(self.path, source)
            if known is not None:
                return known
        from ckpt_lint.source.read import read_modules

        return read_modules(source, self.path, slicing=self.settings.gate, cache=self.project.files.disk.cache)

    def confirmed(self, source: Source, read: Read, at: Sequence[Span]) -> Read:
        """What LibCST says of a source of which a draft was read, and of which something is said `at` some places."""
        from ckpt_lint.source.read import confirmed

        path = self.path if self.named else None
        return confirmed(source, read, path, at=at, cache=self.project.files.disk.cache)

    def facts(self, modules: Sequence[ModuleFacts]) -> Facts:
        """The project's facts, with these modules of the file in place of those on disk."""
        if self.named and tuple(modules) == tuple(self.project.files.read(self.path)):
            return self.project.facts
        from ckpt_lint.facts.view import Facts
        from ckpt_lint.facts.world import World

        world = World(self.project.files if self.named else None, api=self.settings.api, partial=not self.named)
        world.add(modules)
        return Facts(world)

    def bounds(self, source: Source) -> TorchBounds:
        """The torch that is declared for the file: the settings' own, else what manifests say."""
        return self.project.files.bounds_of(self.path, source, self.settings.torch_version)

    def notes(self, source: Source) -> tuple[str, ...]:
        """What a reader has to know so as not to take silence for an answer. Asked once the source is judged."""
        if not self.named:
            return (NAMELESS,)
        said = [_placed(self.display(path), row, text) for path, row, text in self.bounds(source).problems]
        return (*said, self.project.files.note) if self.project.files.note else tuple(said)

    def display(self, path: str) -> str:
        """A file of the project as a run in the working folder names it."""
        relative = os.path.relpath(path)
        return path if relative.startswith(os.pardir) else relative

    def source(self, path: str) -> Source | None:
        """The text of another file of the project."""
        return self.project.files.source(path)
