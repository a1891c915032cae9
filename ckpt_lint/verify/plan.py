"""What to do about one site and one checkpoint, decided by the header alone: a verdict at once, or one load."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from ckpt_lint.artifact.facts import ArtifactFacts, Verdict
from ckpt_lint.artifact.trust import ALLOWABLE
from ckpt_lint.artifact.versions import verdict_for, version_key
from ckpt_lint.verify.matching import Header, Match
from ckpt_lint.verify.obstacles import obstacles
from ckpt_lint.verify.protocol import Job, LoadOptions, Torch
from ckpt_lint.verify.sites import COMPUTED, DEVICE, KEY, PICKLE, STRIP, WRAP, Site
from ckpt_lint.verify.verdict import Check, Status

ROOM = 512 << 20
"""Bytes of private memory that a load may take beyond what the file itself needs."""

BOUNDARY = (2, 10)
"""The first torch whose `weights_only=True` is a boundary against hostile files (CVE-2025-32434, CVE-2026-24747)."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The load to make, what torch is expected to say by the header, and what limits the evidence."""

    job: Job
    expected: Verdict
    mapped: bool
    not_replayed: str
    notes: tuple[str, ...] = ()


def plan(site: Site, match: Match, torch: Torch, *, full: bool, trust: bool) -> Plan | Check:
    """A Check where the header decides, else what to load; the file is one that `unreadable` let pass."""
    header, facts = match.header, match.header.facts
    assert facts is not None and header.seen is not None
    expected = verdict_for(facts, torch.version)
    after, notes = _after(site, facts, torch)
    replay, why_not = _replay(facts, trust=trust)
    if not after.weights_only and not replay:
        reason = f"the code loads it with full pickle, which is not done here: {why_not}"
        return check(match, Status.UNAVAILABLE, reason)
    if after.weights_only and not _may_be_loaded(facts, torch):
        names = ", ".join(f"`{item.path}`" for item in facts.unknown_globals[:3]) or "what we cannot follow"
        reason = f"`weights_only=True` refuses it: its pickle names {names}; nothing of it was loaded"
        return check(match, Status.REFUTED, reason, obstacles=obstacles(site, facts, expected))
    mapped = can_map(facts, header) and torch.has_mmap
    if not mapped and not full:
        replay, why_not = False, "it cannot be mapped, and reading it whole a second time is left to --full"
    after = dataclasses.replace(after, mmap=mapped)
    before = _before(site, mapped=mapped) if replay else None
    if before == after:
        before, why_not = None, "it is the same load"
    job = Job(header.path, header.seen, after, before, full, _room(header, mapped=mapped))
    return Plan(job, expected, mapped, "" if before is not None else why_not, notes)


def check(match: Match, status: Status, reason: str, **more: object) -> Check:
    """A verdict on a checkpoint, with what is known of the file."""
    known: dict[str, object] = {"size": match.header.size, "content": match.header.content, **more}
    return Check(match.header.shown, match.why, status, reason, **known)  # type: ignore[arg-type]


def unreadable(site: Site, match: Match) -> Check | None:
    """What is no checkpoint that `torch.load` reads with or without the fix; a verdict on the file, not on the fix."""
    facts = match.header.facts
    if facts is None:
        missing = match.header.error.startswith("No such file")
        status = Status.UNAVAILABLE if missing else Status.UNREADABLE
        return check(match, status, f"it cannot be read: {match.header.error}")
    problem = next((one for one in facts.problems if one.kind in ("damage", "foreign", "limit", "unreadable")), None)
    if problem is not None:
        return check(match, Status.UNREADABLE, problem.message)
    if facts.kind in ("dcp", "folder", "pt2", "pickle"):
        return check(match, Status.UNREADABLE, f"it is {facts.title}, which `torch.load` does not read so")
    if facts.kind == "safetensors" and not facts.verdict.loads:
        return check(match, Status.UNREADABLE, f"it is {facts.title} under another name: {facts.verdict.message}")
    if facts.verdict.loads is False and facts.verdict.kind in ("damage", "storage"):
        return check(match, Status.UNREADABLE, facts.verdict.message)
    if facts.kind == "torchscript":
        if site.kinds & {PICKLE, WRAP}:
            return check(match, Status.REFUTED, facts.verdict.message, obstacles=("read it with `torch.jit.load`",))
        return check(match, Status.UNREADABLE, "it is a TorchScript archive: `torch.jit.load` reads it")
    return None


