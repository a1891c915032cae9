"""Tars as torch 0.1 wrote them, with payloads where torch comes last; old compression; headers that lie about the rest.

In `storages` and `tensors` torch reads a number, then so many pickles with raw data behind each, then one more pickle.
"""

from __future__ import annotations

import io
import lzma
import pickle
import struct
import tarfile
import zipfile
from collections.abc import Iterator

from tests.artifact.hostile import EVIL, old, with_pickle

EMPTY, ZERO = b"\x80\x02}.", pickle.dumps(0, 2)
VIEWS = pickle.dumps([], 2)
STORAGE = b"\x80\x02(K\x01X\x03\0\0\0cpuctorch\nFloatStorage\nt." + struct.pack("<q4f", 4, 1.0, 2.0, 3.0, 4.0)
TENSOR = b"\x80\x02(K\x02K\x01ctorch\nFloatTensor\nt." + struct.pack("<ii3q", 1, 0, 4, 1, 0)


def counted(count: int, *parts: bytes) -> bytes:
    """What stands in `storages` or `tensors`."""
    return pickle.dumps(count, 2) + b"".join(parts)


def member(name: str, data: bytes = b"", link: str = "", **headers: str) -> tuple[tarfile.TarInfo, bytes]:
    entry = tarfile.TarInfo(name)
    entry.size, entry.pax_headers = len(data), headers
    if link:
        entry.type, entry.linkname = tarfile.SYMTYPE, link
    return entry, data


def tar_with(*members: tuple[tarfile.TarInfo, bytes], form: int = tarfile.PAX_FORMAT) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as archive:
        for entry, data in members:
            archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def torch_tar(storages: bytes = ZERO + VIEWS, tensors: bytes = ZERO) -> bytes:
    parts = {"sys_info": EMPTY, "pickle": EMPTY, "storages": storages, "tensors": tensors}
    return tar_with(*(member(name, data) for name, data in parts.items()))


def honest_tars() -> Iterator[tuple[str, bytes]]:
    yield "nothing in it", torch_tar()
    yield "storages and tensors", torch_tar(counted(2, STORAGE, STORAGE, VIEWS), counted(2, TENSOR, TENSOR))


def payload_tars() -> Iterator[tuple[str, bytes]]:
    yield "tar, list of views", torch_tar(ZERO + EVIL)
    yield "tar, views behind storages", torch_tar(counted(2, STORAGE, STORAGE, EVIL))
    yield "tar, second storage", torch_tar(counted(2, STORAGE, EVIL))
    yield "tar, hundredth storage", torch_tar(counted(100, *[STORAGE] * 99, EVIL))
    yield "tar, second tensor", torch_tar(counted(1, STORAGE, VIEWS), counted(2, TENSOR, EVIL))
    late = counted(2, STORAGE, EVIL)
    rest = [member(name, data) for name, data in (("sys_info", EMPTY), ("pickle", EMPTY), ("tensors", ZERO))]
    yield "tar, second of two members", tar_with(*rest, member("storages", ZERO + VIEWS), member("storages", late))
    yield "tar, name in an extended header", tar_with(*rest, member("x", late, path="storages"))
    yield "tar, storages are a link", tar_with(*rest, member("x", late), member("storages", link="x"))
    yield "tar, signed checksum", signed(tar_with(member("storages", late), *rest, form=tarfile.USTAR_FORMAT))
    yield "tar, then a zip", tar_with(member("notes.txt", b"hi")) + with_pickle(EVIL)


def signed(tar: bytes) -> bytes:
    """A tar whose first header has bytes above 127, and the checksum that some tars make of them."""
    data = bytearray(tar)
    data[265:270] = b"\xff" * 5
    data[148:156] = b" " * 8
    total = sum(data[:512]) - 256 * sum(byte > 127 for byte in data[:512])
    data[148:156] = b"%06o\0 " % total
    return bytes(data)


def payload_lzma() -> Iterator[tuple[str, bytes]]:
    yield "lzma of before xz", lzma.compress(EVIL, lzma.FORMAT_ALONE)
    yield "lzma of a zip", lzma.compress(with_pickle(EVIL), lzma.FORMAT_ALONE)
    for name, data in (("weights.pkl", EVIL), ("model.pt", with_pickle(EVIL))):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_LZMA) as archive:
            archive.writestr(name, data)
        yield f"zip, {name} in lzma", buffer.getvalue()


def damaged_headers() -> Iterator[tuple[str, bytes]]:
    """Each says something of the rest of the file that no reader can follow."""
    yield "frame longer than the file", b"\x80\x04\x95" + struct.pack("<Q", 1 << 16) + b"}."
    yield "protocol that does not exist", b"\x80\x09}."
    zipped = with_pickle(EMPTY)
    end = zipped.rindex(b"PK\x05\x06")
    yield "directory larger than the file", zipped[: end + 12] + struct.pack("<I", 1 << 31) + zipped[end + 16 :]
    yield "tar, storage of negative length", torch_tar(counted(1, STORAGE[:-24] + struct.pack("<q", -4), VIEWS))
    yield "tar, storages cut short", torch_tar(counted(300, *[STORAGE] * 2))
    legacy = old()
    keys = legacy.rindex(b"\x80\x02]q")
    yield "legacy, an empty list of storages", legacy[:keys] + VIEWS
