"""From the child's answer to a verdict: what "confirmed" means for each kind of fix. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ckpt_lint.artifact.facts import ArtifactFacts
from ckpt_lint.verify.matching import DICTS, Match, is_state, node_at, top_keys
from ckpt_lint.verify.obstacles import obstacles
from ckpt_lint.verify.plan import Plan, check
from ckpt_lint.verify.protocol import Answer, Compared, Loaded
from ckpt_lint.verify.sites import DEVICE, MMAP, Cut, Site
from ckpt_lint.verify.verdict import Check, Status

_ENDED = {"timed out": Status.TIMED_OUT, "crashed": Status.CRASHED, "unavailable": Status.UNAVAILABLE}
_UNREADABLE = ("EOFError", "OSError", "FileNotFoundError", "PermissionError")


def judge(site: Site, match: Match, made: Plan, answer: Answer) -> Check:
    """The verdict on one site and one checkpoint after the load."""
    status, reason = _status(site, match, made, answer)
    facts = match.header.facts
    assert facts is not None
    refused = status is Status.REFUTED and answer.after is not None and not answer.after.ok
    more: dict[str, object] = {
        "before": _before(made, answer),
        "after": answer.after.words if answer.after is not None else "",
        "compared": tuple(_compared(site, facts, made, answer)) if status is Status.CONFIRMED else (),
        "obstacles": obstacles(site, facts, made.expected) if refused else (),
        "notes": (*made.notes, *_unexpected(made, answer)),
        "enforced": answer.enforced,
    }
    if not match.header.content and answer.after is not None and answer.after.ok:
        more["content"] = f"structure id {answer.after.structure[:32]}"
    return check(match, status, reason, **more)


def _status(site: Site, match: Match, made: Plan, answer: Answer) -> tuple[Status, str]:
    if answer.ended != "answered":
        return _ENDED[answer.ended], answer.reason
    if answer.changed:
        return Status.UNREADABLE, "it changed while it was verified"
    if answer.after is None:
        return Status.UNREADABLE, answer.reason
    if not answer.after.ok:
        return _failed(answer.after)
    facts = match.header.facts
    assert facts is not None
    wrong = next(_against(site, facts, made, answer.after, answer), None)
    if wrong is not None:
        return wrong
    return Status.CONFIRMED, "the load after the fix succeeds" + _because(answer)


def _failed(after: Loaded) -> tuple[Status, str]:
    if after.memory:
        return Status.CRASHED, f"the memory that was allowed did not suffice: {after.words}"
    if after.error in _UNREADABLE or "PytorchStreamReader" in after.message or "unexpected EOF" in after.message:
        return Status.UNREADABLE, after.words
    return Status.REFUTED, f"the load after the fix raises {after.words}"


def _because(answer: Answer) -> str:
    """What the fix changes on this file."""
    before = answer.before
    if before is None:
        return ""
    return " and gives the same" if before.ok else ", where the load before it raises"


def _against(
    site: Site, facts: ArtifactFacts, made: Plan, after: Loaded, answer: Answer
) -> Iterator[tuple[Status, str]]:
    """What speaks against a fix although its load succeeded."""
    full, before = answer.full, answer.before
    if full is not None and full.difference:
        damaged = "CRC" in full.difference or "ends inside" in full.difference
        yield (Status.UNREADABLE if damaged else Status.REFUTED), full.difference
    missing = [key for key in site.keys if after.keys is None or key not in after.keys]
    if missing and after.keys is None:
        yield Status.REFUTED, f"the code reads `{missing[0]}` from it, and it holds no dict but a {after.type}"
    elif missing:
        held = ", ".join((after.keys or ())[:6]) or "nothing"
        yield Status.REFUTED, f"the code reads `{'`, `'.join(missing)}`, and it holds {held}"
    if site.whole and not is_state(facts):
        held = ", ".join((after.keys or ())[:6]) or f"a {after.type}"
        yield Status.REFUTED, f"the code restores the whole of it, and it is no state dict: it holds {held}"
    if site.kinds & {DEVICE} and set(after.devices) - {"cpu", "meta"}:
        yield Status.REFUTED, f"tensors came back on {', '.join(after.devices)}"
    if MMAP in site.kinds and not made.mapped:
        yield Status.REFUTED, "`mmap=True` cannot read it: it is no zip of stored records (torch.save it again)"
    if before is not None and before.ok and before.structure != after.structure:
        yield Status.REFUTED, "the load gives other keys, shapes, dtypes or values than before the fix"


def _before(made: Plan, answer: Answer) -> str:
    if made.job.before is None:
        return f"not replayed: {made.not_replayed}"
    return answer.before.words if answer.before is not None else "not replayed"


def _unexpected(made: Plan, answer: Answer) -> Iterator[str]:
    """Where the header and torch do not agree, or the header could not tell."""
    if answer.after is None:
        return
    if made.expected.loads is None:
        yield f"the header alone cannot tell: {made.expected.message}"
    elif made.expected.loads and made.expected.source and made.expected.source != "measured":
        yield f"the list of what torch {made.expected.version} accepts was read from its source"


def _compared(site: Site, facts: ArtifactFacts, made: Plan, answer: Answer) -> Iterator[str]:
    """The evidence for a confirmed fix, one line each."""
    after = answer.after
    assert after is not None
    if made.job.after.weights_only:
        yield f"header: every global is on the list of torch {made.expected.version}"
    how = "mapped" if made.mapped else "read whole"
    yield f"load after the fix ({how}): {after.tensors} tensors on {', '.join(after.devices) or 'no device'}"
    if site.keys:
        yield f"keys that the code reads are there: {', '.join(site.keys)}"
    if site.whole:
        yield "it is one state dict, as `load_state_dict` wants"
    if DEVICE in site.kinds:
        yield f"device tags in the file: {', '.join(facts.devices) or 'none'}"
    if answer.before is not None and answer.before.ok:
        yield "the load before the fix gives the same keys, kinds, shapes, dtypes, strides and plain values"
    if answer.full is not None:
        yield _full(answer.full, replayed=answer.before is not None and answer.before.ok)


def _full(full: Compared, *, replayed: bool) -> str:
    both = "both loads" if replayed else "the load"
    if full.by_digest:
        what = "equal bytes before and after" if replayed else "read whole"
        return f"--full: {full.storages} storages, {what}"
    crc = ", CRCs right" if full.crc else ", the file has no CRCs"
    return f"--full: {full.storages} storages, {full.bytes} bytes of {both} equal to the file's, bit by bit{crc}"


# -- fixes that the header alone decides ------------------------------------------------------------------------------


def judge_keys(site: Site, match: Match, others: Sequence[Match]) -> Check:
    """The verdict on a prefix or a key. `others` are all checkpoints of the site: one may be the unprefixed file."""
    facts = match.header.facts
    assert facts is not None
    if site.cut is not None:
        status, reason, compared = _judge_cut(site.cut, facts, [o.header.facts for o in others if o is not match])
    else:
        status, reason, compared = _judge_key(site, facts)
    return check(match, status, reason, compared=compared, after="not loaded: keys are in the header")


def _judge_key(site: Site, facts: ArtifactFacts) -> tuple[Status, str, tuple[str, ...]]:
    finding = next(one for one in site.findings if one.fix is not None)
    assert finding.fix is not None
    new = finding.fix.edits[-1].text.strip("\"'")
    keys = top_keys(facts) or ()
    old = [key for key in site.keys if key not in keys]
    if new in keys and old:
        return Status.CONFIRMED, f"it holds `{new}` and no `{old[0]}`", (f"keys: {', '.join(keys[:8])}",)
    if new not in keys:
        return Status.REFUTED, f"it holds no `{new}` either: {', '.join(keys[:8])}", ()
    return Status.REFUTED, "it holds both keys", ()


def _judge_cut(
    cut: Cut, facts: ArtifactFacts, others: Sequence[ArtifactFacts | None]
) -> tuple[Status, str, tuple[str, ...]]:
    tables = [table for model in facts.training.models if (table := _table(facts, model.key))]
    if not tables:
        return Status.REFUTED, "it holds no state dict", ()
    table = next((keys for keys in tables if any(key.startswith(cut.prefix) for key in keys)), tables[0])
    after = [key.removeprefix(cut.prefix) for key in table]
    if len(set(after)) < len(after):
        return Status.REFUTED, f"keys collide once `{cut.prefix}` is gone", ()
    if after == table:
        return Status.CONFIRMED, f"no key carries `{cut.prefix}`, and the fix leaves them as they are", ()
    now = [_cut_now(cut, key) for key in table]
    plain = [keys for other in others if other is not None for keys in _plain_tables(other, cut.prefix)]
    counted = f"{sum(key.startswith(cut.prefix) for key in table)} of {len(table)} keys carry `{cut.prefix}`"
    if set(after) in plain:
        return Status.CONFIRMED, "the stripped keys are those of an unprefixed file", (counted,)
    if now == after:
        return Status.CONFIRMED, "on this file the code makes the same keys now and after the fix", (counted,)
    wrong = next((a, b) for a, b in zip(now, after) if a != b)
    reason = (
        f"the keys change (`{wrong[0]}` becomes `{wrong[1]}`), and no unprefixed file is at hand to compare them with: "
        "name one with --checkpoint"
    )
    return Status.UNAVAILABLE, reason, ()


def _plain_tables(facts: ArtifactFacts, prefix: str) -> Iterator[set[str]]:
    for model in facts.training.models:
        table = _table(facts, model.key)
        if table and not any(key.startswith(prefix) for key in table):
            yield set(table)


def _table(facts: ArtifactFacts, path: str) -> list[str]:
    node = node_at(facts, path)
    return [child.key for child in node.children] if node is not None and node.kind in DICTS else []


def _cut_now(cut: Cut, key: str) -> str | None:
    """What the code makes of a key today; None where it raises."""
    if cut.how == "lstrip":
        return key.lstrip(cut.prefix)
    if cut.how == "strip":
        return key.strip(cut.prefix)
    if cut.how == "replace":
        return key.replace(cut.prefix, "")
    if cut.how == "slice":
        return key[len(cut.prefix) :]
    parts = key.split(cut.prefix)
    return parts[1] if len(parts) == 2 else None


