"""Files that are not zips: torch's legacy format (five pickles, then storages), its tar of 0.1, and plain pickles."""

from __future__ import annotations

import re
from dataclasses import replace

from ckpt_lint.artifact.access import BLOCK, RandomAccess
from ckpt_lint.artifact.cursor import Cursor, Truncated
from ckpt_lint.artifact.draft import Draft, PickleRun, no_persistent, storage_facts
from ckpt_lint.artifact.facts import MemberFacts
from ckpt_lint.artifact.machine import Machine, Refuse
from ckpt_lint.artifact.rebuild import item_size
from ckpt_lint.artifact.storages import LegacyStorages, storage_dtype
from ckpt_lint.artifact.torchzip import run_stacked
from ckpt_lint.artifact.values import Storage, Value, hashable

MAGIC = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001
_LAST_PROTOCOL = 5
_EXTENDED = 1 << 16
_TAR = "Cannot use ``weights_only=True`` with files saved in the legacy .tar format."
TAR_PICKLES = ("pickle", "storages", "tensors", "sys_info")
_CORRUPT = "Invalid magic number; corrupt file?"


def cursor_at(draft: Draft, start: int = 0, access: RandomAccess | None = None) -> Cursor:
    """A cursor over the file from `start`."""
    source = draft.access if access is None else access
    place = start

    def feed(length: int) -> bytes:
        nonlocal place
        data = source.read_at(place, length if source.seeks_are_cheap else min(length, BLOCK))
        place += len(data)
        return data

    return Cursor(feed, source.size, draft.limits, start=start)


def read_stream(draft: Draft) -> bool:
    """Read the file as stacked pickles. False where it makes no sense as pickles, and is something foreign.

    Either way `obstacle` or the runs say what torch's loader answers. Raises LimitReached, OSError.
    """
    head = draft.access.read_at(0, 16)
    draft.raw = True
    cursor = cursor_at(draft)
    run = draft.run_pickle(cursor, no_persistent, "header")
    machine = run.machine
    if machine.finished and machine.result == MAGIC and type(machine.result) is int:
        return _read_legacy(draft, cursor)
    if machine.refusal is not None:
        draft.obstruct(machine.refusal.message, machine.refusal.kind)
    else:
        draft.obstruct(_CORRUPT, "format")
    if not _is_pickle(run, head):
        draft.runs.remove(run)
        return False
    _read_plain(draft, cursor, run)
    return True


def _is_pickle(run: PickleRun, head: bytes) -> bool:
    """Whether the bytes are meant as a pickle: they say so, or they run to the end, or they call something."""
    machine = run.machine
    if head[:1] == b"\x80" and len(head) > 1 and head[1] <= 5 and (machine.finished or machine.cursor.offset > 2):
        return True
    if machine.finished:
        return machine.cursor.offset > 1
    return machine.called_by_name()


def _read_plain(draft: Draft, cursor: Cursor, run: PickleRun) -> None:
    """A pickle that no torch wrote by torch.save."""
    run.role = "object"
    draft.kind, draft.title = "pickle", "a plain pickle"
    if run.machine.finished:
        draft.root, draft.has_root = run.machine.result, True
        if max(run.machine.protocols, default=0) > _LAST_PROTOCOL:
            draft.problem("damage", "its pickle names a protocol that does not exist: no Python reads it")
        end = run_stacked(draft, cursor, None)
        if end < draft.access.size:
            left = draft.access.size - end
            draft.metadata.append(("bytes behind the pickle", str(left)))
    elif run.machine.broken is not None and not run.machine.limited:
        draft.problem("damage", f"its pickle is damaged: {run.machine.broken}", offset=run.machine.at)


