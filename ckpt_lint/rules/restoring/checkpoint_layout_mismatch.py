"""CKP418."""

from __future__ import annotations

from collections.abc import Iterator

from ckpt_lint.facts.layouts import BARE, NESTED, Mismatch, mismatches
from ckpt_lint.facts.view import Other, Report, View
from ckpt_lint.model import Page, RuleInfo, Severity
from ckpt_lint.source import tree as t

RULE = RuleInfo(
    code="CKP418",
    name="checkpoint-layout-mismatch",
    severity=Severity.ERROR,
    on=True,
    groups=("resume",),
    page=Page(
        summary="The layout that a save writes is not the one that the restore takes.",
        why=(
            "DataParallel and DDP put `module.` in front of every key, torch.compile `_orig_mod.`; a checkpoint dict "
            "holds the weights one level down. Where the two ends differ a strict restore raises `Missing key(s) in "
            "state_dict`, and one with `strict=False` restores nothing and says nothing."
        ),
        bad="""\
import torch

def save(model, metrics):
    torch.save({"model": model.state_dict(), "metrics": metrics}, "best.pt")

def restore(model):
    model.load_state_dict(torch.load("best.pt", map_location="cpu", weights_only=True))
""",
        good="""\
import torch

def save(model, metrics):
    torch.save({"model": model.state_dict(), "metrics": metrics}, "best.pt")

def restore(model):
    model.load_state_dict(torch.load("best.pt", map_location="cpu", weights_only=True)["model"])
""",
        silent=(
            "stripped, unwrapped or rebuilt on the way",
            "tested on the way: a key asked for with `in`, a prefix looked for, a `try` around",
            "a matching save that may hold more than we see, or wraps on some ways only",
            "files that do not import one another, directly or through one more, unless the path is the same constant",
        ),
        sources=("https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html#torch.nn.Module.load_state_dict",),
    ),
)


def check(view: View) -> Iterator[Report]:
    """Restores that cannot fit what their matching save writes."""
    for found in mismatches(view):
        strict = found.restore.option("strict")
        lenient = isinstance(strict, t.Constant) and strict.value is False
        end = "with `strict=False` nothing is restored" if lenient and not _reads_key(found) else _raises(found)
        checkpoint = view.checkpoint(found.save)
        yield Report(
            found.restore.state or found.restore.call,
            f"{_what(found)}: {end}",
            others=(Other(checkpoint.module, checkpoint.where, "the matching save"),),
            call=found.restore.call,
        )


def _what(found: Mismatch) -> str:
    if found.kind == NESTED:
        return f"the save writes a dict with the weights under `{found.saved}`, and all of it is restored as weights"
    if found.kind == BARE:
        return f"the save writes a bare state dict, and `{found.wanted}` is read from it"
    saved, wanted = (f"`{p}` in front of every key" if p else "plain keys" for p in (found.saved, found.wanted))
    return f"the save writes {saved}, and the module that is restored has {wanted}"


def _reads_key(found: Mismatch) -> bool:
    return found.kind == BARE


def _raises(found: Mismatch) -> str:
    return "KeyError" if _reads_key(found) else "the restore raises"
