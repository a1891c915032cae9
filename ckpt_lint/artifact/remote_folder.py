"""Checkpoint files below a URL that is a folder: a prefix of a bucket, a folder of an index page, anything of fsspec."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from ckpt_lint.artifact.remote import RemoteError, connected, driver_errors
from ckpt_lint.settings import CHECKPOINT_FILES

DEEPEST = 100
"""Folders within folders that are listed: an index page may name itself."""

_TAGS = ("ETag", "etag", "md5Hash", "crc32c", "content_md5", "checksum")
_TIMES = ("LastModified", "last_modified", "updated", "mtime", "created", "Last-Modified")


@dataclass(frozen=True, slots=True)
class Listed:
    """A file behind a URL: its bytes, nanoseconds since 1970, and its tag as `etag:...`; None where nobody says."""

    url: str
    size: int | None = None
    mtime_ns: int | None = None
    digest: str | None = None


def is_folder(url: str, **options: Any) -> bool:
    """Whether a URL is a folder; on a web server only one that ends in a slash. Raises RemoteError."""
    if url.lower().startswith(("http://", "https://")):
        return url.endswith("/")
    with driver_errors():
        system, path = connected(url, **options)
        if url.endswith("/"):
            return True
        try:
            return bool(system.info(path).get("type") == "directory")
        except FileNotFoundError:
            return False


def listed(url: str, **options: Any) -> Listed:
    """What is told of one file. Raises RemoteError."""
    with driver_errors():
        system, path = connected(url, **options)
        return _listed(url, system.info(path))


def checkpoints_below(url: str, **options: Any) -> Iterator[Listed]:
    """The files of a folder and those below it that are named as checkpoints are, by name. Raises RemoteError."""
    with driver_errors():
        system, path = connected(url, **options)
    pending: list[tuple[Mapping[str, Any], int]] = [({"name": path, "type": "directory"}, 0)]
    while pending:
        entry, depth = pending.pop()
        if entry["type"] != "directory":
            yield _listed(system.unstrip_protocol(entry["name"]), entry)
            continue
        with driver_errors():
            inside = system.ls(entry["name"], detail=True)
        pending += [(e, depth + 1) for e in sorted(inside, key=_name, reverse=True) if _taken(e, entry, depth)]


def _name(entry: Mapping[str, Any]) -> str:
    return str(entry["name"])


def _taken(entry: Mapping[str, Any], folder: Mapping[str, Any], depth: int) -> bool:
    above = _name(folder).rstrip("/") + "/"
    if not _name(entry).startswith(above) or len(_name(entry)) == len(above):
        return False
    if entry["type"] == "directory":
        return depth < DEEPEST
    name = _name(entry).rstrip("/").rpartition("/")[2]
    return any(fnmatch.fnmatchcase(name, glob) for glob in CHECKPOINT_FILES)


def _listed(url: str, entry: Mapping[str, Any]) -> Listed:
    tag = next((str(entry[key]).strip('"') for key in _TAGS if entry.get(key)), None)
    size = entry.get("size")
    return Listed(url, None if size is None else int(size), _nanoseconds(entry), f"etag:{tag}" if tag else None)


def _nanoseconds(entry: Mapping[str, Any]) -> int | None:
    moment = next((entry[key] for key in _TIMES if entry.get(key)), None)
    if isinstance(moment, str):
        try:
            moment = datetime.fromisoformat(moment.replace("Z", "+00:00"))
        except ValueError:
            return None
    if isinstance(moment, datetime):
        moment = moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
        return int(moment.timestamp() * 1e9)
    return int(moment * 1e9) if isinstance(moment, (int, float)) else None


__all__ = ["Listed", "RemoteError", "checkpoints_below", "is_folder", "listed"]
