"""The fact cache: syntax facts on disk, found again by the text they were read from.

It holds facts and never findings, for another file or a manifest may change a verdict: judging always runs. An entry's
name is a digest of the text and of everything else that decides the facts, so nothing in it ever goes stale. Entries
are written whole or not at all, and one that does not bear its own checksum is thrown away and made again.

The facts are written with `marshal`, which trusts what it reads: see `ckpt_lint.cache_folder` for whose the folder is.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b

from ckpt_lint.cache_folder import opened, sealed, write_whole
from ckpt_lint.model import Span
from ckpt_lint.source import store
from ckpt_lint.source.parse import Parsed

_MAGIC = b"CKPF1"
_SIZE = 8


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


def key_of(code: str, *, base: int, slicing: bool, at: Sequence[Span] | None = None) -> str:
    """The name of the facts of a text that stands at the offset `base` of its file, or of what is read at some places."""
    digest = blake2b(_maker(), digest_size=20)
    digest.update(b"%d %d " % (base, slicing))
    digest.update(b"" if at is None else repr([(span.start, span.end) for span in at]).encode())
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
            write_whole(place, _encoded(parsed))


def _encoded(parsed: Parsed) -> bytes:
    return sealed(_MAGIC, parsed.size.to_bytes(_SIZE, "little") + store.encode(parsed.module))


def _decoded(data: bytes) -> Parsed:
    payload = opened(_MAGIC, data)
    return Parsed(store.decode(payload[_SIZE:]), int.from_bytes(payload[:_SIZE], "little"))