def _read_legacy(draft: Draft, cursor: Cursor) -> bool:
    """The rest of a legacy file: protocol, system, the object, the keys, and the storages behind them."""
    draft.kind, draft.title = "torch-legacy", "a torch.save file of the legacy format"
    draft.format_version = "legacy"
    storages = LegacyStorages()
    version = draft.run_pickle(cursor, no_persistent, "header").machine
    if version.finished and version.result != PROTOCOL:
        draft.obstruct(f"Invalid protocol version: {version.result}"[:120], "damage")
        draft.problem("damage", "its legacy header names an unknown protocol version")
    system = draft.run_pickle(cursor, no_persistent, "header").machine if version.finished else version
    if system.finished and isinstance(system.result, dict):
        order = system.result.get("little_endian")
        draft.byte_order = {True: "little", False: "big"}.get(order) if isinstance(order, bool) else None
    run = draft.run_pickle(cursor, storages, "object") if system.finished else draft.runs[-1]
    keys = draft.run_pickle(cursor, no_persistent, "header").machine if run.machine.finished else run.machine
    draft.storages = [storage_facts(storage) for storage in storages.all]
    for machine in (version, system, run.machine, keys):
        if machine.limited:
            return True
        if machine.broken is not None and not machine.finished:
            draft.problem("damage", f"it is cut short or damaged: {machine.broken}", offset=machine.at)
            return True
    draft.root, draft.has_root = run.machine.result, True
    _walk_storages(draft, storages, keys.result, cursor.offset)
    return True


def _walk_storages(draft: Draft, storages: LegacyStorages, keys: Value, offset: int) -> None:
    """Compare the lengths that stand before each storage with what the tensors need."""
    if not isinstance(keys, (list, tuple)):
        draft.problem("damage", "its list of storages is no list")
        draft.obstruct("'storage keys' object is not iterable", "damage")
        return
    places: dict[str, int] = {}
    known = {**storages.found, **storages.views}
    for number, key in enumerate(keys):
        draft.work.spend(40)
        storage = known.get(key) if hashable(key, 100) else None
        if storage is None:
            _damage(draft, f"storage key {key!r} not found in deserialized_objects"[:120], offset)
            return
        if not draft.access.seeks_are_cheap and number:
            return
        count = draft.access.read_at(offset, 8)
        size = int.from_bytes(count, "little", signed=True) * item_size(draft.runs[0].machine, storage.dtype)
        if len(count) < 8 or offset + 8 + storage.size > draft.access.size:
            _damage(draft, "unexpected EOF. The file might be corrupted.", offset)
            return
        if size != storage.size:
            _damage(draft, f"storage has wrong byte size: expected {storage.size} got {size}", offset)
            return
        places[storage.key] = offset + 8
        offset += 8 + size
    draft.storages = [replace(fact, offset=places.get(fact.key)) for fact in draft.storages]
    for key in storages.found:
        if str(key) not in places:
            draft.problem("damage", f"its list of storages lacks {str(key)[:80]!r}: those tensors hold whatever lay in memory")
    if offset < draft.access.size:
        draft.metadata.append(("bytes behind the storages", str(draft.access.size - offset)))
        run_stacked(draft, cursor_at(draft, offset), None)


def _damage(draft: Draft, message: str, offset: int) -> None:
    draft.problem("damage", f"it is cut short or damaged: {message}", offset=offset)
    draft.obstruct(message, "damage")


def is_tar(head: bytes) -> bool:
    """Whether the first 512 bytes are a tar header, by its checksum; nothing but zeros is one for torch too."""
    if len(head) < 512:
        return False
    try:
        stated = int(head[148:156].strip(b" \x00") or b"x", 8)
    except ValueError:
        return False
    counted = head[:148] + b" " * 8 + head[156:512]
    total = sum(counted)
    return stated in (total, total - 256 * sum(byte > 127 for byte in counted))  # some tars add signed bytes


def read_tar(draft: Draft) -> None:
    """A tar: torch 0.1 wrote one with the members `sys_info`, `pickle`, `tensors`, `storages`."""
    draft.obstruct(_TAR, "format")
    offset, named = 0, ""
    links: dict[str, str] = {}
    while len(draft.members) < 4096:
        header = draft.access.read_at(offset, 512)
        draft.work.spend(150)
        if not is_tar(header):
            break
        name = named or header[:100].split(b"\x00")[0].decode("utf-8", "replace")
        size = _tar_number(header[124:136])
        named = _name_ahead(draft, header[156:157], offset + 512, size)
        if header[156:157] in (b"1", b"2"):
            links[header[157:257].split(b"\x00")[0].decode("utf-8", "replace").removeprefix("./")] = name
        draft.members.append(MemberFacts(name, size, size, 0, 0, offset))
        if offset + 512 + size > draft.access.size:
            draft.problem("damage", f"the tar is cut short inside of {name!r}", member=name, offset=offset)
            break
        offset += 512 + (size + 511) // 512 * 512
    names = {member.name.lstrip("./") for member in draft.members} | set(links.values())
    if {"pickle", "storages"} <= names or {"pickle", "tensors"} <= names:
        draft.kind, draft.title = "torch-tar", "a torch.save file of torch 0.1 (tar)"
        _read_tar_pickles(draft, links)
    else:
        draft.kind, draft.title = "tar", "a tar archive"
        draft.problem("foreign", "this is a tar archive, no checkpoint: unpack it first (tar xf)")


