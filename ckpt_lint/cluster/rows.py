"""The rows of a run: one a finding, then one for its file, as lines of JSON. Made where the file was checked."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ckpt_lint.cluster.units import Item, Stamp
from ckpt_lint.discover import is_url
from ckpt_lint.model import Outcome, Problem, Severity, Status
from ckpt_lint.report.as_json import rows as finding_rows
from ckpt_lint.report.look import Look, json_safe
from ckpt_lint.run import FileResult

CLEAN, FOUND, UNCHECKED = "clean", "findings", "unchecked"
"""What can become of a file. `unchecked` wins: such a file may have findings, too."""

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class FileRows:
    """The rows of one file, each a line of JSON without its newline; the last one is about the file."""

    lines: tuple[str, ...]
    checked: bool
    errors: int = 0
    warnings: int = 0


def rows_of(item: Item, result: FileResult, look: Look, *, hashed: bool) -> FileRows:
    """The rows of one result. `hashed` says whether the file was read whole, so that its digest costs little."""
    outcome = result.outcome
    bare = FileResult(Outcome(outcome.path, outcome.findings), result.source)
    found = [{"kind": "finding", **row} for row in finding_rows(bare, look)]
    about = _about(item, outcome, item.stamp or stamp_of(item.target.path, hashed=hashed))
    errors = sum(finding.severity is Severity.ERROR for finding in outcome.findings)
    lines = tuple(_line(row) for row in (*found, about))
    return FileRows(lines, outcome.checked, errors, len(outcome.findings) - errors)


def lost(item: Item, reason: str) -> FileRows:
    """The row of a file that nobody could check."""
    outcome = Outcome(item.target.path, problems=(Problem(Status.INTERNAL_ERROR, reason),))
    return FileRows(
        (_line(_about(item, outcome, item.stamp or stamp_of(item.target.path, hashed=False))),), checked=False
    )


def stamp_of(path: str, *, hashed: bool) -> Stamp:
    """The stamp of a file of this machine, as far as it can be had; of a distributed checkpoint that of its index."""
    if is_url(path):
        return _stamp_behind(path)
    folder = os.path.isdir(path)
    try:
        found = os.stat(os.path.join(path, ".metadata") if folder else path)
        digest = _sha256(path) if hashed and not folder else None
    except (OSError, ValueError):
        return Stamp()
    return Stamp(None if folder else found.st_size, found.st_mtime_ns, digest)


def _stamp_behind(url: str) -> Stamp:
    from ckpt_lint.artifact.remote import RemoteError
    from ckpt_lint.artifact.remote_folder import listed

    try:
        found = listed(url)
    except RemoteError:
        return Stamp()
    return Stamp(found.size, found.mtime_ns, found.digest)


def _sha256(path: str) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        while data := stream.read(_CHUNK):
            digest.update(data)
    return f"sha256:{digest.hexdigest()}"


def _about(item: Item, outcome: Outcome, stamp: Stamp) -> dict[str, Any]:
    return {
        "kind": "file",
        "checkpoint": item.target.checkpoint,
        "digest": stamp.digest,
        "filename": item.target.path,
        "findings": len(outcome.findings),
        "mtime_ns": stamp.mtime_ns,
        "notes": [_placed(note) for note in outcome.notes],
        "outcome": _outcome(outcome),
        "problems": list(_problems(outcome)),
        "size": stamp.size,
        "suppressed": len(outcome.suppressed),
    }


def _outcome(outcome: Outcome) -> str:
    if not outcome.checked:
        return UNCHECKED
    return FOUND if outcome.findings else CLEAN


def _problems(outcome: Outcome) -> Iterator[dict[str, Any]]:
    for problem in outcome.problems:
        place = problem.location
        yield {
            "cell": place.cell if place else None,
            "column": place.column if place else None,
            "message": problem.message,
            "row": place.row if place else None,
            "status": problem.status.value,
        }


def _placed(note: str) -> str:
    """A note that begins with a path below the working folder, with the whole path: workers stand elsewhere."""
    head, colon, rest = note.partition(":")
    return os.path.abspath(head) + colon + rest if colon and os.path.exists(head) else note


def _line(row: dict[str, Any]) -> str:
    return json_safe(json.dumps(row, ensure_ascii=False, separators=(",", ":")))
