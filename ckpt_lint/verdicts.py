"""Verdicts of earlier runs, kept as long as nothing that decides them has changed.

A verdict on a file rests on its text, on the other files of its project, on the torch that is declared for it, on the
settings, and on this program: its key is a digest of all of these, contents and not dates, so that a changed manifest or
a changed helper three files away makes every verdict of the project anew. Dates, sizes and inode numbers only save
reading files again whose digest is known, as git's index does; what was written in the last two seconds is read again.

Nothing is kept of a file of which something could not be checked. The table is read back with `marshal`, which trusts
what it reads: see `ckpt_lint.cache_folder` for whose the folder is.
"""

from __future__ import annotations

import marshal
import os
import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from hashlib import blake2b
from typing import Any

from ckpt_lint.cache_folder import opened, sealed, write_whole
from ckpt_lint.config import Configs
from ckpt_lint.discover import Target
from ckpt_lint.model import Outcome
from ckpt_lint.plain import plain, restored
from ckpt_lint.project.reader import Disk, ProjectFiles
from ckpt_lint.settings import Settings

FORMAT = 1
MANY = 10_000
"""Files of a project from which a run over a small part of it makes no table: for that all of them would be read."""

_MAGIC = b"CKPV1"
_FRESH = 2_000_000_000
"""Nanoseconds for which a change may not show in a file's dates."""

Stamp = tuple[int, int, int, int, str]
"""Size, times of change of the text and of the entry in ns, inode number, and digest of the text."""


@cache
def _maker() -> str:
    """This program as it is installed, and the Python that runs it."""
    here = os.path.dirname(os.path.abspath(__file__))
    stamps = []
    for folder, folders, names in os.walk(here):
        folders.sort()
        for name in sorted(names):
            if name.endswith(".py"):
                state = os.stat(os.path.join(folder, name))
                stamps.append((folder, name, state.st_size, state.st_mtime_ns))
    return _digest(repr((sys.version_info[:3], stamps)))


@dataclass
class _Table:
    """What is kept of one project: the stamps of its files, and verdicts, each with the key that it was given under."""

    stamps: dict[str, Stamp] = field(default_factory=dict)
    verdicts: dict[str, tuple[str, Any]] = field(default_factory=dict)


@dataclass
class _Project:
    """A project of a run: its files, what is kept of it, and the digest of its texts."""

    files: ProjectFiles
    place: str
    table: _Table
    targets: list[Target]
    state: str = ""
    common: dict[str, str] = field(default_factory=dict)