def _name_ahead(draft: Draft, kind: bytes, place: int, size: int) -> str:
    """The name that an extended header (of pax, or of GNU's tar) gives to the member behind it; nothing elsewhere."""
    if kind not in (b"x", b"g", b"L"):
        return ""
    data = draft.access.read_at(place, min(size, _EXTENDED))
    if kind == b"L":
        return data.split(b"\x00")[0].decode("utf-8", "replace")
    found = re.search(rb"\d path=([^\n]*)\n", data)
    return found[1].decode("utf-8", "replace") if found else ""


def _tar_number(field: bytes) -> int:
    if field[:1] == b"\x80":
        return int.from_bytes(field[1:], "big")
    try:
        return int(field.strip(b" \x00") or b"0", 8)
    except ValueError:
        return 0


class TarStorages:
    """Persistent ids of the tar format: numbers of objects in other members."""

    def __call__(self, machine: object, identifier: Value) -> Value:
        return Storage(str(identifier)[:40], "uint8", 0, "cpu")


def _read_tar_pickles(draft: Draft, links: dict[str, str]) -> None:
    """Every pickle of every member; `links` are the names that links give to others."""
    for member in draft.members:
        name = member.name.lstrip("./")
        name = links.get(name, name).lstrip("./")
        if name not in TAR_PICKLES or not member.size:
            continue
        cursor = cursor_at(draft, member.offset + 512)
        machine = _run_of_tar(draft, cursor, "object" if name == "pickle" else "header", member.name)
        if name == "pickle" and machine.finished:
            draft.root, draft.has_root = machine.result, True
        if name in ("storages", "tensors") and machine.finished and type(machine.result) is int:
            try:
                _read_counted(draft, cursor, machine.result, name, member.name)
            except Truncated:
                draft.problem("damage", "its data is cut short", member=member.name)


def _run_of_tar(draft: Draft, cursor: Cursor, role: str, member: str) -> Machine:
    """One pickle; kept only where it names something."""
    run = draft.run_pickle(cursor, TarStorages(), role, member)
    if run.machine.broken and not run.machine.limited:
        draft.problem("damage", f"its pickle is damaged: {run.machine.broken}", member=member)
    if role == "header" and run.machine.finished and not run.machine.uses:
        draft.runs.remove(run)
    return run.machine


def _read_counted(draft: Draft, cursor: Cursor, count: int, name: str, member: str) -> None:
    """So many times a pickle and raw bytes behind it; then, for storages, one more pickle. Raises Truncated."""
    views = name == "storages"
    for _ in range(count):
        machine = _run_of_tar(draft, cursor, "header", member)
        length = None
        if machine.finished:
            length = _storage_length(cursor, machine) if views else _tensor_length(cursor)
        if length is None:
            if machine.finished:
                draft.problem("damage", "its parts cannot be told from one another", member=member)
            return
        cursor.skip(length)
    if views:
        _run_of_tar(draft, cursor, "header", member)


def _storage_length(cursor: Cursor, machine: Machine) -> int | None:
    """Bytes of a storage that is described as (key, device, type); None where torch would fail."""
    value = machine.result
    if not isinstance(value, (tuple, list)) or len(value) != 3:
        return None
    try:
        size = item_size(machine, storage_dtype(machine, value[2]))
    except Refuse:
        return None
    length = int.from_bytes(cursor.take(8), "little", signed=True)
    return length * size if length >= 0 else None


def _tensor_length(cursor: Cursor) -> int | None:
    """Bytes of the sizes, the strides and the offset of a tensor; None where torch would fail."""
    dimensions = int.from_bytes(cursor.take(8)[:4], "little", signed=True)
    return 16 * dimensions + 8 if dimensions >= 0 else None
