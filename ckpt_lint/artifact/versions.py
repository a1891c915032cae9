"""What versions of torch other than the measured one say of a file, as far as that is known, and by what source."""

from __future__ import annotations

import re
from dataclasses import replace

from ckpt_lint.artifact.facts import ArtifactFacts, Verdict
from ckpt_lint.artifact.tables import REFERENCE, measured_versions, newest_known, since

EMULATED = "source of that torch, not run"


def version_key(version: str) -> tuple[int, ...]:
    """`2.6.0+cpu` as (2, 6, 0). Raises ValueError for what is no version."""
    match = re.match(r"(\d+)\.(\d+)(?:\.(\d+))?", version)
    if match is None:
        raise ValueError(f"{version!r} is no version of torch")
    return tuple(int(part or 0) for part in match.groups())


def verdict_for(facts: ArtifactFacts, version: str) -> Verdict:
    """The verdict for one version of torch. Raises ValueError for what is no version."""
    wanted = version_key(version)
    measured = {version_key(known)[:2] for known in measured_versions()}
    if wanted[:2] in measured:
        return replace(facts.verdict, version=version)
    if wanted > version_key(newest_known()):
        text = f"torch {version} is newer than the newest that we know ({newest_known()})"
        return Verdict(version, None, text, "unknown")
    if wanted < (1, 13):
        return Verdict(version, None, "weights_only exists from torch 1.13 on", "unknown")
    return _emulated(facts, version, wanted)


def _emulated(facts: ArtifactFacts, version: str, wanted: tuple[int, ...]) -> Verdict:
    base = replace(facts.verdict, version=version, source=EMULATED)
    if facts.kind == "safetensors" and base.loads:
        if wanted >= version_key(REFERENCE):
            return base
        return replace(base, loads=False, message="torch below 2.13 does not read safetensors", kind="format")
    if base.loads is False:
        unsure = base.kind in ("value", "import")
        return replace(base, loads=None if unsure else False, source=EMULATED)
    if base.loads is None or wanted >= version_key(REFERENCE):
        return base
    names = [item.path for item in facts.globals if item.trust == "allowed"]
    names += [f"operand:{name}" for name in facts.operands]
    known = since()
    for name in names:
        if name in known and version_key(known[name]) > wanted:
            text = f"{name.removeprefix('operand:')} is accepted from torch {known[name]} on"
            return replace(base, loads=False, message=text, kind="global")
    missing = [name for name in names if name not in known]
    if missing:
        return replace(base, loads=None, message=f"since when {missing[0]} is accepted is not known", kind="unknown")
    return base
