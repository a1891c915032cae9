"""`inspect` as JSON: every fact, under names that do not change."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Sequence
from typing import Any

from ckpt_lint.artifact.facts import ArtifactFacts, Node, Verdict
from ckpt_lint.artifact.judge import FileFinding

SCHEMA = 1


def _rows(
    facts: ArtifactFacts, findings: Sequence[FileFinding], verdicts: Sequence[Verdict]
) -> Iterator[tuple[str, Any]]:
    """The facts under their names, in a fixed order; lists and tuples of facts are left as they are."""
    yield "schema", SCHEMA
    for field in dataclasses.fields(facts):
        if field.name != "tree":
            yield field.name, getattr(facts, field.name)
    yield "tree", None if facts.tree is None else _node(facts.tree)
    yield "devices", facts.devices
    yield "verdicts", tuple(verdicts or (facts.verdict,))
    yield (
        "findings",
        tuple({"code": item.code, "message": item.message, "artifact": item.artifact} for item in findings),
    )


def render(facts: ArtifactFacts, *, findings: Sequence[FileFinding] = (), verdicts: Sequence[Verdict] = ()) -> str:
    """JSON in ASCII, so that no text of a file can trouble a terminal. A line for each fact of a list.

    A large checkpoint has tens of thousands of tensors: each is turned into text on its own.
    """
    lines = [f"  {json.dumps(name)}: {_text(value)}" for name, value in _rows(facts, findings, verdicts)]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _text(value: Any) -> str:
    if not isinstance(value, tuple) or not value:
        return json.dumps(_plain(value))
    return "[\n    " + ",\n    ".join(json.dumps(_plain(item)) for item in value) + "\n  ]"


def _plain(value: Any) -> Any:
    if isinstance(value, (str, int)) or value is None:
        return value
    if dataclasses.is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
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
