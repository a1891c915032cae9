"""One field of a zip directory is changed: what torch makes of the archive is what we say it does."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable

import pytest
import torch

from ckpt_lint.artifact.access import BytesAccess
from ckpt_lint.artifact.reader import read_access

TIME, PACKED, SIZE, DISK, ATTRIBUTES = 12, 20, 24, 34, 38
"""Where the fields stand in an entry."""


def saved() -> bytearray:
    stream = io.BytesIO()
    torch.save({"w": torch.arange(3)}, stream)
    return bytearray(stream.getvalue())


def entries(data: bytes) -> dict[str, int]:
    """The place of each entry by the name of its record."""
    end = data.rfind(b"PK\5\6")
    count, _, place = struct.unpack_from("<HII", data, end + 10)
    found = {}
    for _ in range(count):
        name, extra, note = struct.unpack_from("<HHH", data, place + 28)
        found[bytes(data[place + 46 : place + 46 + name]).decode()] = place
        place += 46 + name + extra + note
    return found


def grown(data: bytearray, at: int) -> None:
    struct.pack_into("<I", data, at, struct.unpack_from("<I", data, at)[0] + 1)


def timed(data: bytearray, entry: int) -> None:
    struct.pack_into("<H", data, entry + TIME, 5)
    grown(data, entry + SIZE)


CHANGES: dict[str, Callable[[bytearray, int], None]] = {
    "packed size": lambda data, entry: grown(data, entry + PACKED),
    "size": lambda data, entry: grown(data, entry + SIZE),
    "size, and a time": timed,
    "folder": lambda data, entry: struct.pack_into("<I", data, entry + ATTRIBUTES, 0x10),
}


def loads(data: bytes) -> bool:
    try:
        torch.load(io.BytesIO(data), weights_only=True)
    except Exception:  # every way in which torch refuses
        return False
    return True


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("name", sorted(entries(saved())))
def test_a_changed_entry(name: str, change: str) -> None:
    data = saved()
    CHANGES[change](data, entries(data)[name])
    facts = read_access(BytesAccess(bytes(data)), "model.pt")
    assert {problem.kind for problem in facts.problems} & {"damage", "hidden"}
    assert facts.verdict.loads in (None, loads(bytes(data)))
    if change in ("packed size", "size"):
        assert facts.verdict.loads is False


@pytest.mark.parametrize("disk", [1, 2, 0xFFFF])
def test_another_disk(disk: int) -> None:
    data = saved()
    struct.pack_into("<H", data, entries(data)["archive/data.pkl"] + DISK, disk)
    assert read_access(BytesAccess(bytes(data)), "model.pt").verdict.loads is loads(bytes(data))


@pytest.mark.parametrize("change", [1, 30, 98, 99, 2_000, -1, -30])
def test_another_length_of_the_directory(change: int) -> None:
    data = saved()
    place = data.rfind(b"PK\6\6") + 40  # in the 64-bit end record
    struct.pack_into("<Q", data, place, struct.unpack_from("<Q", data, place)[0] + change)
    facts = read_access(BytesAccess(bytes(data)), "model.pt")
    assert facts.verdict.loads is loads(bytes(data)) and any(problem.kind == "damage" for problem in facts.problems)


def test_nothing_changed() -> None:
    assert read_access(BytesAccess(bytes(saved())), "model.pt").verdict.loads is True
