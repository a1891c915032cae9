"""What stands in the way of `weights_only=True`, and what would take it out of the way.

Never proposed: a function, a dotted name, a global that is not known to be harmless data. Allow-listing what a file
names and loading it with `weights_only=True` runs what the file wants.
"""

from __future__ import annotations

from ckpt_lint.artifact.facts import ArtifactFacts, GlobalFacts, Verdict
from ckpt_lint.artifact.judge import findings
from ckpt_lint.verify.sites import Site

MOST = 6
_SAVE_SIDE = ("CKP101", "CKP110", "CKP114")
_RESAVE = "no allow-list of harmless classes helps: re-save it (load it once where you trust it, then save plain values)"


def obstacles(site: Site, facts: ArtifactFacts, verdict: Verdict) -> tuple[str, ...]:
    """One line each: the globals, the save-side line that would remove them, and how to load the file until then."""
    if verdict.loads is not False:
        return ()
    lines = [_of_global(item) for item in (*facts.unknown_globals, *facts.data_globals)][:MOST]
    if len(facts.unknown_globals) + len(facts.data_globals) > MOST:
        lines.append(f"and {len(facts.unknown_globals) + len(facts.data_globals) - MOST} more globals")
    if not lines:
        lines.append(verdict.message)
    lines += [f"{save.path}:{save.row}: {save.code} {save.message}" for save in site.saves]
    if not site.saves:
        lines += [f"{found.code}: {found.message}" for found in findings(facts) if found.code in _SAVE_SIDE][:MOST]
    return (*lines, _way_out(facts, verdict))


def _of_global(item: GlobalFacts) -> str:
    where = f" at {', '.join(f'`{key}`' for key in item.keys[:3])}" if item.keys and item.keys[0] else ""
    called = f", called by {'/'.join(item.calls)}" if item.calls and item.trust == "unknown" else ""
    kind = "data that `weights_only` refuses" if item.trust == "data" else "not known to be harmless"
    return f"`{item.path}`{where}{called}: {kind}"


def _way_out(facts: ArtifactFacts, verdict: Verdict) -> str:
    """The `safe_globals` line, where every class in the way is harmless data and the file then loads; else re-save."""
    if facts.unknown_globals:
        return "no allow-list is proposed for globals that are not known to be harmless: re-save plain values"
    if facts.safe_globals and verdict.kind == "global":
        names = ", ".join(facts.safe_globals)
        modules = ", ".join(sorted({name.rpartition(".")[0] for name in facts.safe_globals} - {"builtins"}))
        line = f"with torch.serialization.safe_globals([{names.replace('builtins.', '')}]):"
        return f"until it is saved differently: `{line}` around the load (torch 2.5; import {modules or 'nothing'})"
    return _RESAVE
