"""The project as it was at one moment: what is saved on disk, with what is open in the editor on top.

Used by one thread. A snapshot is thrown away when anything changes but the document that is being typed in; that one
is checked with its newest text in any case.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ckpt_lint.boundary import guarded
from ckpt_lint.config import ConfigError, Configs
from ckpt_lint.discover import would_take
from ckpt_lint.model import Applicability, Outcome
from ckpt_lint.project.reader import read_bytes
from ckpt_lint.run import FileResult, Mode, Worker
from ckpt_lint.server.documents import BOM, Subject
from ckpt_lint.settings import Settings
from ckpt_lint.source.collector import collector_off

_LIBRARIES = ("site-packages", "dist-packages")
"""Folders of what is installed. A project that lies in one is checked where the editor has opened it as a folder."""

SAFE = frozenset({Applicability.SAFE})


@dataclass(frozen=True)
class Checked:
    """What was found in a subject. `error` says why the configuration cannot be used, `passed` that it excludes it."""

    subject: Subject
    result: FileResult
    error: str | None = None
    passed: bool = False


class Snapshot:
    """Checks documents against the files as they are now, with `overlay` in place of those that are open."""

    def __init__(
        self, configs: Configs, overlay: Mapping[str, bytes], folders: Sequence[str], *, cache: str | None
    ) -> None:
        self._given, self._overlay, self._cache = configs, overlay, cache
        self._folders = sorted(folders, key=len, reverse=True)
        self._workers: dict[str, Worker] = {}

    def read(self, path: str) -> bytes | None:
        """The bytes of a file as the editor shows them, None where they cannot be had."""
        return self._overlay[path] if path in self._overlay else read_bytes(path)

    def check(self, subject: Subject) -> Checked:
        """What the rules find. Nothing is raised."""
        top = self._top(subject.path)
        worker = self._workers.get(top)
        if worker is None:
            worker = self._workers[top] = Worker(self._configs(top), Mode(cache=self._cache), read=self.read)
        return self._judged(subject, worker, top)

    def fix(self, subject: Subject) -> Checked:
        """The same with the safe fixes in it; nothing is written."""
        top = self._top(subject.path)
        mode = Mode(SAFE, cache=self._cache)
        return self._judged(subject, Worker(self._configs(top), mode, read=self.read), top)

    def _top(self, path: str | None) -> str:
        """The folder of the workspace that a file is in, else the file's own."""
        if path is None:
            return self._folders[-1] if self._folders else os.getcwd()
        inside = (folder for folder in self._folders if path.startswith(folder.rstrip(os.sep) + os.sep))
        return next(inside, os.path.dirname(path))

    def _takes(self, path: str, top: str, configs: Configs) -> bool:
        """Whether a file is to be checked: a library that somebody looks into is not."""
        if top not in self._folders and any(part in _LIBRARIES for part in path.split(os.sep)):
            return False
        return would_take(path, top, configs)

    def _configs(self, top: str) -> Configs:
        given = self._given
        return Configs(given.rules, given.overrides, given.config, given.isolated, given.gate, working_folder=top)

    def _judged(self, subject: Subject, worker: Worker, top: str) -> Checked:
        path = subject.path
        name = path or ("untitled.ipynb" if subject.is_notebook else "-")
        try:
            settings = worker.configs.settings_for(path or os.path.join(top, "_.py"))
            taken = path is None or self._takes(path, top, worker.configs)
        except ConfigError as error:
            return Checked(subject, FileResult(Outcome(name)), error=str(error))
        if not taken:
            return Checked(subject, FileResult(Outcome(name)), passed=True)
        if path is None:
            settings = replace(settings, per_file_ignores=())
        return Checked(subject, _result(subject, name, worker, settings))


def _result(subject: Subject, name: str, worker: Worker, settings: Settings) -> FileResult:
    named = subject.path is not None
    found: list[FileResult] = []

    def judge() -> Outcome:
        if subject.is_notebook:
            found.append(worker.check_bytes(name, subject.data, settings, named=named))
        else:
            text = subject.buffers[0][1].text.removeprefix(BOM)
            found.append(worker.check_text(name, text, settings, named=named))
        return found[0].outcome

    with collector_off():
        outcome = guarded(name, judge)
    return found[0] if found else FileResult(outcome)
