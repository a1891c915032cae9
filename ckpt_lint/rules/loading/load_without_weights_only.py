"""CKP302."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from ckpt_lint import apis
from ckpt_lint.edits import replace
from ckpt_lint.facts.allowlists import inside_safe_globals
from ckpt_lint.facts.arguments import set_argument
from ckpt_lint.facts.boundary import asked_for_false, boundary, trusted, withheld_because, without_weights_only
from ckpt_lint.facts.fallbacks import is_fallback
from ckpt_lint.facts.judged import Judged, judged
from ckpt_lint.facts.loads import Load
from ckpt_lint.facts.saves import Save
from ckpt_lint.facts.state_dicts import is_bare_state_dict
from ckpt_lint.facts.view import Other, Report, View
from ckpt_lint.model import Applicability, Fix, Page, RuleInfo, Severity

if TYPE_CHECKING:
    from ckpt_lint.project.bounds import TorchBounds

RULE = RuleInfo(
    code="CKP302",
    name="load-without-weights-only",
    severity=Severity.ERROR,
    on=True,
    fix=Applicability.SAFE,
    fix_shape="keyword-set",
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
            "the load runs only where a variable `weights_only` is false: somebody asked for it",
            "the path is one of `trusted-paths`",
        ),
        fix_safety=(
            "Safe where every matching save writes a bare state dict, or inside `safe_globals(...)`; else unsafe until "
            "`ckpt-lint verify` has loaded the file. Withheld, and the message says why, where the declared torch admits "
            "releases that do not know the argument (below 1.13; 2.0 for the hub loader), where the file holds a pickled "
            "module, and where the matching save writes what the load would then refuse. "
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
    for found in judged(view, "weights_only", code=RULE.code):
        load = found.load
        if load.api not in (apis.TORCH_LOAD, apis.HUB_LOAD) or load.has("weights_only") or load.has("pickle_module"):
            continue
        if load.api == apis.TORCH_LOAD and (view.bounds.default_is_safe or view.bounds.default_is_unknown):
            continue
        if found.place.start in seen or trusted(view, load) or is_fallback(view, load) or asked_for_false(load):
            continue
        seen.add(found.place.start)
        yield _report(view, found)


def _report(view: View, found: Judged) -> Report:
    load = found.load
    saves = view.match(load).saves
    severity, remark = _severity(view, load, saves)
    name = "load_state_dict_from_url" if load.api == apis.HUB_LOAD else "torch.load"
    message = f"`{name}` without `weights_only`: {remark}"
    cause = "`torch>=2.6` in the manifest" if load.api == apis.TORCH_LOAD and _may_rise(view.bounds) else None
    if found.default is not None:
        message = f"{message} (calls leave `{found.default.name}` to this default)"
        fix, withheld = _default_fix(view, found)
        return Report(found.place, message, fix, withheld, severity=severity, cause=cause)
    fix, withheld = _fix(view, load, saves)
    others = tuple(Other(save.module, save.call, "the matching save") for save in saves[:1])
    return Report(
        load.call, message, fix, withheld, others, severity, call=load.call, argument="pickle", cause=cause
    )


def _may_rise(bounds: TorchBounds) -> bool:
    """Whether a higher floor in the manifest makes the default safe: nothing there keeps torch below 2.6."""
    return not bounds.conflict and bounds.admits_at_least("2.6")


def _severity(view: View, load: Load, saves: Sequence[Save]) -> tuple[Severity, str]:
    """How bad it is here, and why."""
    if load.api == apis.HUB_LOAD:
        checked = load.constant("check_hash")
        verified = checked is not None and checked.value is True
        remark = "its default is still False, on every torch: the download is unpickled, and a pickle runs code"
        return (Severity.WARNING if verified else Severity.ERROR), remark + boundary(view)
    if inside_safe_globals(load.module, load.call):
        return Severity.WARNING, "inside `safe_globals(...)` torch 2.5 still unpickles everything"
    remark = "below torch 2.6 the file is unpickled, and a pickle runs code" + boundary(view)
    if view.bounds.lacks_weights_only:
        return Severity.WARNING, f"{remark}; the declared torch admits releases below 1.13: raise the floor first"
    if view.bounds.conflict:
        return Severity.WARNING, f"{remark}; no torch fits all that the manifests declare"
    if not view.bounds.declared:
        return Severity.WARNING, f"{remark}; no torch version is declared: `torch>=2.6` in the manifest makes True the default"
    own = [save for save in saves if save.module.path == load.module.path]
    if any(is_bare_state_dict(view, save) for save in own):
        return Severity.WARNING, f"{remark}; the file that this program writes itself holds a bare state dict"
    return Severity.ERROR, remark


def _default_fix(view: View, found: Judged) -> tuple[Fix | None, str | None]:
    """True as the default of a wrapper's parameter: right as a rule, but callers elsewhere get it, too."""
    withheld = without_weights_only(view, found.load)
    if withheld is not None:
        return None, withheld
    edits = replace(found.place.span, "True")
    return Fix(Applicability.UNSAFE, "Make the default `True`", edits), None


def _fix(view: View, load: Load, saves: Sequence[Save]) -> tuple[Fix | None, str | None]:
    withheld = withheld_because(view, load)
    if withheld is not None:
        return None, withheld
    safe = inside_safe_globals(load.module, load.call) or (
        bool(saves) and all(is_bare_state_dict(view, save) for save in saves)
    )
    edits = set_argument(view.text, load, "weights_only", "True")
    if not edits:
        return None, "`weights_only=True` cannot be written at this call, which hands the loader on"
    return Fix(Applicability.SAFE if safe else Applicability.UNSAFE, "Load with `weights_only=True`", edits), None
