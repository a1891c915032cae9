"""`inspect --diff A B`: keys, shapes, dtypes, devices and bytes that differ between two checkpoints."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from ckpt_lint.artifact.facts import ArtifactFacts, MemberFacts, TensorFacts
from ckpt_lint.report.inspect_words import counted, printable, shortened, sized


@dataclass(frozen=True, slots=True)
class Change:
    """One difference: `kind` is removed, added, shape, dtype, device, grad, data or file; before and after as text."""

    kind: str
    key: str
    before: str
    after: str


def changes(old: ArtifactFacts, new: ArtifactFacts) -> list[Change]:
    """All differences, by key. Whether data differs is known from the CRCs of a zip, where both have them."""
    before = {fact.key: fact for fact in old.tensors}
    after = {fact.key: fact for fact in new.tensors}
    found = list(_file_changes(old, new))
    sums = (_checksums(old), _checksums(new))
    for key in sorted({*before, *after}):
        if key not in after:
            found.append(Change("removed", key, _said(before[key]), ""))
        elif key not in before:
            found.append(Change("added", key, "", _said(after[key])))
        else:
            found.extend(_tensor_changes(before[key], after[key], sums))
    return found


def _file_changes(old: ArtifactFacts, new: ArtifactFacts) -> Iterator[Change]:
    for name, before, after in (
        ("container", old.kind, new.kind),
        ("size", str(old.size), str(new.size)),
        ("fingerprint", str(old.fingerprint), str(new.fingerprint)),
        ("parameters", str(old.parameters), str(new.parameters)),
        ("weights_only", str(old.verdict.loads), str(new.verdict.loads)),
    ):
        if before != after:
            yield Change("file", name, before, after)
    known, now = dict(old.training.progress), dict(new.training.progress)
    for key in sorted({*known, *now}):
        if known.get(key) != now.get(key):
            yield Change("file", key, str(known.get(key)), str(now.get(key)))


Checksums = dict[str, tuple[int, int]]


def _checksums(facts: ArtifactFacts) -> Checksums:
    """CRC and size of the record of each storage."""
    if not facts.crc_written:
        return {}
    members: dict[str, MemberFacts] = {member.name: member for member in facts.members}
    return {
        storage.key: (members[storage.member].crc, storage.size)
        for storage in facts.storages
        if storage.member is not None and storage.member in members
    }


def _tensor_changes(old: TensorFacts, new: TensorFacts, sums: tuple[Checksums, Checksums]) -> Iterator[Change]:
    for kind, before, after in (
        ("shape", str(list(old.shape)), str(list(new.shape))),
        ("dtype", old.dtype, new.dtype),
        ("device", old.device, new.device),
        ("grad", str(old.requires_grad), str(new.requires_grad)),
        ("bytes", str(old.storage_size), str(new.storage_size)),
    ):
        if before != after:
            yield Change(kind, old.key, before, after)
    first, second = sums[0].get(old.storage_key or ""), sums[1].get(new.storage_key or "")
    if first is not None and second is not None and first != second and first[1] == second[1]:
        yield Change("data", old.key, f"crc {first[0]:08x}", f"crc {second[0]:08x}")


def _said(fact: TensorFacts) -> str:
    return f"{fact.dtype} {list(fact.shape)} ({sized(fact.size)})"


def render(old: ArtifactFacts, new: ArtifactFacts, *, width: int = 100) -> str:
    """The differences as lines; nothing but the names where there are none."""
    found = changes(old, new)
    lines = [f"--- {printable(old.path)}", f"+++ {printable(new.path)}"]
    for item in found:
        if item.kind == "removed":
            lines.append(f"- {printable(item.key)}  {printable(item.before)}")
        elif item.kind == "added":
            lines.append(f"+ {printable(item.key)}  {printable(item.after)}")
        else:
            what = "" if item.kind == "file" else f" {item.kind}"
            lines.append(f"~ {printable(item.key)}{what}: {printable(item.before)} -> {printable(item.after)}")
    lines.append(counted(len(found), "difference") if found else "no differences")
    return "".join(shortened(line, width) + "\n" for line in lines)


def render_json(old: ArtifactFacts, new: ArtifactFacts) -> str:
    """The differences as JSON."""
    rows = [
        {"kind": item.kind, "key": item.key, "before": item.before, "after": item.after} for item in changes(old, new)
    ]
    return json.dumps({"schema": 1, "old": old.path, "new": new.path, "changes": rows}, indent=2) + "\n"
