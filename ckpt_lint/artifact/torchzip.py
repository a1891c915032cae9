"""Zip files: what torch.save writes, TorchScript, pt2, npz, and other archives."""

from __future__ import annotations

import re

from ckpt_lint.artifact.cursor import Cursor
from ckpt_lint.artifact.draft import Draft, PickleRun, no_persistent, storage_facts
from ckpt_lint.artifact.facts import MemberFacts
from ckpt_lint.artifact.machine import Persist
from ckpt_lint.artifact.storages import ZipStorages
from ckpt_lint.artifact.zipdir import (
    Directory,
    Feed,
    Member,
    NoDirectory,
    Opened,
    Remark,
    local_names,
    open_member,
    read_directory,
    read_small,
)  # fmt: skip

_PICKLED = (".pkl", ".pickle", ".joblib", ".dill")
_LABELS = ("version", ".format_version", ".storage_alignment", "byteorder", ".data/serialization_id", ".data/version")
_LOCAL_CHECKS = 4096
_SMALL = 4096
_DESCRIPTOR = 24
_OF_A_HEADER = 80
_BAD_ZIP = "PytorchStreamReader failed reading zip archive: {}"


def read_zip(draft: Draft) -> None:
    """Read a file that begins as a zip does. Raises LimitReached, OSError."""
    draft.kind, draft.title = "zip", "a zip archive"
    try:
        directory = read_directory(draft.access, draft.limits, draft.work)
    except NoDirectory as error:
        draft.kind, draft.title = "torch-zip", "a zip archive that is cut short or damaged"
        draft.problem("damage", str(error))
        draft.obstruct(_BAD_ZIP.format("failed finding central directory"), "damage")
        return
    draft.directory = directory
    draft.members = [MemberFacts(m.name, m.size, m.packed, m.method, m.crc, m.header) for m in directory.members]
    _note_remarks(draft, directory.remarks)
    root = _root(directory)
    draft.root_name = root
    _identify(draft, directory, root)
    _check_locals(draft, directory)
    if draft.kind == "torch-zip":
        _read_torch(draft, directory, root)
    elif draft.kind != "npz":
        _read_other(draft, directory, root)
    _read_pickles(draft, directory, root)


def _note_remarks(draft: Draft, remarks: list[Remark]) -> None:
    for remark in remarks:
        kind = "hidden" if remark.hostile and not remark.fatal else "damage"
        draft.problem(kind, remark.message, member=remark.member, offset=remark.offset)
        if remark.fatal:
            draft.obstruct(_BAD_ZIP.format(remark.message), "damage")
        elif remark.unsure:
            draft.doubt = draft.doubt or remark.message


def _root(directory: Directory) -> str:
    """The folder that all records are in; torch takes it from the first one."""
    if not directory.members:
        return ""
    return directory.members[0].name.partition("/")[0] if "/" in directory.members[0].name else ""


def _identify(draft: Draft, directory: Directory, root: str) -> None:
    """The kind of archive, by the records that it has."""
    names = {member.folded for member in directory.members}
    inside = root.lower() + "/"
    one_root = bool(root) and all(member.name.startswith(root + "/") for member in directory.members)
    if not one_root:
        message = "file in archive is not in a subdirectory"
        draft.obstruct(f"PytorchStreamReader: {message}", "damage" if f"{inside}data.pkl" in names else "foreign")
    if f"{inside}constants.pkl" in names:
        draft.kind, draft.title = "torchscript", "a TorchScript archive (torch.jit.save)"
        draft.obstruct("Cannot use ``weights_only=True`` with TorchScript archives passed to ``torch.load``.", "format")
    elif f"{inside}data.pkl" in names:
        draft.kind, draft.title = "torch-zip", "a torch.save file (zip)"
    elif f"{inside}archive_format" in names or f"{inside}archive_version" in names or "archive_format" in names:
        draft.kind, draft.title = "pt2", "an exported program (torch.export.save)"
        draft.obstruct("PytorchStreamReader failed locating file data.pkl: file not found", "format")
    else:
        _identify_foreign(draft, names)


