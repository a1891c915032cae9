"""CKP302."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ckpt_lint import apis
from ckpt_lint.edits import add_keyword
from ckpt_lint.facts.allowlists import inside_safe_globals
from ckpt_lint.facts.fallbacks import is_fallback
from ckpt_lint.facts.loads import Load
from ckpt_lint.facts.refused import refused_values
from ckpt_lint.facts.roles import role_of
from ckpt_lint.facts.saves import Save
from ckpt_lint.facts.view import Other, Report, View
from ckpt_lint.model import Applicability, Fix, Page, RuleInfo, Severity
from ckpt_lint.source import tree as t

RULE = RuleInfo(
    code="CKP302",
    name="load-without-weights-only",
    severity=Severity.ERROR,
    on=True,
    fix=Applicability.SAFE,
    fix_shape="keyword-added",
    groups=("torch26", "security"),
    page=Page(
        summary="A checkpoint is loaded without `weights_only`.",
        why=(
            "Below torch 2.6 `torch.load` unpickles whatever the file holds, and a pickle runs code. From 2.6 on the "
            "default is `weights_only=True`, which refuses files that the older default took. Saying "
            "`weights_only=True` means the same on every torch. The hub loader still has False as its default."
        ),
        bad="""\
import torch

def restore(model, path):
    model.load_state_dict(torch.load(path, map_location="cpu"))
""",
        good="""\
import torch

def restore(model, path):
    model.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
""",
        silent=(
            "the project declares torch >= 2.6 (`torch.load` only: the hub loader's default is still False)",
            "a `pickle_module` is given (CKP303)",
            "the load is the handler of a `weights_only=True` load (CKP312)",
            "`weights_only` may come in a `**kwargs`, or from the callers of a load wrapper",
        ),
        fix_safety=(
            "Safe where every matching save writes a bare state dict, or inside `safe_globals(...)`; else unsafe until "
            "`ckpt-lint verify` has loaded the file. Withheld where the declared torch admits releases below 1.13, "
            "which do not know the argument, and where the matching save writes what the load would then refuse. "
            "`weights_only=True` is a boundary against hostile files only from torch 2.10 on (CVE-2025-32434 before "
            "2.6, CVE-2026-24747 before 2.10)."
        ),
        sources=(
            "https://docs.pytorch.org/docs/stable/notes/serialization.html",
            "https://github.com/pytorch/pytorch/security/advisories/GHSA-53q9-r3pm-6pq6",
            "https://github.com/pytorch/pytorch/security/advisories/GHSA-63cw-57p8-fm3p",
        ),
    ),
)


def check(view: View) -> Iterator[Report]:
    """Loads that leave `weights_only` to the version of torch."""
    seen: set[int] = set()
    for load in view.loads:
        if load.api not in (apis.TORCH_LOAD, apis.HUB_LOAD) or load.has("weights_only") or load.has("pickle_module"):
            continue
        if load.wrapper is not None and (load.inner is None or "weights_only" not in load.inner.forwards):
            continue
        if is_fallback(view, load):
            continue
        if load.api == apis.TORCH_LOAD and (view.bounds.default_is_safe or view.bounds.default_is_unknown):
            continue
        report = _report(view, load)
        if report.node.start not in seen:
            seen.add(report.node.start)
            yield report


def _report(view: View, load: Load) -> Report:
    saves = view.match(load).saves
    severity, remark = _severity(view, load, saves)
    name = "load_state_dict_from_url" if load.api == apis.HUB_LOAD else "torch.load"
    message = f"`{name}` without `weights_only`: {remark}"
    default = load.inherited.get("weights_only")
    cause = "torch>=2.6" if load.api == apis.TORCH_LOAD and not view.bounds.declared else None
    if default is not None and load.wrapper is not None and load.wrapper.module is view.module:
        return Report(default, f"{message} (calls leave `{default.name}` to this default)", severity=severity, cause=cause)
    fix, withheld = _fix(view, load, saves)
    others = tuple(Other(save.module, save.call, "the matching save") for save in saves[:1])
    return Report(
        load.call, message, fix, withheld, others, severity, call=load.call, argument="pickle", cause=cause
    )


def _severity(view: View, load: Load, saves: Sequence[Save]) -> tuple[Severity, str]:
    """How bad it is here, and why."""
    if load.api == apis.HUB_LOAD:
        checked = load.value("check_hash")
        verified = isinstance(checked, t.Constant) and checked.value is True
        remark = "its default is still False, on every torch: the download is unpickled, and a pickle runs code"
        return (Severity.WARNING if verified else Severity.ERROR), remark
    if inside_safe_globals(view.module, load.call):
        return Severity.WARNING, "inside `safe_globals(...)` torch 2.5 still unpickles everything"
    remark = "below torch 2.6 the file is unpickled, and a pickle runs code" + boundary(view)
    if view.bounds.lacks_weights_only:
        return Severity.WARNING, f"{remark}; the declared torch admits releases below 1.13: raise the floor first"
    own = [s for s in saves if s.module.path == view.module.path]
    if not view.bounds.declared or (own and all(is_bare_state_dict(view, save) for save in own)):
        return Severity.WARNING, remark
    return Severity.ERROR, remark


def boundary(view: View) -> str:
    """A reminder where the declared torch admits releases whose `weights_only=True` is no boundary."""
    if view.bounds.declared and view.bounds.admits_below("2.10"):
        return " (`weights_only=True` is a boundary against hostile files only from torch 2.10 on)"
    return ""


def is_bare_state_dict(view: View, save: Save) -> bool:
    """Whether a save writes a module's state dict and nothing else."""
    checkpoint = view.checkpoint(save)
    if checkpoint.shape != "object" or len(checkpoint.entries) != 1:
        return False
    entry = checkpoint.entries[0]
    value = entry.value
    if isinstance(value, t.Call) and isinstance(value.func, t.Attribute) and value.func.attr == "state_dict":
        return role_of(view.facts.values, entry.module, value.func.value) is not None
    return "state-dict" in view.facts.values.kinds(entry.module, value)


def _fix(view: View, load: Load, saves: Sequence[Save]) -> tuple[Fix | None, str | None]:
    if load.handed_over or load.open:
        return None, None
    if view.bounds.lacks_weights_only and load.api == apis.TORCH_LOAD:
        return None, "no fix: `weights_only` exists from torch 1.13 on, and the declared torch admits older releases"
    refused = [value for save in saves for value in refused_values(view, save)]
    if refused:
        return None, f"no fix: the matching save writes {refused[0].what}, which `weights_only=True` refuses"
    if "pickle_module" in load.given or set(load.given) - _KNOWN:
        return None, None
    safe = inside_safe_globals(view.module, load.call) or (
        bool(saves) and all(is_bare_state_dict(view, save) for save in saves)
    )
    edits = add_keyword(view.text, load.call.span, "weights_only=True")
    return Fix(Applicability.SAFE if safe else Applicability.UNSAFE, "Add `weights_only=True`", edits), None


_KNOWN = frozenset(
    {"f", "url", "map_location", "mmap", "model_dir", "progress", "check_hash", "file_name", "weights_only"}
)
