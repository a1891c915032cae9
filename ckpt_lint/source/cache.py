"""The fact cache: syntax facts on disk, found again by the text they were read from.

It holds facts and never findings, for another file or a manifest may change a verdict: judging always runs. An entry's
name is a digest of the text and of everything else that decides the facts, so nothing in it ever goes stale. Entries
are written whole or not at all, and one that does not bear its own checksum is thrown away and made again.

The facts are written with `marshal`, which trusts what it reads: the folder is the user's own, and only the command
line and the environment can name another, never a file of the repository that is checked.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from pathlib import Path

from ckpt_lint.source import store
from ckpt_lint.source.parse import Parsed

ENVIRONMENT = "CKPT_LINT_CACHE_DIR"
TAG = "CACHEDIR.TAG"
_TAG_TEXT = "Signature: 8a477f597d28d172789f06886806bc55\n# ckpt-lint's cache, see https://bford.info/cachedir/\n"
_MAGIC = b"CKPF1"
_CHECKSUM = 16
_SIZE = 8


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
        _write_whole(tag, _TAG_TEXT.encode())
    if not os.access(folder, os.W_OK):
        raise PermissionError(13, "Permission denied", folder)


def is_cache(folder: str) -> bool:
    """Whether a folder is one that `prepare` made."""
    try:
        return Path(folder, TAG).read_text(encoding="utf-8") == _TAG_TEXT
    except (OSError, UnicodeDecodeError):
        return False


@cache
def _maker() -> bytes:
    """What decides the facts besides the text: this program's reading part, as it is installed, and the Python."""
    here = os.path.dirname(os.path.abspath(__file__))
    stamps = []
    for name in sorted(os.listdir(here)):
        if name.endswith(".py"):
            state = os.stat(os.path.join(here, name))
            stamps.append((name, state.st_size, state.st_mtime_ns))
    return repr((sys.version_info[:3], stamps)).encode()


def key_of(code: str, *, base: int, slicing: bool) -> str:
    """The name of the facts of a text that stands at the offset `base` of its file."""
    digest = blake2b(_maker(), digest_size=20)
    digest.update(b"%d %d " % (base, slicing))
    digest.update(code.encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class FactCache:
    """The entries below one folder. Several processes may use it at once, and be killed at any moment."""

    folder: str

    def _place(self, key: str) -> str:
        return os.path.join(self.folder, key[:2], key[2:])

    def holds(self, key: str) -> bool:
        """Whether there is an entry, good or not."""
        return os.path.exists(self._place(key))

    def get(self, key: str) -> Parsed | None:
        """The facts of an entry, None where there is none; one that is damaged is removed."""
        place = self._place(key)
        try:
            with open(place, "rb") as file:
                data = file.read()
        except OSError:
            return None
        try:
            return _decoded(data)
        except ValueError:
            with suppress(OSError):
                os.unlink(place)
            return None

    def put(self, key: str, parsed: Parsed) -> None:
        """Write an entry. Where that fails (a full disk, say) there is none: facts can always be made again."""
        place = self._place(key)
        with suppress(OSError):
            os.makedirs(os.path.dirname(place), exist_ok=True)
            _write_whole(place, _encoded(parsed))


def _encoded(parsed: Parsed) -> bytes:
    payload = parsed.size.to_bytes(_SIZE, "little") + store.encode(parsed.module)
    return _MAGIC + blake2b(payload, digest_size=_CHECKSUM).digest() + payload


def _decoded(data: bytes) -> Parsed:
    start = len(_MAGIC) + _CHECKSUM
    payload = data[start:]
    if data[:start] != _MAGIC + blake2b(payload, digest_size=_CHECKSUM).digest():
        raise ValueError("not an entry of this cache, or a damaged one")
    return Parsed(store.decode(payload[_SIZE:]), int.from_bytes(payload[:_SIZE], "little"))


def _write_whole(place: str, data: bytes) -> None:
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
