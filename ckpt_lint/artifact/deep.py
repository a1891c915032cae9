"""Reading the tensors themselves: CRCs of all records, and floating weights that are NaN or infinite.

Nothing is decoded: the bytes that hold the exponents are sliced out and searched, at the speed of memory.
"""

from __future__ import annotations

import os
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from ckpt_lint.artifact.access import FileAccess, RandomAccess
from ckpt_lint.artifact.facts import ArtifactFacts, MemberFacts, StorageFacts, TensorFacts
from ckpt_lint.artifact.zipdir import Feed, Member, NoDirectory, open_member

_CHUNK = 1 << 22
_HALF = re.compile(rb"[\x7c-\x7f\xfc-\xff]")
_TOP = re.compile(rb"[\x7f\xff]")
# dtype: bytes of one number, what the last byte must match, least value of the byte before it (0: none is needed)
_FLOATS = {
    "float32": (4, _TOP, 0x80), "float64": (8, _TOP, 0xF0), "bfloat16": (2, _TOP, 0x80), "float16": (2, _HALF, 0),
    "float8_e5m2": (1, _HALF, 0), "float8_e4m3fn": (1, _TOP, 0), "complex64": (4, _TOP, 0x80),
    "complex128": (8, _TOP, 0xF0),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class NonFinite:
    """A tensor with numbers that are not finite; `nan` and `infinite` say of which sort, `count` how many were seen."""

    key: str
    nan: bool
    infinite: bool
    count: int


@dataclass(frozen=True, slots=True)
class DeepFacts:
    """What reading the data showed: members of a wrong CRC, and tensors that are not finite."""

    wrong_crc: tuple[MemberFacts, ...] = ()
    not_finite: tuple[NonFinite, ...] = ()


def read_deep(path: str | os.PathLike[str], facts: ArtifactFacts) -> DeepFacts:
    """Read the data of a local file. Raises OSError."""
    if os.path.isdir(path):
        return DeepFacts()
    with FileAccess(path) as access:
        return read_deep_access(access, facts)


def read_deep_access(access: RandomAccess, facts: ArtifactFacts) -> DeepFacts:
    """Read the data of anything with random access. Raises OSError."""
    return DeepFacts(wrong_crcs(access, facts), not_finite(access, facts))


def wrong_crcs(access: RandomAccess, facts: ArtifactFacts) -> tuple[MemberFacts, ...]:
    """Zip members whose bytes do not give the CRC of the directory. A writer that made none (all 0) is no damage."""
    if facts.crc_written is not True:
        return ()
    return tuple(member for member in facts.members if _crc_differs(access, member))


def _crc_differs(access: RandomAccess, member: MemberFacts) -> bool:
    crc = 0
    try:
        for data in _chunks(access, member):
            crc = zlib.crc32(data, crc)
    except NoDirectory:
        return True
    return crc != member.crc


def _chunks(access: RandomAccess, member: MemberFacts) -> Iterator[bytes]:
    """The unpacked bytes of a member, in pieces of whole elements."""
    entry = Member(member.name, member.method, 0, member.crc, member.packed, member.size, member.offset)
    feed = Feed(access, entry, open_member(access, entry))
    pending = b""
    while data := feed(_CHUNK):
        pending = pending + data if pending else data
        whole = len(pending) & ~15
        yield pending[:whole]
        pending = pending[whole:]
    if pending:
        yield pending


def not_finite(access: RandomAccess, facts: ArtifactFacts) -> tuple[NonFinite, ...]:
    """Floating tensors of the models that hold NaN or infinity, by key."""
    members = {member.name: member for member in facts.members}
    wanted: dict[str, list[TensorFacts]] = {}
    for fact in facts.tensors:
        if fact.storage_key is not None and fact.dtype in _FLOATS and _is_weight(facts, fact):
            wanted.setdefault(fact.storage_key, []).append(fact)
    result: list[NonFinite] = []
    for storage in facts.storages:
        for fact in wanted.get(storage.key, ())[:1]:
            found = _scan(_storage_chunks(access, storage, members), fact.dtype)
            if found is not None and not (_may_be_masked(fact.key) and not found[0]):
                result.append(NonFinite(fact.key, *found))
    return tuple(result)


def _is_weight(facts: ArtifactFacts, fact: TensorFacts) -> bool:
    training = facts.training
    if any(fact.key.startswith((path + ".", path + "[")) if path else True for path in training.optimizers):
        return False
    return not training.models or any(
        model.key == "" or fact.key.startswith(model.key + ".") for model in training.models
    )


def _may_be_masked(key: str) -> bool:
    return re.search(r"mask|attn|attention|bias_table|causal|tril|triu", key, re.IGNORECASE) is not None


def _storage_chunks(access: RandomAccess, storage: StorageFacts, members: dict[str, MemberFacts]) -> Iterator[bytes]:
    member = members.get(storage.member or "")
    if member is not None:
        try:
            yield from _chunks(access, member)
        except NoDirectory:
            return
    elif storage.offset is not None:
        for start in range(0, storage.size, _CHUNK):
            yield access.read_at(storage.offset + start, min(_CHUNK, storage.size - start))


def _scan(chunks: Iterator[bytes], dtype: str) -> tuple[bool, bool, int] | None:
    width, top, least = _FLOATS[dtype]
    nan = infinite = False
    count = 0
    for data in chunks:
        last = data[width - 1 :: width]
        for match in top.finditer(last):
            number = data[match.start() * width : (match.start() + 1) * width]
            if width > 1 and least and number[-2] < least:
                continue
            count += 1
            is_infinite = _is_infinite(number, dtype)
            nan, infinite = nan or not is_infinite, infinite or is_infinite
            if count >= 1000:
                return nan, infinite, count
    return (nan, infinite, count) if count else None


def _is_infinite(number: bytes, dtype: str) -> bool:
    """Whether the fraction bits below an all-ones exponent are zero."""
    bits = int.from_bytes(number, "little")
    fractions = {"float32": 23, "complex64": 23, "float64": 52, "complex128": 52, "bfloat16": 7, "float16": 10}
    return dtype != "float8_e4m3fn" and bits & ((1 << fractions.get(dtype, 2)) - 1) == 0
