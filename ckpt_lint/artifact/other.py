"""Containers that are no torch.save file but hold weights: safetensors, NumPy arrays, DCP folders."""

from __future__ import annotations

import ast
import json
import math
import re
from pathlib import Path

from ckpt_lint.artifact.access import BytesAccess, FileAccess, RandomAccess
from ckpt_lint.artifact.draft import Draft, no_persistent
from ckpt_lint.artifact.facts import MemberFacts, StorageFacts, TensorFacts
from ckpt_lint.artifact.legacy import cursor_at
from ckpt_lint.artifact.limits import LimitReached
from ckpt_lint.artifact.rebuild import contiguous
from ckpt_lint.artifact.values import Called, Global, Value

_SAFETENSORS_DTYPES = {
    "F64": ("float64", 64), "F32": ("float32", 32), "F16": ("float16", 16), "BF16": ("bfloat16", 16),
    "I64": ("int64", 64), "I32": ("int32", 32), "I16": ("int16", 16), "I8": ("int8", 8), "U8": ("uint8", 8),
    "U16": ("uint16", 16), "U32": ("uint32", 32), "U64": ("uint64", 64), "BOOL": ("bool", 8),
    "F8_E4M3": ("float8_e4m3fn", 8), "F8_E5M2": ("float8_e5m2", 8), "F8_E8M0": ("float8_e8m0fnu", 8),
    "F8_E4M3FNUZ": ("float8_e4m3fnuz", 8), "F8_E5M2FNUZ": ("float8_e5m2fnuz", 8), "C64": ("complex64", 64),
    "F4": ("float4_e2m1fn_x2", 4), "F6_E2M3": ("float6_e2m3", 6), "F6_E3M2": ("float6_e3m2", 6),
}  # fmt: skip
_HEADER_LIMIT = 100_000_000
_AFTER_BRACE = (b'"', b"}", b" ", b"\n", b"\t", b"\r")
_NPY_HEADER, _NPY_LITERAL = 1 << 20, 1 << 16
_NPY_NUMBER = re.compile(r"[<>|=][biufc](\d{1,3})\Z")
_NPY_PLAIN = re.compile(r"[<>|=]?[?biufcSUVmM]\d*(\[\d*\w*\])?\Z")
_DIMENSIONS = 1000
_METADATA = 100_000
_OF_A_VALUE, _OF_AN_ENTRY, _VALUE_MEMORY, _OF_A_LITERAL = 6, 24, 90, 10
_DCP_PARTS, _DCP_PART = 256, 4 << 20


def is_safetensors(head: bytes, size: int) -> bool:
    """A length of eight bytes that fits, and a JSON object behind it."""
    text = head[8:].lstrip(b" \n\t\r")
    if not text.startswith(b"{"):
        return False
    length = int.from_bytes(head[:8], "little")
    return 2 <= length <= _HEADER_LIMIT and (text[1:2] in _AFTER_BRACE or length + 8 > size)


def read_safetensors(draft: Draft) -> None:
    """The header: names, dtypes, shapes and offsets, each checked against the file."""
    draft.kind, draft.title = "safetensors", "a safetensors file"
    draft.loads_elsewhere = draft.path.endswith(".safetensors")
    length = int.from_bytes(draft.access.read_at(0, 8), "little")
    if 8 + length > draft.access.size:
        _broken(draft, "it is cut short inside of its header")
        return
    if length > draft.limits.directory_bytes // 4:
        draft.problem("limit", "its header is too large to read")
        return
    header = draft.access.read_at(8, length)
    values = sum(header.count(mark) for mark in (b",", b"[", b"{"))
    draft.work.spend(_OF_A_VALUE * values + (length >> 6))
    draft.work.memory += _VALUE_MEMORY * values
    if draft.work.memory > draft.work.memory_limit:
        raise LimitReached(draft.work.too_much())
    try:
        table = json.loads(header)
    except (ValueError, RecursionError):
        _broken(draft, "its header is no JSON")
        return
    if not isinstance(table, dict):
        _broken(draft, "its header is no JSON object")
        return
    metadata = table.pop("__metadata__", None)
    metadata = {} if metadata is None else metadata
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        _broken(draft, "the entry '__metadata__' of its header holds more than text")
        return
    if len(metadata) > _METADATA:
        raise LimitReached(f"its header holds more than {_METADATA:,} entries of metadata")
    draft.metadata = [(key[:200], value[:500]) for key, value in sorted(metadata.items())]
    _safetensors_entries(draft, table, 8 + length)


