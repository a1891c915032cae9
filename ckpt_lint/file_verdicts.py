"""Verdicts of earlier runs, one file at a time: for a program that never says which files it will ask about.

What decides a verdict is the same as for a run of our own (`ckpt_lint.verdict_keys`). flake8 divides its files among
processes that know nothing of each other, so a project has a folder here with one log of verdicts for each state of its
files; a process appends to it what it judged, once and at its end. A log of another state is of no more use and removed.
"""

from __future__ import annotations

import marshal
import os
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from ckpt_lint.cache_folder import opened, sealed, write_whole
from ckpt_lint.model import Outcome
from ckpt_lint.plain import plain, restored
from ckpt_lint.project.reader import Disk
from ckpt_lint.settings import Settings
from ckpt_lint.verdict_keys import Keys, Stamp, digest

MANY = 10_000
"""Files of a project from which no verdicts are kept: to know that nothing changed, every process looks at all of them."""

_STAMPS = "stamps"
_LOG = ".log"
_MAGIC_STAMPS = b"CKPS1"
_MAGIC_RECORDS = b"CKPR1"
_LENGTH = 8


@dataclass
class _Project:
    """A project: its keys, what is known of its verdicts, and those of them that are new."""

    keys: Keys
    place: str
    known: dict[str, Any]
    fresh: dict[str, Any] = field(default_factory=dict)

    @property
    def log(self) -> str:
        return os.path.join(self.place, self.keys.state + _LOG)


class FileVerdicts:
    """The verdicts that are kept in a cache folder, asked for and added one by one. `write` keeps what was added."""

    def __init__(self, folder: str) -> None:
        self.folder = os.path.join(folder, "verdicts", "by-file")
        self._disk = Disk()
        self._projects: dict[str, _Project | None] = {}

    def get(self, path: str, text: str, settings: Settings) -> Outcome | None:
        """The verdict on `text` as the file `path`, None where it has to be judged."""
        project = self._project_of(path)
        if project is None:
            return None
        kept = project.known.get(_key(project, path, text, settings))
        if kept is None:
            return None
        with suppress(ValueError):
            found: Outcome = restored(kept)
            return found
        return None

    def add(self, path: str, text: str, settings: Settings, outcome: Outcome) -> None:
        """A verdict that was just given. What could not be checked is not kept."""
        project = self._project_of(path)
        if project is not None and not outcome.problems:
            project.fresh[_key(project, path, text, settings)] = plain(outcome)

    def write(self) -> None:
        """Keep what was added, of projects in which nothing was written meanwhile. Where that fails nothing is kept."""
        for root, project in self._projects.items():
            if project is None or not project.fresh:
                continue
            now = Keys(Disk().project_of(os.path.join(root, "_")), project.keys.stamps)
            if now.files.root == root and now.state == project.keys.state:
                with suppress(OSError):
                    _write(project, now.stamps)
            project.fresh = {}

    def _project_of(self, path: str) -> _Project | None:
        files = self._disk.project_of(os.path.abspath(path))
        if files.root not in self._projects:
            place = os.path.join(self.folder, digest(files.root, os.getcwd()))
            if len(files.index.paths) > MANY or files.is_cut:
                self._projects[files.root] = None
            else:
                project = _Project(Keys(files, _stamps(place)), place, {})
                project.known = _records(project.log)
                self._projects[files.root] = project
        return self._projects[files.root]


def _key(project: _Project, path: str, text: str, settings: Settings) -> str:
    return project.keys.of(path, settings, digest(text))


def _write(project: _Project, stamps: dict[str, Stamp]) -> None:
    os.makedirs(project.place, exist_ok=True)
    for name in os.listdir(project.place):
        if name.endswith(_LOG) and name != os.path.basename(project.log):
            os.unlink(os.path.join(project.place, name))
    write_whole(os.path.join(project.place, _STAMPS), sealed(_MAGIC_STAMPS, marshal.dumps(stamps)))
    record = sealed(_MAGIC_RECORDS, marshal.dumps(project.fresh))
    with open(project.log, "ab", buffering=0) as file:  # one write: the records of two processes do not mix
        file.write(len(record).to_bytes(_LENGTH, "little") + record)


def _stamps(place: str) -> dict[str, Stamp]:
    try:
        with open(os.path.join(place, _STAMPS), "rb") as file:
            stamps: dict[str, Stamp] = marshal.loads(opened(_MAGIC_STAMPS, file.read()))
    except (OSError, ValueError):
        return {}
    return stamps


def _records(log: str) -> dict[str, Any]:
    """What the processes of earlier runs wrote down; a damaged log is removed, since nothing after the damage is found."""
    known: dict[str, Any] = {}
    try:
        with open(log, "rb") as file:
            data = file.read()
        place = 0
        while place < len(data):
            start = place + _LENGTH
            place = start + int.from_bytes(data[place:start], "little")
            known.update(marshal.loads(opened(_MAGIC_RECORDS, data[start:place])))
    except OSError:
        return {}
    except ValueError:
        with suppress(OSError):
            os.unlink(log)
        return {}
    return known
