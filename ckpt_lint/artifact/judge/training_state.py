"""CKP201 to CKP211 as a file shows them: what a training checkpoint holds and lacks.

A file does not show what was in scope when it was saved. A state counts as missing only where the file itself proves
that it existed (a scheduler leaves `initial_lr` in the groups), or where a checkpoint that resumes needs it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ckpt_lint.artifact.facts import ArtifactFacts
from ckpt_lint.artifact.judge.file_kind import OPTIMIZER_WORDS, has_sibling, words
from ckpt_lint.artifact.judge.finding import FileFinding
from ckpt_lint.model import Artifact, Severity

_EXPORT = frozenset(["best", "final", "export", "exported", "deploy", "deployed", "infer", "inference", "release"])


def training_findings(facts: ArtifactFacts, siblings: Sequence[str]) -> Iterator[FileFinding]:
    """The family CKP2, as far as files show it."""
    if not facts.kind.startswith(("torch-", "pickle")):
        return
    training = facts.training
    exported = bool(words(facts.path) & _EXPORT)
    if exported and training.optimizers:
        share = f" ({100 * training.optimizer_bytes // max(facts.size, 1)} % of its bytes)"
        text = f"optimizer state{share} in a file that is named as an export: save the weights alone"
        yield FileFinding("CKP211", text, Artifact(key=training.optimizers[0] or None))
    weights = bool(training.models or training.whole_modules)
    resumes = bool(training.optimizers or training.schedulers or training.scalers or training.progress)
    if not weights or not resumes:
        return
    if not training.optimizers:
        yield from _no_optimizer(facts, siblings, exported)
    else:
        yield from _beside_optimizer(facts)
    if not training.rng:
        yield FileFinding("CKP205", "no RNG state: a resumed run draws other numbers than the one that went on")
    if not training.versions:
        yield FileFinding("CKP206", "no torch version: add str(torch.__version__)")


def _no_optimizer(facts: ArtifactFacts, siblings: Sequence[str], exported: bool) -> Iterator[FileFinding]:
    """Not for exports, and not where a file beside it has the optimizer.

    A counter alone does not show that any run resumes from the file: a warning, as for code that never resumes.
    """
    training = facts.training
    if exported or has_sibling(facts.path, siblings, OPTIMIZER_WORDS):
        return
    if training.schedulers or training.scalers or training.progress:
        names = [
            name
            for name, found in (
                ("scheduler", training.schedulers), ("scaler", training.scalers), ("progress", training.progress),
            )
            if found
        ]  # fmt: skip
        text = f"a training checkpoint ({', '.join(names)}) without optimizer state: a resume starts its moments anew"
        yield FileFinding("CKP201", text, severity=Severity.WARNING if names == ["progress"] else None)


def _beside_optimizer(facts: ArtifactFacts) -> Iterator[FileFinding]:
    training = facts.training
    if training.scheduled and not training.schedulers:
        text = "a scheduler drove its optimizer (initial_lr is set), and no scheduler state was saved"
        yield FileFinding("CKP202", text, Artifact(key=training.optimizers[0] or None))
    on_cuda = any(tag.startswith("cuda") for tag in facts.devices)
    if training.empty_scalers and not training.scalers and on_cuda:
        key = training.empty_scalers[0]
        text = f"{key} is empty: it comes from a disabled GradScaler, and an enabled one refuses to load it"
        yield FileFinding("CKP203", text, Artifact(key=key))
    if not training.progress and not training.schedulers and not _counted(facts.path):
        text = "optimizer state without an epoch or step counter: a resume cannot know where it stands"
        yield FileFinding("CKP204", text)


def _counted(path: str) -> bool:
    """Whether the file's name counts: `epoch_3.pt`, `ckpt-500.pt`."""
    return any(any(letter.isdigit() for letter in word) for word in words(path))