def _broken(draft: Draft, message: str) -> None:
    draft.problem("damage", message)
    draft.loads_elsewhere = False


def _safetensors_entries(draft: Draft, table: dict[str, Value], base: int) -> None:
    found: list[tuple[int, int, TensorFacts]] = []
    if len(table) > draft.limits.tensors:
        raise LimitReached(f"its header names more than {draft.limits.tensors} tensors")
    draft.work.spend(_OF_AN_ENTRY * len(table))
    for name, entry in table.items():
        fact = _safetensors_entry(draft, name, entry, base)
        if fact is None:
            _broken(draft, f"the entry {name[:80]!r} of its header makes no sense")
            return
        found.append((*entry["data_offsets"], fact))
    place = 0
    for start, end, fact in sorted(found, key=lambda item: (item[0], item[1])):
        if start != place:
            _broken(draft, f"the bytes of {fact.key!r} overlap others, or leave a hole")
            return
        place = end
    if base + place != draft.access.size:
        kind = "cut short" if base + place > draft.access.size else "followed by other bytes"
        _broken(draft, f"its tensors end at byte {base + place}, the file at {draft.access.size}: it is {kind}")
    draft.tensors = [item[2] for item in found]
    draft.storages = [
        StorageFacts(fact.key, fact.dtype, end - start, "cpu", None, base + start) for start, end, fact in found
    ]


