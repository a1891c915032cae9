"""CKP110."""

from __future__ import annotations

from collections.abc import Iterator

from ckpt_lint.edits import insert, wrap
from ckpt_lint.facts import refusals
from ckpt_lint.facts.allowlists import allowed_classes
from ckpt_lint.facts.command_line import parsed_in, parses_paths
from ckpt_lint.facts.refusals import Refusal
from ckpt_lint.facts.refused import may_be_none, refused_in
from ckpt_lint.facts.saved import Saved, is_editable
from ckpt_lint.facts.saves import Save
from ckpt_lint.facts.states import WEIGHTS
from ckpt_lint.facts.view import Other, Report, View
from ckpt_lint.model import Applicability, Edit, Fix, Page, RuleInfo, Severity
from ckpt_lint.source import tree as t

RULE = RuleInfo(
    code="CKP110",
    name="weights-only-blocker",
    severity=Severity.WARNING,
    on=True,
    fix=Applicability.UNSAFE,
    fix_shape="call-wrapped",
    groups=("torch26",),
    artifact=True,
    page=Page(
        summary="A checkpoint with weights holds a value that `weights_only=True` refuses.",
        why=(
            "One value that is no tensor and no plain data makes the whole file unreadable for the safe load, which is "
            "the default from torch 2.6 on: `UnpicklingError: Weights only load failed`. Readers then turn the "
            "safety off. An `argparse.Namespace`, a `Path`, a NumPy scalar or `torch.__version__` (a subclass of str) "
            "is enough; `vars(args)`, `str(path)`, `float(x)` and `str(torch.__version__)` are plain."
        ),
        bad="""\
import argparse

import torch

def save(model, path):
    args = argparse.ArgumentParser().parse_args()
    torch.save({"model": model.state_dict(), "args": args}, path)
""",
        good="""\
import argparse

import torch

def save(model, path):
    args = argparse.ArgumentParser().parse_args()
    torch.save({"model": model.state_dict(), "args": vars(args)}, path)
""",
        silent=(
            "a module that is saved whole (CKP101 speaks)",
            "a class that the project's own loads allow-list (`add_safe_globals`, `safe_globals`)",
            "a dict without weights: it is no checkpoint",
            "a value of which only the name looks like a config; `vars(args)`, `asdict(...)`, `x.item()` and other "
            "conversions; Python's and torch's own random state",
        ),
        fix_safety=(
            "Unsafe: the value has another type for whoever reads it (`checkpoint[\"args\"].lr` becomes "
            "`checkpoint[\"args\"][\"lr\"]`). `vars(args)` is offered only where no argument is parsed to a Path."
        ),
        sources=("https://docs.pytorch.org/docs/stable/notes/serialization.html#weights-only",),
    ),
)


def check(view: View) -> Iterator[Report]:
    """Values beside weights that the safe load refuses. What a helper of another file puts in is told once."""
    told: set[t.Expr] = set()
    for save in view.saves:
        found = list(refused_in(view, save))
        if not found or not _holds_weights(view, save, found):
            continue
        allowed = allowed_classes(view.facts.world, view.module)
        for saved, refusal in found:
            if not allowed & set(refusal.classes) and saved.value not in told:
                yield _report(view, saved, refusal)
                if saved.module is not view.module:
                    told.add(saved.value)


def _holds_weights(view: View, save: Save, found: list[tuple[Saved, Refusal]]) -> bool:
    checkpoint = view.checkpoint(save)
    if any(refusal is refusals.MODULE for _, refusal in found):
        return True
    entries = checkpoint.entries if checkpoint.shape != "object" else ()
    return any(WEIGHTS in view.facts.checkpoints.states(entry) for entry in entries if not entry.left_out)


def _report(view: View, saved: Saved, refusal: Refusal) -> Report:
    node = saved.where(view.module)
    here = node is saved.value
    edits = _edits(view, saved, refusal) if here else None
    advice = refusal.advice or (f"save `{_rewritten(view, saved, refusal)}`" if here and refusal.rewritten else "")
    entry = f"the entry `{saved.keys[-1]}`" if saved.keys else "the saved value"
    message = (
        f"{entry} is {refusal.what}: the default load (torch 2.6 and newer) refuses the whole checkpoint for it"
        f"{f'; {advice}' if advice else ''}"
    )
    fix = Fix(Applicability.UNSAFE, f"Save `{_rewritten(view, saved, refusal)}`", edits) if edits else None
    withheld = "an argument is parsed to a Path, which is refused in `vars(...)` too" if edits == () else None
    others = () if here else (Other(saved.module, saved.value, refusal.what),)
    return Report(
        node, message, fix, withheld, others, call=saved.call_in(view.module) if here else None, argument="value"
    )


def _edits(view: View, saved: Saved, refusal: Refusal) -> tuple[Edit, ...] | None:
    """The rewriting; () where it is withheld, None where only a person can tell."""
    if not refusal.rewritten or refusal is refusals.MODULE or not is_editable(saved.value):
        return None
    if refusal is refusals.NAMESPACE:
        modules = (saved.module, *parsed_in(view.facts.values, saved.module, saved.value))
        if any(parses_paths(view.facts.values, module) for module in modules):
            return ()
    if refusal is refusals.NUMPY_ARRAY:
        return None  # an array read back as a tensor is another thing to its reader: that is for a person to decide
    before, after = _around(view, saved, refusal)
    if before:
        return wrap(saved.value.span, before, after)
    simple = isinstance(saved.value, (t.Name, t.Attribute, t.Call, t.Subscript))
    return insert(saved.value.end, after) if simple else None


def _rewritten(view: View, saved: Saved, refusal: Refusal) -> str:
    before, after = _around(view, saved, refusal)
    return f"{before}{view.code(saved.value)}{after}"


def _around(view: View, saved: Saved, refusal: Refusal) -> tuple[str, str]:
    """The code before and after the value that makes plain data of it, and leaves a None as it is."""
    simple = isinstance(saved.value, (t.Name, t.Attribute))
    if not simple or not may_be_none(view.facts.values, saved.module, saved.value):
        return refusal.before, refusal.after
    return refusal.before, f"{refusal.after} if {view.code(saved.value)} is not None else None"
