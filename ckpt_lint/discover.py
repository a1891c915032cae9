"""Which files a run is about: the paths of the command line, and what the folders among them hold.

Folders are walked in the order of names. What `.gitignore` ignores (nested ones, and `.git/info/exclude`, up to the
repository's root), what `exclude` names and what is a virtual environment is passed by; hidden folders are searched, as
ruff does. Links to files are followed, links to folders are not, so that no loop is possible. A path that the command
line names is taken as it is, unless `force-exclude` says otherwise.

A file that the command line names is a checkpoint file by its name, or by bytes that no text begins with; a URL always
is. Folders give code, and checkpoint files where `--checkpoints` or `checkpoints-include` says so; the folder of a
distributed checkpoint, which holds a `.metadata`, is one input.
"""

from __future__ import annotations

import functools
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ckpt_lint.config import Configs
from ckpt_lint.model import Problem, Status
from ckpt_lint.settings import CHECKPOINT_FILES, DEFAULT_INCLUDE, Patterns, Settings, too_wild

if TYPE_CHECKING:
    import pathspec

STDIN = "-"
DISTRIBUTED = ".metadata"
"""The file that makes a folder a distributed checkpoint."""

_EDITOR_LOCK = ".#"
_CODE = tuple(glob.removeprefix("*") for glob in DEFAULT_INCLUDE)
_SUFFIXES = (
    *(glob.removeprefix("*") for glob in CHECKPOINT_FILES),
    ".pkl", ".pickle", ".joblib", ".dill", ".npy", ".npz", ".onnx", ".h5", ".hdf5", ".gguf", ".tar", ".zip", ".gz",
)  # fmt: skip
_MAGIC = (b"\x80", b"PK\x03\x04", b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"x\x9c")
_HEAD = 512


@dataclass(frozen=True, slots=True)
class Target:
    """One input of the run, as the run names it; `problem` says why it cannot even be opened.

    `checkpoint` says that it is no code: a checkpoint file, the folder of a distributed one, or a URL.
    """

    path: str
    problem: Problem | None = None
    checkpoint: bool = False


def discover(paths: Sequence[str], configs: Configs) -> Iterator[Target]:
    """The inputs of a run, each once, in the order of `paths` and, in a folder, of names. Raises ConfigError."""
    seen: set[str] = set()
    for path in paths:
        for target in _under(path, configs):
            if len(paths) == 1 and not target.checkpoint:
                yield target  # a walk comes to no file of code twice, and may come to millions: no name is kept
                continue
            key = target.path if is_url(target.path) else os.path.abspath(target.path)
            if key not in seen:
                seen.add(key)
                yield target


def is_url(path: str) -> bool:
    """Whether a path is the URL of a checkpoint file."""
    return "://" in path


def is_excluded(path: str, configs: Configs) -> bool:
    """Whether `exclude` names the file `path` or a folder above it, below the configuration's root."""
    settings = configs.settings_for(path)
    return settings.excludes(path)


def would_take(path: str, top: str, configs: Configs) -> bool:
    """Whether a walk of the folder `top` comes to the file `path` below it (both absolute), whatever its name ends in.

    Nothing need be there: an editor asks it of a file that is not saved yet, and a watcher of one that is gone. Raises
    ConfigError.
    """
    ignores = tuple(ignore.without(top) for ignore in _ignores_above(top))
    folder = top
    *folders, name = os.path.relpath(path, top).split(os.sep)
    for part in folders:
        sieve = _Sieve(configs.settings_in(folder), top, ignores, folder)
        entry = _Place(part, os.path.join(folder, part))
        if not sieve.takes_folder(entry):
            return False
        folder, ignores = entry.path, sieve.ignores
    sieve = _Sieve(configs.settings_in(folder), top, ignores, folder)
    return not sieve.passes_by(_Place(name, path), is_folder=False)


def _under(path: str, configs: Configs) -> Iterator[Target]:
    if is_url(path):
        yield from _behind(path, configs)
        return
    problem = _problem_of(path)
    if problem is not None:
        yield Target(path, problem)
        return
    settings = configs.settings_for(os.path.join(path, "_")) if os.path.isdir(path) else configs.settings_for(path)
    if settings.force_exclude and settings.excludes(path):
        return
    if not os.path.isdir(path):
        yield _named(path, settings)
        return
    if os.path.isfile(os.path.join(path, DISTRIBUTED)):
        yield Target(path, checkpoint=True)
    yield from _walk(path, configs)