class Verdicts:
    """The verdicts that are kept in a cache folder, as one run over `targets` sees them."""

    def __init__(self, folder: str, configs: Configs, targets: Sequence[Target]) -> None:
        self.folder = os.path.join(folder, "verdicts")
        self.configs = configs
        self.disk = Disk()
        self._of: dict[str, tuple[str, Outcome | None]] = {}
        self._texts: dict[int, str] = {}
        self._projects = [project for project in self._found(targets) if self._is_worth_it(project)]
        for project in self._projects:
            project.state = self._state(project)
            for target in project.targets:
                self._look_up(project, target)

    def of(self, target: Target) -> Outcome | None:
        """The verdict on a target, None where it has to be judged."""
        return self._of.get(target.path, ("", None))[1]

    def keep(self, outcomes: Iterable[Outcome]) -> None:
        """Write down what was judged. Where that fails there is nothing to find the next time."""
        fresh = {outcome.path: outcome for outcome in outcomes if not outcome.problems}
        for project in self._projects:
            mine = [t.path for t in project.targets if t.path in fresh]
            if not mine:
                continue
            project.files = Disk().project_of(mine[0])
            project.state = self._state(project)
            project.common.clear()
            for path in mine:
                if self._key(project, path) == self._of[path][0]:  # nothing was written while it was judged
                    project.table.verdicts[path] = (self._of[path][0], plain(fresh[path]))
            with suppress(OSError):
                os.makedirs(self.folder, exist_ok=True)
                write_whole(project.place, _encoded(project.table))

    # -- projects ---------------------------------------------------------------------------------------------------

    def _found(self, targets: Sequence[Target]) -> Iterable[_Project]:
        found: dict[str, _Project] = {}
        for target in targets:
            if target.problem is None and not target.checkpoint:
                files = self.disk.project_of(target.path)
                if files.root not in found:
                    place = os.path.join(self.folder, _digest(files.root, os.getcwd()))
                    found[files.root] = _Project(files, place, _Table(), [])
                found[files.root].targets.append(target)
        return found.values()

    def _is_worth_it(self, project: _Project) -> bool:
        """Whether a table is there, or this run looks at so much of the project that one is made."""
        known = _read(project.place)
        project.table = known or _Table()
        total = len(project.files.index.paths)
        if known is None and total > MANY and 2 * len(project.targets) < total:
            return False
        return not project.files.is_cut

    def _state(self, project: _Project) -> str:
        """The digest of the texts of a project's files, its own list included."""
        paths = sorted({*project.files.index.paths, *(os.path.abspath(t.path) for t in project.targets)})
        known, stamps = project.table.stamps, dict[str, Stamp]()
        for path in paths:
            stamps[path] = _stamp(path, known.get(path))
        project.table.stamps = stamps
        return _digest(*(f"{path}\0{stamps[path][4]}" for path in project.files.listed))

    # -- keys -------------------------------------------------------------------------------------------------------

    def _key(self, project: _Project, path: str) -> str:
        """The digest of all that decides the verdict on a target."""
        absolute = os.path.abspath(path)
        return _digest(self._common(project, absolute), path, project.table.stamps[absolute][4])

    def _common(self, project: _Project, path: str) -> str:
        """The digest of what decides the verdicts on all files of a folder."""
        folder = os.path.dirname(path)
        if folder not in project.common:
            settings = self.configs.settings_in(folder)
            bounds = project.files.bounds_of(path, None, settings.torch_version)
            shared = (_maker(), os.getcwd(), project.state, self._text_of(settings), repr(bounds))
            project.common[folder] = _digest(*shared)
        return project.common[folder]

    def _text_of(self, settings: Settings) -> str:
        """Settings as text, made once for all folders that share them: `configs` keeps what it gave out."""
        if id(settings) not in self._texts:
            self._texts[id(settings)] = repr(plain(settings))
        return self._texts[id(settings)]

    def _look_up(self, project: _Project, target: Target) -> None:
        key = self._key(project, target.path)
        kept = project.table.verdicts.get(target.path)
        outcome = None
        if kept is not None and kept[0] == key:
            with suppress(ValueError):
                outcome = restored(kept[1])
        self._of[target.path] = (key, outcome)


def _digest(*parts: str) -> str:
    digest = blake2b(digest_size=20)
    for part in parts:
        data = part.encode("utf-8", "surrogateescape")
        digest.update(b"%d:" % len(data))
        digest.update(data)
    return digest.hexdigest()


def _stamp(path: str, known: Stamp | None) -> Stamp:
    """The stamp of a file as it is now; of one that cannot be read all zeros."""
    try:
        state = os.stat(path)
        seen = (state.st_size, state.st_mtime_ns, state.st_ctime_ns, state.st_ino)
        if known is not None and known[:4] == seen:
            return known
        with open(path, "rb") as file:
            text = blake2b(file.read(), digest_size=20).hexdigest()
    except OSError:
        return (0, 0, 0, 0, "")
    if max(seen[1], seen[2]) > time.time_ns() - _FRESH:
        return (-1, 0, 0, 0, text)
    return (*seen, text)


def _encoded(table: _Table) -> bytes:
    return sealed(_MAGIC, marshal.dumps((FORMAT, table.stamps, table.verdicts)))


def _read(place: str) -> _Table | None:
    """The table of a project, None where there is none, or a damaged one."""
    try:
        with open(place, "rb") as file:
            version, stamps, verdicts = marshal.loads(opened(_MAGIC, file.read()))
    except (OSError, ValueError):
        return None
    return _Table(stamps, verdicts) if version == FORMAT else None
