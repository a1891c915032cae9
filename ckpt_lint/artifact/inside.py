"""Files inside of files: which members of an archive to look into, and the bytes of compressed ones, within limits."""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Iterator
from typing import Protocol

from ckpt_lint.artifact.access import BytesAccess, RandomAccess, Window
from ckpt_lint.artifact.facts import MemberFacts
from ckpt_lint.artifact.limits import Work
from ckpt_lint.artifact.zipdir import Directory, Feed, Member, NoDirectory, open_member, stored_window

UNPACK_LIMIT = 16 << 20
_CHUNK = 1 << 16
_MEMORY = 48 << 20
_LOOKED_AT = 256
_READ_METHODS = (0, 8)
_BZIP2, _LZMA = 12, 14
LZMA_ALONE = b"]\x00"
"""How joblib tells the oldest form of lzma, which has no magic number: by the usual parameters."""
_NESTED = (".pt", ".pth", ".ckpt", ".bin", ".npy", ".pt2", ".pkl", ".pickle", ".zip", ".tar", ".gz", ".joblib", ".dill")
_LABELS = frozenset(
    ["version", "byteorder", ".format_version", ".storage_alignment", ".data/serialization_id", ".data/version"]
)


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...

    @property
    def needs_input(self) -> bool: ...

    def decompress(self, data: bytes, max_length: int) -> bytes: ...


def unpacked(access: RandomAccess, head: bytes, limit: int, work: Work) -> bytes | None:
    """The first `limit` bytes of a gzip, bzip2, xz, lzma or zlib stream; None where it is none, or is broken."""
    if head.startswith(b"\x1f\x8b") or head[:2] in (b"\x78\x01", b"\x78\x9c", b"\x78\xda", b"\x78\x5e"):
        return _inflated(access, 31 if head.startswith(b"\x1f") else 15, limit, work)
    if head.startswith(b"BZh"):
        return _decompressed(access, bz2.BZ2Decompressor(), limit, work)
    if head.startswith(b"\xfd7zXZ\x00"):
        return _decompressed(access, lzma.LZMADecompressor(memlimit=_MEMORY), limit, work)
    if head.startswith(LZMA_ALONE):
        return _decompressed(access, lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=_MEMORY), limit, work)
    return None


def _inflated(access: RandomAccess, window: int, limit: int, work: Work) -> bytes | None:
    machine = zlib.decompressobj(window)
    parts: list[bytes] = []
    have = position = 0
    try:
        while have < limit and position < access.size and not machine.eof:
            data = access.read_at(position, _CHUNK)
            position += len(data)
            while data and have < limit:
                part = machine.decompress(data, limit - have)
                work.spend(len(part) >> 6)
                parts.append(part)
                have += len(part)
                data = machine.unconsumed_tail
    except zlib.error:
        return b"".join(parts) or None
    return b"".join(parts)


def _decompressed(access: RandomAccess, machine: _Decompressor, limit: int, work: Work) -> bytes | None:
    parts: list[bytes] = []
    have = position = 0
    try:
        while have < limit and not machine.eof:
            data = access.read_at(position, 4096) if machine.needs_input else b""
            if machine.needs_input and not data:
                break
            position += len(data)
            part = machine.decompress(data, min(_CHUNK, limit - have))
            work.spend(len(part) >> 3)
            parts.append(part)
            have += len(part)
    except (OSError, EOFError, ValueError, lzma.LZMAError):
        return b"".join(parts) or None
    return b"".join(parts)


def inner_files(
    access: RandomAccess, directory: Directory, root: str, limit: int
) -> Iterator[tuple[str, RandomAccess | None]]:
    """Members that may be files of their own: by their suffix, and the odd ones where looking is cheap.

    None stands for a member that is too large to unpack. Raises OSError.
    """
    records = f"{root}/data/".lower()
    labels = {f"{root}/{label}".lower() for label in _LABELS}
    looked = 0
    for member in [*directory.members, *directory.hidden]:
        name = member.folded
        odd = member.method not in _READ_METHODS
        known = name.endswith(_NESTED) and (odd or not name.endswith("data.pkl"))
        if not known:
            looked += 1
            if name in labels or name.startswith(records) or name.endswith((".pkl", "/")):
                continue
            if looked > _LOOKED_AT or not access.seeks_are_cheap:
                continue
        if member.size >= 4 and (odd or not name.endswith(".pkl")):
            try:
                yield member.name, opened_member(access, member, limit)
            except NoDirectory:
                continue


def opened_member(access: RandomAccess, member: Member, limit: int) -> RandomAccess | None:
    """A member as an access of its own; None where it is packed and unpacks to more than `limit` bytes. Raises NoDirectory."""
    opened = open_member(access, member)
    if member.method in (0, _BZIP2):  # what bzip2 packs says so itself
        return stored_window(access, member, opened)
    if member.method == _LZMA and member.packed <= limit:
        return _lzma_alone(stored_window(access, member, opened), member.size)
    if member.method != 8 or member.size > limit:
        return None
    feed = Feed(access, member, opened)
    parts = []
    while part := feed(_CHUNK):
        parts.append(part)
    return BytesAccess(b"".join(parts))


def _lzma_alone(packed: RandomAccess, size: int) -> RandomAccess:
    """What a zip holds by method 14 as a stream of its own: the same parameters, and the size that a zip has elsewhere."""
    data = packed.read_at(0, packed.size)
    return BytesAccess(data[4:9] + size.to_bytes(8, "little") + data[9:])


def tar_files(access: RandomAccess, members: list[MemberFacts]) -> Iterator[tuple[str, RandomAccess]]:
    """The members of a tar."""
    for member in members[:_LOOKED_AT]:
        if member.size >= 4:
            yield member.name, Window(access, member.offset + 512, member.size)
