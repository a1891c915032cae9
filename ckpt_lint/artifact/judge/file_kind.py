"""CKP501 to CKP505: foreign code, damage, files that are no checkpoint, weights that are not finite, half a state."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence

from ckpt_lint.artifact.deep import DeepFacts
from ckpt_lint.artifact.facts import ArtifactFacts, GlobalFacts, Problem
from ckpt_lint.artifact.judge.finding import FileFinding, listed
from ckpt_lint.model import Artifact

CHECKPOINT_SUFFIXES = (".pt", ".pth", ".ckpt", ".bin")
_STATE_WORDS = frozenset(
    [
        "optim",
        "optimizer",
        "optimizers",
        "opt",
        "sched",
        "scheduler",
        "schedulers",
        "lr",
        "state",
        "states",
        "scaler",
        "grad",
        "training",
        "trainer",
        "rng",
        "dict",
        "bin",
        "random",
        "extra",
    ]
)
_MODEL_WORDS = frozenset(
    [
        "model",
        "models",
        "weights",
        "weight",
        "net",
        "network",
        "pytorch",
        "params",
        "param",
        "module",
        "ema",
        "adapter",
        "state",
        "dict",
        "states",
        "fp16",
        "bf16",
        "mp",
        "rank",
        "diffusion",
        "consolidated",
    ]
)


def file_findings(facts: ArtifactFacts, deep: DeepFacts | None, siblings: Sequence[str]) -> Iterator[FileFinding]:
    """The family CKP5."""
    if facts.unknown_globals:
        yield _foreign_code(facts, list(facts.unknown_globals))
    yield from _damage(facts, deep)
    yield from _foreign(facts)
    for item in deep.not_finite if deep is not None else ():
        sort = "NaN and infinite" if item.nan and item.infinite else "NaN" if item.nan else "infinite"
        text = f"{item.key or 'a tensor'} holds {sort} numbers: training had diverged, or the data is damaged"
        yield FileFinding("CKP504", text, Artifact(key=item.key))
    yield from _partial(facts, siblings)


def _foreign_code(facts: ArtifactFacts, unknown: list[GlobalFacts]) -> FileFinding:
    called = [item for item in unknown if item.calls]
    first = (called or unknown)[0]
    verb = "calls" if called else "names"
    rest = [item.path for item in [*called, *unknown] if item is not first]
    rest = list(dict.fromkeys(rest))
    more = f" (also {listed(rest)})" if rest else ""
    text = (
        f"loading it without weights_only {verb} {first.path}{more}, not known to be safe: load it only with "
        "weights_only=True, or not at all where you do not trust its origin"
    )
    return FileFinding("CKP501", text, Artifact(first.member, first.offset, first.keys[0] if first.keys else None))


def _damage(facts: ArtifactFacts, deep: DeepFacts | None) -> Iterator[FileFinding]:
    """One finding a file; the further places are counted."""
    found = [problem for problem in facts.problems if problem.kind in ("damage", "hidden", "disguise")]
    if not found and (reason := _refused_as_damage(facts)):
        found = [Problem("damage", f"torch refuses it: {reason}", facts.verdict.member, facts.verdict.offset)]
    if not found and deep is not None and deep.wrong_crc:
        text = "its CRC is wrong: bytes changed after they were written"
        found = [Problem("damage", text, member.name, member.offset) for member in deep.wrong_crc]
    if not found:
        return
    first = found[0]
    more = f" (and {len(found) - 1} more places)" if len(found) > 1 else ""
    place = f"{first.member}: " if first.member else ""
    advice = "do not trust it" if first.kind == "hidden" else "make or fetch it again"
    text = f"{place}{first.message}{more}: {advice}"
    yield FileFinding("CKP502", text, Artifact(first.member, first.offset, first.key))


def _refused_as_damage(facts: ArtifactFacts) -> str:
    """torch's reason, where it is none that an honest writer causes."""
    reason = facts.verdict
    if reason.loads is not False or facts.unknown_globals or facts.data_globals:
        return ""
    if facts.kind not in ("torch-zip", "torch-legacy"):
        return ""
    if reason.kind in ("storage", "damage"):
        return reason.message
    return reason.message if reason.kind == "value" and set(facts.protocols) <= {2, 3} else ""


def _foreign(facts: ArtifactFacts) -> Iterator[FileFinding]:
    for problem in facts.problems:
        if problem.kind == "foreign":
            yield FileFinding("CKP503", f"no checkpoint: {problem.message}", Artifact(problem.member, problem.offset))
            return
    empty = not facts.tensors and not facts.training.whole_modules and not facts.has("damage")
    if facts.kind == "pickle" and empty and facts.path.lower().endswith(CHECKPOINT_SUFFIXES):
        text = "no checkpoint: this is a plain pickle that torch.save did not write; torch.load refuses it"
        yield FileFinding("CKP503", text)


def _partial(facts: ArtifactFacts, siblings: Sequence[str]) -> Iterator[FileFinding]:
    training = facts.training
    state = [*training.optimizers, *training.schedulers, *training.scalers]
    if not state or training.models or training.whole_modules or not facts.kind.startswith(("torch-", "pickle")):
        return
    if has_sibling(facts.path, siblings, _MODEL_WORDS):
        return
    kinds = [
        name
        for name, found in (
            ("optimizer", training.optimizers), ("scheduler", training.schedulers), ("scaler", training.scalers),
        )
        if found
    ]  # fmt: skip
    text = f"{' and '.join(kinds)} state without model weights, and no file beside it has them: nothing can resume"
    yield FileFinding("CKP505", text, Artifact(key=state[0] or None))


def words(path: str) -> frozenset[str]:
    """The words of a file's stem, numbers kept."""
    stem = os.path.basename(path).rsplit(".", 1)[0]
    return frozenset(word for word in re.split(r"[^a-z0-9]+", stem.lower()) if word)


def has_sibling(path: str, siblings: Sequence[str], role: frozenset[str]) -> bool:
    """Whether a file beside it has the same stem but for words of the two roles."""
    own = words(path) - _STATE_WORDS - _MODEL_WORDS
    name = os.path.basename(path)
    for other in siblings:
        if other == name or not other.lower().endswith((*CHECKPOINT_SUFFIXES, ".safetensors", ".pkl")):
            continue
        theirs = words(other)
        if theirs & role and theirs - _STATE_WORDS - _MODEL_WORDS == own:
            return True
        if not theirs & _STATE_WORDS and theirs - _MODEL_WORDS == own:
            return True
    return False


OPTIMIZER_WORDS = frozenset(["optim", "optimizer", "optimizers", "opt", "training", "trainer"])