def _safetensors_entry(draft: Draft, name: str, entry: Value, base: int) -> TensorFacts | None:
    if not isinstance(entry, dict) or not {"dtype", "shape", "data_offsets"} <= set(entry):
        return None
    dtype, bits = _SAFETENSORS_DTYPES.get(str(entry["dtype"]), ("", 0))
    shape, offsets = entry["shape"], entry["data_offsets"]
    if not dtype or not _naturals(shape) or not _naturals(offsets) or len(offsets) != 2:
        return None
    count = 1
    for length in shape:
        count *= length
    if 8 * (offsets[1] - offsets[0]) != count * bits:
        return None
    item = max(bits // 8, 1)
    return TensorFacts(
        name, tuple(shape), dtype, contiguous(tuple(shape)), name, 0, offsets[1] - offsets[0], "cpu", False, False,
        "strided", item,
    )  # fmt: skip


def _naturals(value: Value) -> bool:
    return (
        isinstance(value, list)
        and len(value) <= _DIMENSIONS
        and all(type(item) is int and 0 <= item < 1 << 60 for item in value)
    )


def read_npy(draft: Draft, access: RandomAccess, member: str | None = None) -> int | None:
    """A NumPy array: its header; where its dtype is object, the pickle behind it. Where it ends, if that is known."""
    head = access.read_at(0, 12)
    wide = head[6:7] >= b"\x02"
    length = int.from_bytes(head[8:12] if wide else head[8:10], "little")
    start = 12 if wide else 10
    if length > _NPY_HEADER:
        draft.problem("limit", "the header of its NumPy array is too long to read", member=member)
        return None
    text = access.read_at(start, length)
    draft.work.spend(_OF_A_LITERAL * min(len(text), _NPY_LITERAL))
    header = _npy_header(text)
    if not _has_objects(header.get("descr")):
        if len(text) < length:
            draft.problem("damage", "the NumPy array is cut short", member=member)
        return _npy_end(header, start + length)
    cursor = cursor_at(draft, start + length, access)
    run = draft.run_pickle(cursor, no_persistent, "hidden", member)
    if run.machine.broken:
        draft.problem("damage", f"the pickle of its objects is damaged: {run.machine.broken}", member=member)
        return None
    return cursor.offset


def _npy_header(text: bytes) -> dict[str, Value]:
    """The dict of a header, read as NumPy reads it: a Python literal. Empty where it is none. Raises LimitReached."""
    literal = text.strip(b"\x00 \n")
    if len(literal) > _NPY_LITERAL:
        raise LimitReached("the header of its NumPy array is too long")
    try:
        header = ast.literal_eval(literal.decode("utf-8", "replace"))
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return {}
    return header if isinstance(header, dict) else {}


def _has_objects(descr: Value) -> bool:
    """Whether a dtype may hold objects, which are pickled: so whatever is not known to be numbers or text."""
    if isinstance(descr, list):
        return any(not isinstance(one, tuple) or len(one) < 2 or _has_objects(one[1]) for one in descr)
    if isinstance(descr, tuple):
        return not descr or _has_objects(descr[0])
    return not isinstance(descr, str) or _NPY_PLAIN.match(descr) is None


def _npy_end(header: dict[str, Value], start: int) -> int | None:
    """Where the numbers end that follow a header of one plain dtype such as `<f4`."""
    dtype, shape = _NPY_NUMBER.match(str(header.get("descr"))), header.get("shape")
    if dtype is None or not isinstance(shape, tuple) or not _naturals(list(shape)):
        return None
    return start + int(dtype[1]) * math.prod(shape)


def read_dcp(draft: Draft, folder: Path) -> list[tuple[str, RandomAccess]]:
    """A folder of torch.distributed.checkpoint: `.metadata` (a pickle) and the files that it points into.

    Returns the parts that torch unpickles without weights_only, by name: whatever is no tensor.
    """
    draft.kind, draft.title = "dcp", "a distributed checkpoint (folder of torch.distributed.checkpoint)"
    files = sorted(path for path in folder.iterdir() if path.is_file())
    draft.members = [MemberFacts(path.name, path.stat().st_size, path.stat().st_size, 0, 0, 0) for path in files]
    metadata = folder / ".metadata"
    if not metadata.exists():
        draft.problem("damage", "the file .metadata is missing: the save did not finish", member=".metadata")
        return []
    with FileAccess(metadata) as access:
        cursor = cursor_at(draft, 0, access)
        run = draft.run_pickle(cursor, no_persistent, "object", ".metadata")
    if run.machine.broken:
        draft.problem("damage", f"its .metadata is damaged: {run.machine.broken}", member=".metadata")
        return []
    _dcp_tensors(draft, run.machine.result)
    return _dcp_files(draft, run.machine.result, folder)


def _state(value: Value) -> dict[Value, Value]:
    if isinstance(value, Called):
        for state in value.state:
            if isinstance(state, dict):
                return state
    return {}


def _dcp_tensors(draft: Draft, metadata: Value) -> None:
    tensors: list[TensorFacts] = []
    entries = _state(metadata).get("state_dict_metadata")
    sizes = draft.table.item_sizes
    for name, entry in entries.items() if isinstance(entries, dict) else ():
        state = _state(entry)
        shape = state.get("size")
        if not isinstance(shape, tuple) or not all(type(item) is int for item in shape):
            draft.metadata.append((str(name)[:200], "bytes"))
            continue
        dtype = _dcp_dtype(state.get("properties"))
        fact = TensorFacts(
            str(name), tuple(shape), dtype, contiguous(tuple(shape)), str(name), 0, 0, "cpu", False, False, "strided",
            sizes.get(dtype, 1),
        )  # fmt: skip
        tensors.append(fact)
    draft.tensors = tensors
    draft.storages = [StorageFacts(fact.key, fact.dtype, fact.size, "cpu", None) for fact in tensors]


def _dcp_dtype(properties: Value) -> str:
    if isinstance(properties, Called):
        for state in properties.state:
            first = state[0] if isinstance(state, tuple) and state else None
            first = state.get("dtype") if isinstance(state, dict) else first
            if isinstance(first, Global):
                return first.name
    return "unknown"


def _dcp_files(draft: Draft, metadata: Value, folder: Path) -> list[tuple[str, RandomAccess]]:
    """Whether each range that the metadata points to lies inside of its file; the ranges that are no tensors."""
    sizes = {member.name: member.size for member in draft.members}
    tensors = {fact.key for fact in draft.tensors or ()}
    ranges = _state(metadata).get("storage_data")
    parts: list[tuple[str, RandomAccess]] = []
    for index, entry in ranges.items() if isinstance(ranges, dict) else ():
        state = _state(entry)
        name, offset, length = state.get("relative_path"), state.get("offset"), state.get("length")
        if not isinstance(name, str) or type(offset) is not int or type(length) is not int:
            continue
        if name not in sizes:
            draft.problem("damage", f"the file {name[:80]!r} is missing", member=name[:200])
        elif offset < 0 or offset + length > sizes[name]:
            draft.problem("damage", f"the file {name[:80]!r} is cut short", member=name, offset=sizes[name])
        elif str(_state(index).get("fqn")) not in tensors and len(parts) < _DCP_PARTS:
            with FileAccess(folder / name) as access:
                parts.append((name, BytesAccess(access.read_at(offset, min(length, _DCP_PART)))))
    return parts
