"""Zip directories, read as torch's own reader (miniz) reads them, with everything noted that readers disagree on.

The central directory is the truth, as it is for torch; what a local header says otherwise is a remark. Offsets and
sizes are bytes.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, field, replace

from ckpt_lint.artifact.access import RandomAccess, Window
from ckpt_lint.artifact.limits import LimitReached, Limits, Work
from ckpt_lint.artifact.zipend import END, end_record

LOCAL = b"PK\x03\x04"
_CENTRAL = b"PK\x01\x02"
_END_LENGTH = 22
_TAIL = (1 << 16) + _END_LENGTH
_MASK = 0xFFFFFFFF
_FOLDER = 0x10
_OF_AN_ENTRY = 45
_PATCHED = 0x2000
_PARSED = ("/data.pkl", "/byteorder", "/.storage_alignment")
_TOLD = ("/version", "/serialization_id")
ENCRYPTED = 0x1 | 0x20 | 0x40 | 0x2000


@dataclass(frozen=True, slots=True)
class Member:
    """One entry of the central directory. `method` 0 is stored, 8 deflated; `header` is the local header's offset."""

    name: str
    method: int
    flags: int
    crc: int
    packed: int
    size: int
    header: int
    entry: int = 0
    folded: str = field(init=False)

    def __post_init__(self) -> None:
        """`folded` is the name without regard to case, by which torch finds records."""
        object.__setattr__(self, "folded", self.name.lower())


@dataclass(frozen=True, slots=True)
class Remark:
    """Something wrong or odd. `fatal`: torch refuses the whole archive for it; `blocks`: it cannot read that record.

    `hostile`: made to fool readers. `unsure`: what torch makes of it depends on bytes that nobody wrote.
    """

    message: str
    member: str | None = None
    offset: int | None = None
    fatal: bool = False
    hostile: bool = False
    blocks: bool = False
    unsure: bool = False


@dataclass(frozen=True, slots=True)
class Opened:
    """A member's bytes: where the data begins, and what its local header says differently."""

    data_start: int
    remarks: tuple[Remark, ...]


@dataclass(slots=True)
class Directory:
    """The members in the order of the directory, and the remarks."""

    members: list[Member] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)
    start: int = 0
    end: int = 0
    behind: int = 0
    hidden: list[Member] = field(default_factory=list)

    index: dict[str, Member] = field(default_factory=dict)

    def find(self, name: str) -> Member | None:
        """The member that torch finds: names without regard to case, the last of several."""
        if not self.index:
            self.index.update((member.folded, member) for member in self.members)
        return self.index.get(name.lower())


class NoDirectory(Exception):
    """There is no end-of-central-directory record, or it points nowhere: what torch calls a corrupted archive."""


def read_directory(access: RandomAccess, limits: Limits, work: Work) -> Directory:
    """The central directory. Raises NoDirectory, LimitReached, OSError."""
    tail_start = max(0, access.size - _TAIL)
    tail = access.read_at(tail_start, _TAIL)
    at = tail.rfind(END)
    while at >= 0 and len(tail) - at < 22:
        at = tail.rfind(END, 0, at)
    if at < 0:
        raise NoDirectory("it has no zip directory at its end: the file is cut short")
    record = end_record(access, tail, at, tail_start)
    count, length, start = record.count, record.length, record.start
    directory = Directory(start=start, end=record.place, behind=tail_start + at + _END_LENGTH)
    directory.remarks.extend(Remark(fault, fatal=True) for fault in record.faults)
    if length > access.size:
        raise NoDirectory("its zip directory is said to be larger than the file")
    if length > limits.directory_bytes or count > limits.members:
        raise LimitReached("the zip directory is too large")
    if start + length > access.size:
        raise NoDirectory("its zip directory points behind the end of the file: the file is cut short or damaged")
    data = access.read_at(start, length)
    _read_entries(data, count, start, access.size - max(0, record.shift), directory, work)
    _remark_shifted(access, directory, length, work)
    if tail.find(END, 0, at) >= 0:
        _remark_second(access, tail, at, tail_start, directory, limits, work)
    return directory


def _remark_shifted(access: RandomAccess, directory: Directory, length: int, work: Work) -> None:
    """The directory lies elsewhere than its record says: readers that allow bytes in front see another archive."""
    place = directory.end - length
    if place > directory.start and access.read_at(place, 4) == _CENTRAL:
        directory.remarks.append(Remark("other bytes stand in front of its zip directory", None, place, False, True))
        other = Directory(start=place)
        _read_entries(access.read_at(place, length), 65535, place, access.size, other, work)
        shift = place - directory.start
        directory.hidden.extend(replace(member, header=member.header + shift) for member in other.members)


