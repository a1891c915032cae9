"""`inspect` as JSON: every fact, under names that do not change."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from typing import Any

from ckpt_lint.artifact.facts import ArtifactFacts, Node, Verdict
from ckpt_lint.artifact.judge import FileFinding

SCHEMA = 1


def as_dict(
    facts: ArtifactFacts, *, findings: Sequence[FileFinding] = (), verdicts: Sequence[Verdict] = ()
) -> dict[str, Any]:
    """The facts as plain values. The tree is nested as the file's own is."""
    plain: dict[str, Any] = {
        field.name: _plain(getattr(facts, field.name)) for field in dataclasses.fields(facts) if field.name != "tree"
    }
    plain["tree"] = None if facts.tree is None else _node(facts.tree)
    plain["devices"] = list(facts.devices)
    plain["verdicts"] = [_plain(verdict) for verdict in verdicts or (facts.verdict,)]
    plain["findings"] = [
        {"code": item.code, "message": item.message, "artifact": _plain(item.artifact)} for item in findings
    ]
    return {"schema": SCHEMA, **plain}


def render(facts: ArtifactFacts, *, findings: Sequence[FileFinding] = (), verdicts: Sequence[Verdict] = ()) -> str:
    """JSON in ASCII, so that no text of a file can trouble a terminal."""
    return json.dumps(as_dict(facts, findings=findings, verdicts=verdicts), indent=2) + "\n"


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    return value


def _node(root: Node) -> dict[str, Any]:
    """Depth is limited by the reader, well below Python's recursion limit."""
    row: dict[str, Any] = {"key": root.key, "kind": root.kind, "detail": root.detail, "bytes": root.size}
    if root.parameters:
        row["parameters"] = root.parameters
    if root.children:
        row["children"] = [_node(child) for child in root.children]
    return row
