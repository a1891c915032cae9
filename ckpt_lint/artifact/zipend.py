"""The records at the end of a zip: where its directory is, and what miniz (torch's zip reader) objects to in them."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from ckpt_lint.artifact.access import RandomAccess

END = b"PK\x05\x06"
_END_64 = b"PK\x06\x06"
_LOCATOR_64 = b"PK\x06\x07"
_END_LENGTH, _LOCATOR_LENGTH, _END_64_LENGTH = 22, 20, 56


@dataclass(frozen=True, slots=True)
class EndRecord:
    """`count` entries in `length` bytes from `start`; `place` is where the directory must end. `faults` are fatal."""

    count: int
    length: int
    start: int
    place: int
    faults: tuple[str, ...]

    @property
    def shift(self) -> int:
        """Bytes that stand in front of the archive, by the place of its directory; torch shortens the file by them."""
        return self.place - (self.start + self.length)


def end_record(access: RandomAccess, tail: bytes, at: int, tail_start: int) -> EndRecord:
    """The end record at `tail[at:]`, or the 64-bit one that a locator before it points to."""
    disk, directory_disk, here, count, length, start = struct.unpack_from("<HHHHII", tail, at + 4)
    place = tail_start + at
    faults: list[str] = []
    if at >= _LOCATOR_LENGTH and tail[at - 20 : at - 16] == _LOCATOR_64:
        where, disks = struct.unpack_from("<QI", tail, at - 12)
        if where > access.size - _END_64_LENGTH:
            faults.append("its 64-bit directory record lies behind the end of the file")
        record = access.read_at(where, _END_64_LENGTH) if where < access.size else b""
        if len(record) == _END_64_LENGTH and record[:4] == _END_64:
            size = struct.unpack_from("<Q", record, 4)[0]
            disk, directory_disk, here, count, length, start = struct.unpack_from("<IIQQQQ", record, 16)
            place -= _LOCATOR_LENGTH + _END_64_LENGTH
            if disks != 1:
                faults.append("the archive says it is one of several disks")
            if size < _END_64_LENGTH - 12:
                faults.append("its 64-bit directory record is too short")
    if here != count or ((disk or directory_disk) and (disk, directory_disk) != (1, 1)):
        faults.append("the archive says it is one of several disks")
    if length < count * 46:
        faults.append("its zip directory is shorter than its entries")
    if start + length > access.size:
        faults.append("its zip directory lies behind the end of the file")
    return EndRecord(count, length, start, place, tuple(faults))
