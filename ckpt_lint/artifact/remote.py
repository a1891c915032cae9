"""Checkpoints behind a URL: fsspec gives the ranges, and only those that are needed are fetched.

fsspec is imported only here and only when a URL is read (`pip install "ckpt-lint[remote]"`).
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ckpt_lint.artifact.access import CachedAccess, RandomAccess
from ckpt_lint.artifact.deep import DeepFacts, read_deep_access
from ckpt_lint.artifact.facts import ArtifactFacts
from ckpt_lint.artifact.limits import DEFAULT, Limits
from ckpt_lint.artifact.reader import read_access

SECONDS = 60.0
"""How long one request may take."""

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")


class RemoteError(Exception):
    """A URL that could not be read; the message says why in one line."""


def is_remote(path: str) -> bool:
    """Whether a path is a URL."""
    return _URL.match(path) is not None


class FsspecAccess:
    """Ranges of one object of an fsspec file system. `size` is bytes; each `read_at` is one request."""

    seeks_are_cheap = False

    def __init__(self, system: Any, path: str) -> None:
        self._system = system
        self._path = path
        size = system.info(path).get("size")
        if size is None:
            raise RemoteError("the server does not say how large the file is: ranges cannot be read")
        self.size = int(size)

    def read_at(self, offset: int, length: int) -> bytes:
        end = min(offset + length, self.size)
        if end <= offset:
            return b""
        data: bytes = self._system.cat_file(self._path, start=offset, end=end)
        if len(data) > end - offset:  # a server without ranges sends the whole
            raise RemoteError("the server ignores ranges: fetch the file and inspect it locally")
        return data


def _patience(url: str) -> dict[str, Any]:
    """A web server that does not answer is waited for `SECONDS` a request, not the five minutes of aiohttp."""
    if not url.lower().startswith(("http://", "https://")):
        return {}
    import aiohttp

    return {"client_kwargs": {"timeout": aiohttp.ClientTimeout(total=SECONDS)}}


def connected(url: str, **options: Any) -> tuple[Any, str]:
    """The fsspec file system of a URL, and the path in it. Raises RemoteError where fsspec is not installed."""
    try:
        import fsspec
    except ImportError:
        raise RemoteError('reading URLs needs fsspec: pip install "ckpt-lint[remote]"') from None
    system, path = fsspec.core.url_to_fs(url, **{**_patience(url), **options})
    return system, path


@contextmanager
def driver_errors() -> Iterator[None]:
    """Whatever drivers raise within the block becomes a RemoteError."""
    try:
        yield
    except ImportError as error:
        raise RemoteError(f"a driver for this kind of URL is missing: {error}") from None
    except FileNotFoundError as error:
        raise RemoteError(_missing(error)) from None
    except _errors() as error:
        raise RemoteError(f"it cannot be reached: {_reason(error)}") from None


def open_remote(url: str, **options: Any) -> RandomAccess:
    """The object behind a URL. Raises RemoteError: no fsspec, no driver for the scheme, no such object, no network."""
    with driver_errors():
        system, path = connected(url, **options)
        return FsspecAccess(system, path)


def read_remote(url: str, *, limits: Limits = DEFAULT, **options: Any) -> ArtifactFacts:
    """The facts of the object behind a URL. Raises RemoteError."""
    access = open_remote(url, **options)
    try:
        return read_access(access, url, limits=limits)
    except _errors() as error:
        raise RemoteError(f"it cannot be read: {_reason(error)}") from None


def read_deep_remote(url: str, facts: ArtifactFacts, **options: Any) -> DeepFacts:
    """The data of the object behind a URL, range after range: all of its bytes cross the wire. Raises RemoteError."""
    access = open_remote(url, **options)
    try:
        return read_deep_access(CachedAccess(access), facts)
    except _errors() as error:
        raise RemoteError(f"it cannot be read: {_reason(error)}") from None


def _missing(error: FileNotFoundError) -> str:
    """fsspec takes whatever a web server answers, and its silence, for a missing file; the cause knows better."""
    cause = error.__cause__
    status = getattr(cause, "status", None)
    if cause is None or status in (404, 410) or not isinstance(cause, _errors()):
        return "there is no such file"
    return f"the server answers {status}" if status else f"it cannot be reached: {_reason(cause)}"


def _errors() -> tuple[type[BaseException], ...]:
    """What drivers raise where a server or the network fails; asked for only once that has happened."""
    import asyncio

    own = [("aiohttp", "ClientError"), ("botocore.exceptions", "BotoCoreError")]
    known = [getattr(sys.modules[module], name) for module, name in own if module in sys.modules]
    return (OSError, ValueError, asyncio.TimeoutError, *known)


def _reason(error: BaseException) -> str:
    """One line, whatever the driver says."""
    return " ".join(str(error).split())[:300] or type(error).__name__