def _identify_foreign(draft: Draft, names: set[str]) -> None:
    draft.obstruct("PytorchStreamReader failed locating file data.pkl: file not found", "foreign")
    if names and all(name.endswith(".npy") for name in names):
        draft.kind, draft.title = "npz", "a NumPy archive (npz)"
        draft.problem("foreign", "this is a NumPy archive (npz): read it with numpy.load(..., allow_pickle=False)")
    elif any(name.rsplit("/", 1)[-1] == "data.pkl" for name in names):
        draft.kind, draft.title = "torch-zip", "a torch.save file that was packed anew, or lies in several folders"
        draft.problem("damage", "its records are not in one folder: torch refuses it; pack it as torch.save does")
    elif {"config.json", "metadata.json"} <= names and any(name.endswith(".weights.h5") for name in names):
        draft.title = "a Keras model (.keras)"
        draft.problem("foreign", "this is a Keras model (.keras): torch does not read it")
    elif any(name.endswith((".pt", ".pth", ".ckpt", ".bin", ".safetensors")) for name in names):
        inner = sorted(name for name in names if name.endswith((".pt", ".pth", ".ckpt", ".bin", ".safetensors")))[0]
        draft.problem("foreign", f"this is a zip archive that holds {inner!r}: unzip it first")
    elif any("/data/" in name or name.startswith("data/") for name in names) and len(names) > 2:
        draft.kind, draft.title = "torch-zip", "a torch.save file without its data.pkl"
        draft.problem("damage", "the record data.pkl is missing: the file is damaged")
    else:
        kind = "an empty zip archive" if not names else "a zip archive of something else"
        draft.problem("foreign", f"this is {kind}: it holds no checkpoint")


def _check_locals(draft: Draft, directory: Directory) -> None:
    """Headers in front of the records, where looking at each one is cheap; records that the directory hides."""
    if directory.members:
        draft.crc_written = any(member.crc for member in directory.members if member.size)
    if not draft.access.seeks_are_cheap or len(directory.members) > _LOCAL_CHECKS:
        return
    if _has_gaps(directory, [_open(draft, member) for member in directory.members]):
        directory.hidden.extend(local_names(draft.access, directory, _LOCAL_CHECKS, draft.work))
    known = {member.folded for member in directory.members}
    for member in directory.hidden:
        clash = " of a name that it has twice" if member.folded in known else ""
        draft.problem("hidden", f"a record that the zip directory does not list{clash}", member=member.name)
    if len(known) < len(directory.members):
        _note_twins(draft, directory)


def _note_twins(draft: Draft, directory: Directory) -> None:
    """Records of one name, but for case: readers differ in which one they take."""
    seen: set[str] = set()
    for member in directory.members:
        if member.folded in seen:
            draft.problem("hidden", "two records of one name: torch reads the last one", member=member.name)
        seen.add(member.folded)


def _has_gaps(directory: Directory, opened: list[Opened | None]) -> bool:
    """Whether there is room between the records for one that the directory does not list."""
    places = []
    for member, local in zip(directory.members, opened):
        if local is None:
            return True
        places.append((member.header, local.data_start + member.packed))
    reach = 0
    for start, end in sorted(places):
        if start - reach > _DESCRIPTOR:
            return True
        reach = end
    return directory.start - reach > _DESCRIPTOR


def _open(draft: Draft, member: Member) -> Opened | None:
    """The local header of a member, read once; None, and a problem, where there is none."""
    key = (member.entry, member.header)
    if key in draft.opened:
        return draft.opened[key]
    opened: Opened | None = None
    draft.work.spend(_OF_A_HEADER)
    try:
        opened = open_member(draft.access, member)
    except NoDirectory as error:
        draft.problem("damage", str(error), member=member.name, offset=member.header)
    if opened is not None and opened.remarks:
        _note_remarks(draft, list(opened.remarks))
    draft.opened[key] = opened
    return opened


