"""Where the fact cache lies: a folder of the user's own, which only the command line and the environment can name.

No file of a repository that is checked can: entries are read back by something that trusts them (`source.cache`).
"""

from __future__ import annotations

import os
import shutil
import sys
from contextlib import suppress
from hashlib import blake2b

ENVIRONMENT = "CKPT_LINT_CACHE_DIR"
TAG = "CACHEDIR.TAG"
_TAG_TEXT = "Signature: 8a477f597d28d172789f06886806bc55\n# ckpt-lint's cache, see https://bford.info/cachedir/\n"


def default_folder() -> str:
    """Where the cache is kept: `CKPT_LINT_CACHE_DIR`, else the system's place for a user's caches."""
    named = os.environ.get(ENVIRONMENT)
    if named:
        return os.path.abspath(named)
    home = os.path.expanduser("~")
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or os.path.join(home, "AppData", "Local")
    elif sys.platform == "darwin":
        base = os.path.join(home, "Library", "Caches")
    else:
        base = os.environ.get("XDG_CACHE_HOME") or os.path.join(home, ".cache")
    return os.path.join(base, "ckpt-lint")


def prepare(folder: str) -> None:
    """Make the folder, marked as a cache for backup programs. Raises OSError where it cannot be written."""
    os.makedirs(folder, mode=0o700, exist_ok=True)
    tag = os.path.join(folder, TAG)
    if not os.path.exists(tag):
        write_whole(tag, _TAG_TEXT.encode())
    if not os.access(folder, os.W_OK):
        raise PermissionError(13, "Permission denied", folder)


def is_cache(folder: str) -> bool:
    """Whether a folder is one that `prepare` made."""
    try:
        with open(os.path.join(folder, TAG), encoding="utf-8") as file:
            return file.read() == _TAG_TEXT
    except (OSError, UnicodeDecodeError):
        return False


def prepared(folder: str) -> str | None:
    """The folder, made where it was not there; None where it cannot be written."""
    try:
        prepare(folder)
    except OSError:
        return None
    return folder


def clear(folder: str) -> tuple[int, int]:
    """Remove a cache: how many entries, and of how many bytes. Raises OSError, ValueError where it is no cache."""
    if not os.path.isdir(folder):
        return 0, 0
    if not is_cache(folder):
        raise ValueError(f"{folder} is not a cache of ckpt-lint")
    count = size = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                size += os.path.getsize(os.path.join(place, name))
                count += name != TAG
    shutil.rmtree(folder)
    return count, size


_CHECKSUM = 16


def sealed(magic: bytes, payload: bytes) -> bytes:
    """An entry that bears its own checksum. `magic` names its kind and format."""
    return magic + blake2b(payload, digest_size=_CHECKSUM).digest() + payload


def opened(magic: bytes, data: bytes) -> bytes:
    """The payload of an entry. Raises ValueError where it is of another kind, or damaged."""
    start = len(magic) + _CHECKSUM
    payload = data[start:]
    if data[:start] != magic + blake2b(payload, digest_size=_CHECKSUM).digest():
        raise ValueError("not an entry of this cache, or a damaged one")
    return payload


def write_whole(place: str, data: bytes) -> None:
    """Through a file of its own name beside it. Raises OSError."""
    beside = f"{place}.{os.getpid()}.tmp"
    try:
        with open(beside, "wb") as file:
            file.write(data)
        os.replace(beside, place)
    except OSError:
        with suppress(OSError):
            os.unlink(beside)
        raise
