"""What is handed to a worker at once: whole projects, or a batch of checkpoint files. Made from a stream of targets."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ckpt_lint.config import ConfigError, Configs
from ckpt_lint.discover import Target, discover, is_url
from ckpt_lint.model import Problem, Status
from ckpt_lint.project.root import RootCache, project_root

FEW = 40
"""Files from which a project is handed out alone; smaller neighbours travel together, since a task costs a millisecond."""

MANY = 1_000
"""Files above which a project is handed out in parts: what a part needs of the rest it reads from the disk."""

HEADERS = 50
"""Checkpoint files in one batch."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """What tells one content of a file from another: bytes, nanoseconds since 1970, `sha256:...` or `etag:...`."""

    size: int | None = None
    mtime_ns: int | None = None
    digest: str | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """One input, by its absolute path or URL, and its stamp where a listing has told it already."""

    target: Target
    stamp: Stamp | None = None


@dataclass(frozen=True, slots=True)
class Unit:
    """Inputs that one worker checks in one go. `code` says whether they are files of projects, or checkpoints."""

    items: tuple[Item, ...]
    code: bool


def find(paths: Sequence[str], configs: Configs) -> Iterator[Item]:
    """The inputs of a run, with absolute paths. Raises ConfigError."""
    local = [path for path in paths if not is_url(path)]
    for target in discover(local, configs) if local else ():
        yield Item(Target(os.path.abspath(target.path), target.problem, target.checkpoint))
    seen: set[str] = set()
    for url in paths:
        for item in _behind(url, configs) if is_url(url) else ():
            if item.target.path not in seen:
                seen.add(item.target.path)
                yield item


def _behind(url: str, configs: Configs) -> Iterator[Item]:
    """A checkpoint file behind a URL, or those of the folder that it is. What cannot be listed is one input."""
    from ckpt_lint.artifact.remote import RemoteError
    from ckpt_lint.artifact.remote_folder import checkpoints_below, is_folder

    try:
        if not is_folder(url):
            yield Item(Target(url, checkpoint=True))
            return
        if not configs.checkpoints:
            raise ConfigError(
                f"{url} is a folder: --checkpoints takes its checkpoint files; code is checked on paths, not on URLs"
            )
        for found in checkpoints_below(url):
            # an index page names files and says no more of them: the worker asks
            stamp = None if found.size is None else Stamp(found.size, found.mtime_ns, found.digest)
            yield Item(Target(found.url, checkpoint=True), stamp)
    except RemoteError as error:
        yield Item(Target(url, Problem(Status.UNREADABLE, str(error)), checkpoint=True))


def units(items: Iterable[Item]) -> Iterator[Unit]:
    """The inputs in units, in an order that only the inputs decide. At most two units are held back."""
    roots = RootCache()
    code, headers = list[Item](), list[Item]()
    last: str | None = None
    for item in items:
        if item.target.checkpoint:
            headers.append(item)
            if len(headers) == HEADERS:
                yield Unit(tuple(headers), code=False)
                headers = []
            continue
        root = project_root(item.target.path, roots)
        if len(code) >= MANY or (root != last and len(code) >= FEW):
            yield Unit(tuple(code), code=True)
            code = []
        if root != last and len(roots.roots) > MANY:
            roots = RootCache()
        last = root
        code.append(item)
    if code:
        yield Unit(tuple(code), code=True)
    if headers:
        yield Unit(tuple(headers), code=False)
