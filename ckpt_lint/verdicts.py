"""Verdicts of earlier runs, kept as long as nothing that decides them has changed (`ckpt_lint.verdict_keys`).

Nothing is kept of a file of which something could not be checked. The table is read back with `marshal`, which trusts
what it reads: see `ckpt_lint.cache_folder` for whose the folder is.
"""

from __future__ import annotations

import marshal
import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from ckpt_lint.cache_folder import opened, sealed, write_whole
from ckpt_lint.config import Configs
from ckpt_lint.discover import Target
from ckpt_lint.model import Outcome
from ckpt_lint.plain import plain, restored
from ckpt_lint.project.reader import Disk, ProjectFiles
from ckpt_lint.verdict_keys import Keys, Stamp, digest

FORMAT = 1
MANY = 10_000
"""Files of a project from which a run over a small part of it makes no table: for that all of them would be read."""

_MAGIC = b"CKPV1"


@dataclass
class _Table:
    """What is kept of one project: the stamps of its files, and verdicts, each with the key that it was given under."""

    stamps: dict[str, Stamp] = field(default_factory=dict)
    verdicts: dict[str, tuple[str, Any]] = field(default_factory=dict)


@dataclass
class _Project:
    """A project of a run: its files, and what is kept of it."""

    files: ProjectFiles
    place: str
    table: _Table
    targets: list[Target]

    def keys(self, files: ProjectFiles) -> Keys:
        """The keys of its verdicts as its files are now; their stamps go into the table."""
        keys = Keys(files, self.table.stamps, (os.path.abspath(target.path) for target in self.targets))
        self.table.stamps = keys.stamps
        return keys


class Verdicts:
    """The verdicts that are kept in a cache folder, as one run over `targets` sees them."""

    def __init__(self, folder: str, configs: Configs, targets: Iterable[Target]) -> None:
        self.folder = os.path.join(folder, "verdicts")
        self.configs = configs
        self.disk = Disk()
        self._of: dict[str, tuple[str, Outcome | None]] = {}
        self._projects = [project for project in self._found(targets) if self._is_worth_it(project)]
        for project in self._projects:
            keys = project.keys(project.files)
            for target in project.targets:
                self._look_up(project, target, keys)

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
            keys = project.keys(Disk().project_of(mine[0]))
            for path in mine:
                if self._key(keys, path) == self._of[path][0]:  # nothing was written while it was judged
                    project.table.verdicts[path] = (self._of[path][0], plain(fresh[path]))
            with suppress(OSError):
                os.makedirs(self.folder, exist_ok=True)
                write_whole(project.place, _encoded(project.table))

    def _found(self, targets: Iterable[Target]) -> Iterable[_Project]:
        found: dict[str, _Project] = {}
        for target in targets:
            if target.problem is None and not target.checkpoint:
                files = self.disk.project_of(target.path)
                if files.root not in found:
                    place = os.path.join(self.folder, digest(files.root, os.getcwd()))
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

    def _key(self, keys: Keys, path: str) -> str:
        return keys.of(path, self.configs.settings_for(path))

    def _look_up(self, project: _Project, target: Target, keys: Keys) -> None:
        key = self._key(keys, target.path)
        kept = project.table.verdicts.get(target.path)
        outcome = None
        if kept is not None and kept[0] == key:
            with suppress(ValueError):
                outcome = restored(kept[1])
        self._of[target.path] = (key, outcome)


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
