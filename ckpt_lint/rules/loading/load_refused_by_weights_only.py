"""CKP311."""

from __future__ import annotations

from collections.abc import Iterator

from ckpt_lint.facts.allowlists import inside_safe_globals
from ckpt_lint.facts.loads import Load
from ckpt_lint.facts.refused import Refused
from ckpt_lint.facts.refused_loads import refused_by, refuses
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
            "the class is allow-listed in the project, or the load stands in a `safe_globals(...)`",
            "files of frameworks that write their checkpoints themselves",
            "the nearest matching save writes nothing that is refused",
        ),
        sources=("https://docs.pytorch.org/docs/stable/notes/serialization.html",),
    ),
)


def check(view: View) -> Iterator[Report]:
    """Loads that cannot read what the project's own save writes."""
    for load in view.loads:
        if not refuses(view, load) or inside_safe_globals(load.module, load.call):
            continue
        if load.inner is not None and refuses(view, load.inner) and refused_by(view, load.inner) is not None:
            continue
        refused = refused_by(view, load)
        if refused is not None:
            yield _report(load, refused)


def _report(load: Load, found: Refused) -> Report:
    key = f" under {found.entry.key!r}" if found.entry.key and not found.entry.key.isdigit() else ""
    default = "" if load.has("weights_only") else ", the default from torch 2.6 on,"
    message = (
        f"the save that wrote this file puts {found.what}{key} in it, which `weights_only=True`{default} refuses with "
        "`UnpicklingError`: change the save"
    )
    others = (Other(found.entry.module, found.entry.value, f"writes {found.what}"),)
    return Report(load.call, message, others=others, call=load.call, argument="pickle")