def _remark_second(
    access: RandomAccess, tail: bytes, at: int, tail_start: int, directory: Directory, limits: Limits, work: Work
) -> None:
    """An earlier end record that has a directory of its own: another reader may see another archive."""
    position = tail.rfind(END, 0, at)
    while position >= 0:
        work.spend(_OF_AN_ENTRY)
        if len(tail) - position >= 22:
            record = end_record(access, tail, position, tail_start)
            count, length, start = record.count, record.length, record.start
            first = access.read_at(start, 4) if start + length <= access.size else b""
            if first == _CENTRAL and start != directory.start and length <= limits.directory_bytes:
                directory.remarks.append(Remark("a second zip directory hides in it", offset=start, hostile=True))
                other = Directory(start=start)
                _read_entries(access.read_at(start, length), count, start, access.size, other, work)
                directory.hidden.extend(other.members)
                return
        position = tail.rfind(END, 0, position)


def _read_entries(data: bytes, count: int, base: int, file_size: int, directory: Directory, work: Work) -> None:
    position = 0
    work.spend(_OF_AN_ENTRY * min(count, len(data) // 46))
    for _ in range(count):
        if data[position : position + 4] != _CENTRAL or len(data) < position + 46:
            directory.remarks.append(Remark("an entry of the zip directory is broken", None, base + position, True))
            return
        (flags, method, time, _, crc, packed, size, name_len, extra_len, note_len, disk, _, attributes, header) = (
            struct.unpack_from("<HHHHIIIHHHHHII", data, position + 8)
        )
        name_at = position + 46
        raw = data[name_at : name_at + name_len]
        extra = data[name_at + name_len : name_at + name_len + extra_len]
        packed, size, header = _wide(extra, packed, size, header)
        name = _decoded(raw, base + position, directory)
        folder = bool(attributes & _FOLDER)
        member = Member(name, method, flags, crc, packed, size, header, base + position)
        directory.members.append(member)
        if flags & ENCRYPTED or method or packed != size or disk or header + 30 + packed > file_size or folder:
            _check_entry(member, disk, file_size, directory, folder=folder, timed=time != 0)
        position = name_at + name_len + extra_len + note_len
    if position > len(data):
        directory.remarks.append(Remark("the zip directory is shorter than its entries", offset=base, fatal=True))
    elif position < len(data):
        directory.remarks.append(Remark("the zip directory holds more than its entries", offset=base + position))


def _decoded(raw: bytes, offset: int, directory: Directory) -> str:
    """A member's name, which ends at a zero byte for torch and Python. torch fails where one is not utf-8."""
    name, zero, _ = raw.partition(b"\x00")
    if zero:
        directory.remarks.append(Remark("a record's name has a zero byte in it", None, offset, hostile=True, unsure=True))
    try:
        return name.decode("utf-8")
    except UnicodeDecodeError:
        directory.remarks.append(Remark("a record's name is not utf-8", None, offset, True))
        return name.decode("utf-8", "replace")


def _wide(extra: bytes, packed: int, size: int, header: int) -> tuple[int, int, int]:
    """Sizes and offset from the zip64 field, where the 32-bit ones are full."""
    position = 0
    while position + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, position)
        if kind == 1:
            numbers = list(struct.unpack_from(f"<{min(length, len(extra) - position - 4) // 8}Q", extra, position + 4))
            if size == _MASK and numbers:
                size = numbers.pop(0)
            if packed == _MASK and numbers:
                packed = numbers.pop(0)
            if header == _MASK and numbers:
                header = numbers.pop(0)
        position += 4 + length
    return packed, size, header


def _check_entry(member: Member, disk: int, file_size: int, directory: Directory, *, folder: bool, timed: bool) -> None:
    def remark(
        message: str, *, fatal: bool = False, hostile: bool = False, blocks: bool = False, unsure: bool = False
    ) -> None:
        directory.remarks.append(Remark(message, member.name, member.entry, fatal, hostile, blocks, unsure))

    if member.header + 30 + member.packed > file_size:
        remark("the record lies behind the end of the file", fatal=True)
    if member.flags & ENCRYPTED:
        patched = bool(member.flags & _PATCHED)
        remark("the record is marked as encrypted or patched", fatal=patched, blocks=not patched)
    if member.method == 0 and member.packed != member.size:
        # miniz compares the method and the time behind it with 0, as one number of 32 bits
        remark("a stored record whose two sizes differ", fatal=not timed, unsure=timed)
    if member.method not in (0, 8):
        remark(f"compression method {member.method} is none that torch reads", blocks=True)
    if member.size and not member.packed:
        remark("a record of no bytes that says it unpacks to some", fatal=True)
    if folder and member.size:
        parsed = member.folded.endswith(_PARSED)
        told = member.folded.endswith(_TOLD)
        remark("the record is marked as a folder: torch reads nothing of it", hostile=True, blocks=parsed, unsure=told)
    if disk not in (0, 1):  # torch takes either for the only one there is
        remark("the record is on another disk", fatal=True)


def open_member(access: RandomAccess, member: Member) -> Opened:
    """Read the local header. Raises NoDirectory where there is none, as torch fails."""
    raw = member.name.encode("utf-8", "replace")
    header = access.read_at(member.header, 30 + len(raw))
    if len(header) < 30 or header[:4] != LOCAL:
        raise NoDirectory(f"{member.name}: its local header is missing")
    flags, method, _, _, _, packed, size, name_len, extra_len = struct.unpack_from("<HHHHIIIHH", header, 6)
    remarks = []
    if flags & ENCRYPTED and not member.flags & ENCRYPTED:
        remarks.append("only its local header says it is encrypted")
    if method != member.method:
        remarks.append("its local header names another compression method")
    if header[30:] != raw or name_len != len(raw):
        remarks.append("its local header gives another name")
    if not flags & 8 and size != _MASK and (packed, size) != (member.packed & _MASK, member.size & _MASK):
        remarks.append("its local header gives another size")
    start = member.header + 30 + name_len + extra_len
    if start + member.packed > access.size:
        raise NoDirectory(f"{member.name}: by its local header it lies behind the end of the file")
    found = tuple(Remark(text, member.name, member.header, hostile=True) for text in remarks)
    return Opened(start, found)


def stored_window(access: RandomAccess, member: Member, opened: Opened) -> Window:
    """The packed bytes of a member as an access of its own."""
    return Window(access, opened.data_start, member.packed)


class Feed:
    """The unpacked bytes of a member, in order. Raises NoDirectory where the deflate stream is broken.

    What is unpacked is counted in `work`, where it is given: a few kilobytes may hold hundreds of megabytes.
    """

    def __init__(self, access: RandomAccess, member: Member, opened: Opened, work: Work | None = None) -> None:
        self._work = work
        self._source = stored_window(access, member, opened)
        self._position = 0
        self._inflate = zlib.decompressobj(-15) if member.method == 8 else None
        self._left = member.size
        self._pending = b""
        self._crc = 0
        self._stated = member.crc

    def crc_differs(self) -> bool:
        """Whether the CRC of a member that was read to its end is another than the directory's (0: none was made)."""
        return self._stated != 0 and self._left == 0 and self._crc != self._stated

    def __call__(self, length: int) -> bytes:
        length = min(length, self._left)
        if length <= 0:
            return b""
        data = self._raw(length) if self._inflate is None else self._inflated(length)
        self._left -= len(data)
        self._crc = zlib.crc32(data, self._crc)
        return data

    def _raw(self, length: int) -> bytes:
        data = self._source.read_at(self._position, length)
        self._position += len(data)
        return data

    def _inflated(self, length: int) -> bytes:
        assert self._inflate is not None
        while True:
            if not self._pending:
                self._pending = self._raw(1 << 16)
            try:
                data = self._inflate.decompress(self._pending, length)
            except zlib.error as error:
                raise NoDirectory(f"its compressed data is damaged: {error}") from None
            self._pending = self._inflate.unconsumed_tail
            if self._work is not None:
                self._work.spend(len(data) >> 6)
            if data or self._inflate.eof or (not self._pending and self._position >= self._source.size):
                return data


def read_small(access: RandomAccess, member: Member, opened: Opened, limit: int) -> bytes:
    """A whole small member, at most `limit` bytes. Raises NoDirectory."""
    if member.method == 0:
        return access.read_at(opened.data_start, min(member.size, limit))
    feed = Feed(access, replace(member, size=min(member.size, limit)), opened)
    parts = []
    while part := feed(limit):
        parts.append(part)
    return b"".join(parts)


def local_names(access: RandomAccess, directory: Directory, limit: int, work: Work) -> list[Member]:
    """Local headers, one after the other from the front, that the directory does not know."""
    known = {member.header for member in directory.members}
    sizes = {member.header: member.packed for member in directory.members}
    found: list[Member] = []
    position = 0
    for _ in range(limit):
        header = access.read_at(position, 30)
        work.spend(_OF_AN_ENTRY)
        if len(header) < 30 or header[:4] != LOCAL or position >= directory.start:
            break
        flags, method, _, _, crc, packed, size, name_len, extra_len = struct.unpack_from("<HHHHIIIHH", header, 6)
        if position not in known:
            name = access.read_at(position + 30, name_len).decode("utf-8", "replace")
            found.append(Member(name, method, flags, crc, packed, size, position))
        length = sizes.get(position, packed)
        position += 30 + name_len + extra_len + length
        if flags & 8:
            position = _after_descriptor(access, position)
    return found


def _after_descriptor(access: RandomAccess, position: int) -> int:
    data = access.read_at(position, 28)
    for length in (16, 24, 12, 20):
        if data[length : length + 4] in (LOCAL, _CENTRAL):
            return position + length
    return position
