"""What decides the verdict on a file, as one digest: the key under which the verdict is kept.

A verdict on a file rests on its text, on the other files of its project, on the torch that is declared for it, on the
settings, and on this program: the key is a digest of all of these, contents and not dates, so that a changed manifest or
a changed helper three files away makes every verdict of the project anew. Dates, sizes and inode numbers only save
reading files again whose digest is known, as git's index does; what was written in the last two seconds is read again.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Mapping
from functools import cache
from hashlib import blake2b

from ckpt_lint.plain import plain
from ckpt_lint.project.reader import ProjectFiles
from ckpt_lint.settings import Settings

_FRESH = 2_000_000_000
"""Nanoseconds for which a change may not show in a file's dates."""

Stamp = tuple[int, int, int, int, str]
"""Size, times of change of the text and of the entry in ns, inode number, and digest of the text."""


class Keys:
    """The keys of verdicts on files of one project, as it is when this is made.

    `known` are the stamps of an earlier run, `stamps` those of now; `paths` are files to stamp beside the project's own.
    """

    def __init__(self, files: ProjectFiles, known: Mapping[str, Stamp], paths: Iterable[str] = ()) -> None:
        self.files = files
        every = sorted({*files.index.paths, *paths})
        self.stamps = {path: _stamp(path, known.get(path)) for path in every}
        self.state = digest(*(f"{path}\0{self.stamps[path][4]}" for path in files.listed))
        self._common: dict[tuple[str, int], str] = {}
        self._texts: dict[int, tuple[Settings, str]] = {}

    def of(self, path: str, settings: Settings, text: str | None = None) -> str:
        """The key of the verdict on a file; `text` is the digest of a text of it that is not the one on disk."""
        absolute = os.path.abspath(path)
        return digest(self._shared(absolute, settings), path, self.stamps[absolute][4] if text is None else f"={text}")

    def _shared(self, path: str, settings: Settings) -> str:
        """The digest of what decides the verdicts on all files of a folder that have the same settings."""
        key = (os.path.dirname(path), id(settings))
        if key not in self._common:
            bounds = self.files.bounds_of(path, None, settings.torch_version)
            self._common[key] = digest(_maker(), os.getcwd(), self.state, self._text_of(settings), repr(bounds))
        return self._common[key]

    def _text_of(self, settings: Settings) -> str:
        """Settings as text, made once for all folders that share them."""
        if id(settings) not in self._texts:
            self._texts[id(settings)] = (settings, repr(plain(settings)))  # held, or another's id could be the same
        return self._texts[id(settings)][1]


def digest(*parts: str) -> str:
    """One digest of several texts, each with its length."""
    out = blake2b(digest_size=20)
    for part in parts:
        data = part.encode("utf-8", "surrogateescape")
        out.update(b"%d:" % len(data))
        out.update(data)
    return out.hexdigest()


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
    return digest(repr((sys.version_info[:3], stamps)))


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
