"""A finding on a file, before the catalogue gives it a name and a severity."""

from __future__ import annotations

from dataclasses import dataclass

from ckpt_lint.model import Artifact, Severity

NOWHERE = Artifact()


@dataclass(frozen=True, slots=True)
class FileFinding:
    """One hazard of a checkpoint file: the code of the rule, what is so and what to do, and where.

    `severity` stands only where it is another than the rule's.
    """

    code: str
    message: str
    artifact: Artifact = NOWHERE
    severity: Severity | None = None


def listed(names: list[str], most: int = 6) -> str:
    """`a, b and 3 more`."""
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
