"""One field of a zip directory is changed: what torch makes of the archive is what we say it does."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable

import pytest
import torch

from ckpt_lint.artifact.access import BytesAccess
from ckpt_lint.artifact.reader import read_access

TIME, PACKED, SIZE, ATTRIBUTES = 12, 20, 24, 38
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


def test_nothing_changed() -> None:
    assert read_access(BytesAccess(bytes(saved())), "model.pt").verdict.loads is True
