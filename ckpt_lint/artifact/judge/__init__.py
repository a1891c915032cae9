"""From ArtifactFacts to findings: what each rule of the catalogue says of a checkpoint file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ckpt_lint.artifact.deep import DeepFacts
from ckpt_lint.artifact.facts import ArtifactFacts
from ckpt_lint.artifact.judge.file_kind import file_findings
from ckpt_lint.artifact.judge.finding import FileFinding
from ckpt_lint.artifact.judge.saving import saving_findings
from ckpt_lint.artifact.judge.training_state import training_findings

__all__ = ["FileFinding", "findings", "unreadable"]

# On one saved value the strongest speaks: a whole module names the rest.
_STRONGER = {"CKP103": ("CKP101",), "CKP107": ("CKP101", "CKP103")}


def findings(
    facts: ArtifactFacts, *, deep: DeepFacts | None = None, siblings: Sequence[str] = ()
) -> Iterator[FileFinding]:
    """All findings of one file, those of rules that are off by default included; the caller selects.

    `deep` is what `read_deep` saw; `siblings` the names of the other files in the folder.
    """
    found = [*file_findings(facts, deep, siblings)]
    found += saving_findings(facts)
    found += training_findings(facts, siblings)
    codes = {item.code for item in found}
    for item in found:
        if not any(stronger in codes for stronger in _STRONGER.get(item.code, ())):
            yield item


def unreadable(facts: ArtifactFacts) -> str | None:
    """Why the file could not be read to the end, where it could not: then silence is no answer (exit code 3)."""
    return next((problem.message for problem in facts.problems if problem.kind == "limit"), None)