def _small(draft: Draft, directory: Directory, name: str) -> bytes | None:
    member = directory.find(name)
    if member is None:
        return None
    try:
        opened = _open(draft, member)
        if opened is None:
            draft.obstruct(f"PytorchStreamReader failed reading file {member.name}: invalid header", "damage")
            return None
        return read_small(draft.access, member, opened, _SMALL)
    except NoDirectory as error:
        draft.problem("damage", str(error), member=member.name)
        return None


def _read_torch(draft: Draft, directory: Directory, root: str) -> None:
    _read_labels(draft, directory, root)
    member = directory.find(f"{root}/data.pkl") or _any_data_pickle(directory)
    if member is None:
        return
    storages = ZipStorages(root, directory.members)
    _read_member(draft, member, storages, "object")
    run = draft.object_run()
    draft.storages = [storage_facts(storage) for storage in storages.all]
    records = {record.folded: record.size for record in directory.members}
    _obstruct_blocked(draft, directory, root, {(storage.member or "").lower() for storage in storages.all})
    broken = any(opened is None for opened in draft.opened.values())
    for storage in storages.all:
        found = directory.find(storage.member) if broken and storage.member is not None else None
        if found is not None and draft.opened.get((found.entry, found.header), True) is None:
            draft.obstruct(f"PytorchStreamReader failed reading file data/{storage.key}: invalid header", "damage")
        if storage.member is None:
            text = f"the record data/{storage.key} is missing: {storage.size} bytes of tensor data are gone"
            draft.problem("damage", text, member=f"{root}/data/{storage.key}"[:200])
        elif records[storage.member.lower()] != storage.size:
            text = f"the record is {records[storage.member.lower()]} bytes long, its tensor needs {storage.size}"
            draft.problem("damage", text, member=storage.member)
    if run is not None and run.machine.finished:
        draft.root, draft.has_root = run.machine.result, True


def _obstruct_blocked(draft: Draft, directory: Directory, root: str, used: set[str]) -> None:
    """Records that cannot be read stop torch where it needs them: the labels, the pickle, the storages in use."""
    needed = used | {f"{root}/{label}".lower() for label in ("data.pkl", *_LABELS)}
    for remark in directory.remarks:
        if remark.blocks and remark.member is not None and remark.member.lower() in needed:
            draft.obstruct(f"PytorchStreamReader failed reading file {remark.member}: {remark.message}", "damage")


def _any_data_pickle(directory: Directory) -> Member | None:
    return next((m for m in directory.members if m.folded.rsplit("/", 1)[-1] == "data.pkl"), None)


def _read_labels(draft: Draft, directory: Directory, root: str) -> None:
    """The small records: container version, byte order, fingerprint."""
    version = _small(draft, directory, f"{root}/.data/version") or _small(draft, directory, f"{root}/version")
    _small(draft, directory, f"{root}/.format_version")
    if version is None:
        draft.problem("damage", "the record `version` is missing: torch refuses the file", member=f"{root}/version")
        draft.obstruct("PytorchStreamReader failed locating file version: file not found", "damage")
    else:
        draft.format_version = version.decode("latin-1").strip()[:20]
        number = re.match(r"\d{1,9}", draft.format_version, re.ASCII)
        if number is None or not 1 <= int(number.group()) <= 10:
            draft.problem("damage", f"container version {draft.format_version!r}, torch reads 1 to 10")
            draft.obstruct(f"container version {draft.format_version!r} is not supported", "damage")
    order = _small(draft, directory, f"{root}/byteorder")
    if order is not None:
        draft.byte_order = order.decode("latin-1")[:20]
        if order not in (b"little", b"big"):
            draft.problem("damage", f"unknown byte order {draft.byte_order!r}", member=f"{root}/byteorder")
            draft.obstruct(f"Unknown endianness type: {draft.byte_order}", "damage")
    alignment = _small(draft, directory, f"{root}/.storage_alignment")
    if alignment is not None and not alignment.strip().isdigit():
        draft.problem("damage", "the record .storage_alignment holds no number", member=f"{root}/.storage_alignment")
        draft.obstruct("invalid literal for int() in .storage_alignment", "damage")
    identity = _small(draft, directory, f"{root}/.data/serialization_id")
    if identity is not None:
        draft.fingerprint = identity.decode("latin-1")[:64]
        if not identity.isascii():
            draft.problem("damage", "the record serialization_id is damaged", member=f"{root}/.data/serialization_id")
            draft.obstruct("'utf-8' codec can't decode the serialization id", "damage")