def _behind(url: str, configs: Configs) -> Iterator[Target]:
    """A checkpoint file behind a URL; with `--checkpoints` those of a folder behind it."""
    if not configs.checkpoints:
        yield Target(url, checkpoint=True)
        return
    from ckpt_lint.artifact.remote import RemoteError
    from ckpt_lint.artifact.remote_folder import checkpoints_below, is_folder

    try:
        if is_folder(url):
            yield from (Target(found.url, checkpoint=True) for found in checkpoints_below(url))
        else:
            yield Target(url, checkpoint=True)
    except RemoteError as error:
        yield Target(url, Problem(Status.UNREADABLE, str(error)), checkpoint=True)


def _named(path: str, settings: Settings) -> Target:
    """A file of the command line: code where its name says so, else a checkpoint where name or bytes say so."""
    if path.endswith(_CODE):
        return Target(path)
    folder = os.path.dirname(path) or os.curdir
    if os.path.basename(path) == DISTRIBUTED or _is_part(path, folder):
        return Target(folder, checkpoint=True)
    if path.lower().endswith(_SUFFIXES):
        return Target(path, checkpoint=True)
    return Target(path, checkpoint=_is_binary(path) and not settings.include.matches(path))


def _is_part(path: str, folder: str) -> bool:
    """Whether a file is a part of the distributed checkpoint that its folder is."""
    return path.endswith(".distcp") and os.path.isfile(os.path.join(folder, DISTRIBUTED))


def _is_binary(path: str) -> bool:
    """Whether the file begins as no text does; one that cannot be opened is left to whoever reads it."""
    try:
        with open(path, "rb") as stream:
            head = stream.read(_HEAD)
    except OSError:
        return False
    return b"\0" in head or head.startswith(_MAGIC)


def _problem_of(path: str) -> Problem | None:
    """Why nothing can be read at `path`. Opening is left to the reader: here only what is there counts."""
    try:
        mode = os.stat(path).st_mode
    except OSError as error:
        reason = error.strerror or str(error)
        if os.path.islink(path):
            reason = f"broken symbolic link ({reason})"
        return Problem(Status.UNREADABLE, reason)
    except ValueError as error:
        return Problem(Status.UNREADABLE, str(error))
    if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
        return None
    return Problem(Status.UNREADABLE, "neither a file nor a folder")


@dataclass(frozen=True, slots=True)
class _Folder:
    """A folder to search: as the run names it, as an absolute path, and the ignore files above its content."""

    shown: str
    path: str
    ignores: tuple[_Ignore, ...]


def _walk(top: str, configs: Configs) -> Iterator[Target]:
    """The files below `top`, which is taken even where a pattern means it."""
    absolute = os.path.abspath(top)
    above = tuple(ignore.without(absolute) for ignore in _ignores_above(absolute))
    pending: list[_Folder | Target] = [_Folder(top, absolute, above)]
    while pending:
        upcoming = pending.pop()
        if isinstance(upcoming, Target):
            yield upcoming
        else:
            pending.extend(reversed(_entries(upcoming, absolute, configs)))


def _entries(folder: _Folder, top: str, configs: Configs) -> list[_Folder | Target]:
    """What is taken of a folder, in the order of names."""
    try:
        entries = sorted(os.scandir(folder.path), key=lambda entry: entry.name)
    except OSError as error:
        return [Target(folder.shown, Problem(Status.UNREADABLE, error.strerror or str(error)))]
    sieve = _Sieve(configs.settings_in(folder.path), top, folder.ignores, folder.path)
    taken: list[_Folder | Target] = []
    for entry in entries:
        shown = entry.name if folder.shown == os.curdir else os.path.join(folder.shown, entry.name)
        if entry.is_dir(follow_symlinks=False):
            if sieve.takes_folder(entry):
                taken.append(_Folder(shown, entry.path, sieve.ignores))
        elif sieve.takes_file(entry) and not os.path.isdir(entry.path):
            taken.append(Target(shown, _problem_of(entry.path)))
        elif sieve.takes_checkpoint(entry) and not os.path.isdir(entry.path):
            taken.extend(_checkpoint(folder, entry, shown))
    return taken


def _checkpoint(folder: _Folder, entry: os.DirEntry[str], shown: str) -> Iterator[Target]:
    """A checkpoint file of a folder; those of a distributed checkpoint are one input, which is the folder."""
    if entry.name == DISTRIBUTED:
        yield Target(folder.shown, checkpoint=True)
    elif not _is_part(entry.path, folder.path):
        yield Target(shown, _problem_of(entry.path), checkpoint=True)