def _may_be_loaded(facts: ArtifactFacts, torch: Torch) -> bool:
    """Whether `weights_only=True` may see the file: nothing in it is unknown, or this torch holds against it."""
    if facts.has("hidden", "disguise"):
        return False
    return not facts.unknown_globals and (facts.verdict.loads is not None or version_key(torch.version) >= BOUNDARY)


def _after(site: Site, facts: ArtifactFacts, torch: Torch) -> tuple[LoadOptions, tuple[str, ...]]:
    """The arguments of the load with the fixes in it, and what was put in for computed ones."""
    notes: list[str] = []
    location = site.argument("map_location")
    fixed = bool(site.kinds & {DEVICE, WRAP})
    tags = [tag for tag in facts.devices if tag not in ("cpu", "meta")]
    if not fixed and location == COMPUTED:
        notes.append('`map_location` is computed in the code; checked with "cpu"')
    elif not fixed and location is None and tags:
        notes.append(f"it was saved on {', '.join(tags)} and the code has no `map_location`; checked with \"cpu\"")
    elif not fixed and location not in (None, "cpu"):
        notes.append(f'`map_location={location!r}` in the code; checked with "cpu"')
    safe: bool = True
    if not site.kinds & {PICKLE, WRAP}:
        given = site.argument("weights_only")
        if given is False or (given is None and version_key(torch.version) < (2, 6)):
            safe = facts.verdict.loads is True
            if safe:
                notes.append("the code loads it with full pickle; checked with `weights_only=True`, which reads it too")
    return LoadOptions(safe, "cpu"), tuple(notes)


def _before(site: Site, *, mapped: bool) -> LoadOptions:
    """The load as the code has it now."""
    location = site.argument("map_location")
    device = "cpu" if location == COMPUTED else location if isinstance(location, str) else None
    if not site.kinds & {DEVICE}:
        device = "cpu"
    safe = site.argument("weights_only") is True or not site.kinds & {PICKLE, WRAP}
    return LoadOptions(safe, device, mapped)


def _replay(facts: ArtifactFacts, *, trust: bool) -> tuple[bool, str]:
    """Whether the load before the fix may be made, and why not: it may run what the file names."""
    if trust:
        return True, ""
    strange = [item.path for item in (*facts.unknown_globals, *facts.data_globals) if item.path not in ALLOWABLE]
    if strange or facts.has("hidden", "disguise", "limit") or (facts.verdict.loads is None):
        what = f"it names {strange[0]}" if strange else "its header does not show that it is safe"
        return False, f"{what} (--trust replays it)"
    return True, ""


def can_map(facts: ArtifactFacts, header: Header) -> bool:
    """Whether `mmap=True` can read the file: a zip whose records are all stored as they are."""
    return facts.kind == "torch-zip" and all(member.method == 0 for member in facts.members)


def _room(header: Header, *, mapped: bool) -> int:
    """Private memory for a load: a mapping takes none, and a real load as much as the file."""
    members = header.facts.members if header.facts is not None else ()
    pickled = sum(member.size for member in members if member.name.endswith("data.pkl"))
    return ROOM + 24 * min(pickled, 256 << 20) + (2 * header.size if not mapped else 0)


def needs_no_load(site: Site) -> bool:
    """Whether the header alone decides: keys are keys."""
    return site.kinds <= {STRIP, KEY}