def _read_member(draft: Draft, member: Member, persist: Persist, role: str) -> None:
    """Run the pickles of one member: the first in `role`, and what is stacked behind it as extra."""
    opened = _open(draft, member)
    if opened is None:
        draft.obstruct(f"PytorchStreamReader failed reading {member.name}", "damage")
        return
    feed = Feed(draft.access, member, opened, draft.work)
    cursor = Cursor(feed, member.size, draft.limits)
    try:
        run = draft.run_pickle(cursor, persist, role, member.name)
        if role == "object" and run.machine.broken and not run.machine.limited:
            draft.problem("damage", f"its pickle is damaged: {run.machine.broken}", member=member.name)
        if run.machine.finished:
            run_stacked(draft, cursor, member.name)
        if feed.crc_differs():
            draft.problem("damage", "its CRC is wrong: the record was changed after it was written", member=member.name)
    except NoDirectory as error:
        draft.problem("damage", str(error), member=member.name)
        draft.obstruct(str(error), "damage")


def run_stacked(draft: Draft, cursor: Cursor, member: str | None) -> int:
    """Pickles behind the one that was read: torch never runs them, another reader may. Returns the last offset."""
    run: PickleRun | None = None
    for _ in range(draft.limits.stacked_pickles):
        if (run is not None and run.machine.broken) or (cursor.position >= len(cursor.buffer) and not cursor.refill(1)):
            return cursor.offset
        run = draft.run_pickle(cursor, no_persistent, "extra", member)
        if run.machine.broken and not run.machine.called_by_name():
            draft.runs.remove(run)
            return run.base
    draft.problem("limit", f"more than {draft.limits.stacked_pickles} stacked pickles", member=member)
    return cursor.offset


def _read_other(draft: Draft, directory: Directory, root: str) -> None:
    """TorchScript and pt2: names and sizes of what they hold."""
    version = _small(draft, directory, f"{root}/version") or _small(draft, directory, f"{root}/archive_version")
    draft.format_version = version.decode("latin-1").strip()[:20] if version else None
    identity = _small(draft, directory, f"{root}/.data/serialization_id")
    draft.fingerprint = identity.decode("latin-1")[:64] if identity else None
    if draft.kind == "torchscript":
        storages = ZipStorages(root, directory.members)
        member = directory.find(f"{root}/data.pkl")
        if member is not None:
            _read_member(draft, member, storages, "script")
            draft.storages = [storage_facts(storage) for storage in storages.all]


def _read_pickles(draft: Draft, directory: Directory, root: str) -> None:
    """Every other pickle in the archive: hidden ones, second ones, and those of other names."""
    done = {run.member for run in draft.runs}
    records: ZipStorages | None = None
    first = directory.find(f"{root}/data.pkl")
    for member in [*directory.members, *directory.hidden]:
        name = member.folded
        again = member is not first and name.endswith("data.pkl")
        if not name.endswith(_PICKLED) or member.method not in (0, 8) or (member.name in done and not again):
            continue
        role = "script" if draft.kind == "torchscript" else "hidden"
        records = records.fresh() if records else ZipStorages(root, directory.members)
        _read_member(draft, member, records, role)
