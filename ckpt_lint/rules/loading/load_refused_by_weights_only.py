"""CKP311."""

from __future__ import annotations

from collections.abc import Iterator

from ckpt_lint import apis
from ckpt_lint.facts.allowlists import allowed_classes, inside_safe_globals
from ckpt_lint.facts.loads import Load
from ckpt_lint.facts.refused import Refused, refused_values
from ckpt_lint.facts.reads import keys_read
from ckpt_lint.facts.matching import HALF
from ckpt_lint.facts.view import Other, Report, View
from ckpt_lint.model import Page, RuleInfo, Severity

RULE = RuleInfo(
    code="CKP311",
    name="load-refused-by-weights-only",
    severity=Severity.ERROR,
    on=True,
    groups=("torch26",),
    page=Page(
        summary="The matching save writes a value that this load refuses.",
        why=(
            "`weights_only=True`, the default from torch 2.6 on, admits tensors and plain values. A whole module, an "
            "`argparse.Namespace`, a NumPy scalar, a `pathlib.Path` in the file makes the load raise `UnpicklingError`."
        ),
        bad="""\
import argparse

import torch

def save(args: argparse.Namespace):
    torch.save({"args": args, "note": "x"}, "run.pt")

def load():
    return torch.load("run.pt", map_location="cpu")
""",
        good="""\
import argparse

import torch

def save(args: argparse.Namespace):
    torch.save({"args": vars(args), "note": "x"}, "run.pt")

def load():
    return torch.load("run.pt", map_location="cpu", weights_only=True)
""",
        silent=(
            "the hub loader",
            "`weights_only=False` (CKP303)",
            "no allowed torch is 2.6 or newer and `weights_only` is not given",
            "the class is allow-listed by the project's own loads",
            "the nearest matching save writes nothing that is refused",
        ),
        sources=("https://docs.pytorch.org/docs/stable/notes/serialization.html",),
    ),
)


def check(view: View) -> Iterator[Report]:
    """Loads that cannot read what the project's own save writes."""
    for load in view.loads:
        if load.wrapper is not None and load.inner is not None and "weights_only" not in load.inner.forwards:
            continue
        if not _refuses(view, load) or inside_safe_globals(load.module, load.call):
            continue
        found = _written(view, load)
        if found is None:
            continue
        key = f" under {found.entry.key!r}" if found.entry.key and not found.entry.key.isdigit() else ""
        message = (
            f"the save that wrote this file puts {found.what}{key} in it, which `weights_only=True` (the default from "
            "torch 2.6 on) refuses with `UnpicklingError`: change the save"
        )
        others = (Other(found.entry.module, found.entry.value, f"writes {found.what}"),)
        yield Report(load.call, message, others=others, call=load.call, argument="pickle")


def _refuses(view: View, load: Load) -> bool:
    if load.api != apis.TORCH_LOAD or load.open or "pickle_module" in load.given or "weights_only" in load.forwards:
        return False
    value = load.value("weights_only")
    if value is None:
        return view.bounds.admits_at_least("2.6")
    constant = load.module.constant(value)
    return constant is not None and constant.value is True


def _written(view: View, load: Load) -> Refused | None:
    """The first refused value that the nearest matching save writes."""
    match = view.match(load)
    if match.nearest is not None:
        found = [r for r in refused_values(view, match.nearest) if not _allowed(view, load, r)]
        return found[0] if found else None
    return _by_one_key(view, load)


def _by_one_key(view: View, load: Load) -> Refused | None:
    """The load reads one distinctive key, and every save that writes it holds a refused value."""
    keys = [key for key in keys_read(view.facts.restores, load) if key not in HALF]
    matching = view.facts.matching
    if not keys or matching.leaves_to_framework(load.module):
        return None
    for key in keys:
        saves = [s for s in matching.saves_writing(key, load) if key in view.checkpoint(s).keys]
        refused = [next((r for r in refused_values(view, s) if not _allowed(view, load, r)), None) for s in saves]
        first = refused[0] if refused else None
        if first is not None and all(refused):
            return first
    return None


def _allowed(view: View, load: Load, refused: Refused) -> bool:
    names = allowed_classes(load.module)
    return bool(names) and (not refused.classes or bool(set(refused.classes) & names))