@dataclass(frozen=True, slots=True)
class _Place:
    """What a sieve asks of a folder's entry."""

    name: str
    path: str


class _Sieve:
    """What of one folder's entries is taken."""

    def __init__(self, settings: Settings, top: str, ignores: tuple[_Ignore, ...], folder: str) -> None:
        self.settings = settings
        self.exclude = _exclude_below(settings, top)
        self.ignores = (*ignores, *_ignores_in(folder)) if settings.respect_gitignore else ()

    def takes_folder(self, entry: os.DirEntry[str] | _Place) -> bool:
        return not self.passes_by(entry, is_folder=True) and not _is_environment(entry.path)

    def takes_file(self, entry: os.DirEntry[str] | _Place) -> bool:
        if entry.name.startswith(_EDITOR_LOCK) or not self.settings.include.matches(entry.path):
            return False
        return not self.passes_by(entry, is_folder=False)

    def takes_checkpoint(self, entry: os.DirEntry[str] | _Place) -> bool:
        if not self.settings.takes_checkpoint(entry.path):
            return False
        return not entry.name.startswith(_EDITOR_LOCK) and not self.passes_by(entry, is_folder=False)

    def passes_by(self, entry: os.DirEntry[str] | _Place, *, is_folder: bool) -> bool:
        if any(patterns.matches(entry.path) for patterns in self.exclude):
            return True
        verdict = False
        for ignore in self.ignores:
            own = ignore.verdict(entry.path, is_folder=is_folder)
            verdict = verdict if own is None else own
        return verdict


@functools.lru_cache(maxsize=64)
def _exclude_below(settings: Settings, top: str) -> tuple[Patterns, ...]:
    """The patterns of `exclude` that do not mean `top` itself, which the command line names."""
    return tuple(patterns.without(top) for patterns in settings.exclude)


def _is_environment(folder: str) -> bool:
    """A virtual environment, whatever it is called: `venv` and `virtualenv` leave a pyvenv.cfg, conda its history."""
    return os.path.isfile(os.path.join(folder, "pyvenv.cfg")) or os.path.isdir(os.path.join(folder, "conda-meta"))


@dataclass(frozen=True, slots=True)
class _Ignore:
    """The patterns of an ignore file, and the folder that they are relative to."""

    base: str
    lines: tuple[str, ...]
    spec: pathspec.GitIgnoreSpec

    def verdict(self, path: str, *, is_folder: bool) -> bool | None:
        """True: ignored, False: taken back by `!`, None: nothing said. `path` is absolute and below `base`."""
        relative = path[len(self.base.rstrip(os.sep)) + 1 :]
        return self.spec.check_file(f"{relative}/" if is_folder else relative).include

    def without(self, folder: str) -> _Ignore:
        """These patterns, less those that ignore `folder` or what is above it."""
        relative = folder[len(self.base.rstrip(os.sep)) + 1 :] + "/"
        return _ignore(self.base, tuple(line for line in self.lines if not _spec((line,)).match_file(relative)))


def _ignore(base: str, lines: tuple[str, ...]) -> _Ignore:
    return _Ignore(base, lines, _spec(lines))


def _spec(lines: tuple[str, ...]) -> pathspec.GitIgnoreSpec:
    import pathspec

    # one that could keep us for ever ignores nothing: more is checked, not less
    return pathspec.GitIgnoreSpec.from_lines(line for line in lines if too_wild(line) is None)


def _ignores_above(folder: str) -> tuple[_Ignore, ...]:
    """The ignore files from the repository's root down to, and without, `folder`; none outside a repository."""
    above = []
    current = folder
    while not os.path.exists(os.path.join(current, ".git")):
        parent = os.path.dirname(current)
        if parent == current:
            return ()
        above.append(parent)
        current = parent
    found = _read_ignore(current, os.path.join(".git", "info", "exclude"))
    for parent in reversed(above):
        found += _read_ignore(parent, ".gitignore")
    return found


def _ignores_in(folder: str) -> tuple[_Ignore, ...]:
    return _read_ignore(folder, ".gitignore")


def _read_ignore(base: str, name: str) -> tuple[_Ignore, ...]:
    path = os.path.join(base, name)
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            lines = stream.read().splitlines()
    except OSError:
        return ()
    return (_ignore(base, tuple(line for line in lines if _is_pattern(line))),)


def _is_pattern(line: str) -> bool:
    """Whether the line can be read as a pattern: git, too, passes one by that it cannot read."""
    try:
        _spec((line,))
    except ValueError:
        return False
    return True
