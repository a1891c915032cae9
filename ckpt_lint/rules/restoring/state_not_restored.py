"""CKP408."""

from __future__ import annotations

from collections.abc import Iterator

from ckpt_lint.facts.unrestored import NAMES, left_out, unused
from ckpt_lint.facts.view import Other, Report, View
from ckpt_lint.model import Page, RuleInfo, Severity

RULE = RuleInfo(
    code="CKP408",
    name="state-not-restored",
    severity=Severity.WARNING,
    on=True,
    groups=("resume",),
    page=Page(
        summary="A resume leaves training state in the checkpoint that the save has written.",
        why=(
            "What was saved is there, and the resumed run starts that part afresh: a schedule from its first step, "
            "Adam without its moments, a gradient scaler that skips steps until it has found its scale again. "
            "Nothing is said."
        ),
        bad="""\
import torch

def save(model, optimizer, scheduler, epoch):
    state = {
        "model": model.state_dict(), "optimizer": optimizer.state_dict(),
        "scheduler": scheduler.state_dict(), "epoch": epoch,
    }
    torch.save(state, "last.pt")

def resume(model, optimizer, scheduler):
    checkpoint = torch.load("last.pt", map_location="cpu", weights_only=True)
    model.load_state_dict(checkpoint["model"])
    optimizer.load_state_dict(checkpoint["optimizer"])
    return checkpoint["epoch"] + 1
""",
        good="""\
import torch

def save(model, optimizer, scheduler, epoch):
    state = {
        "model": model.state_dict(), "optimizer": optimizer.state_dict(),
        "scheduler": scheduler.state_dict(), "epoch": epoch,
    }
    torch.save(state, "last.pt")

def resume(model, optimizer, scheduler):
    checkpoint = torch.load("last.pt", map_location="cpu", weights_only=True)
    model.load_state_dict(checkpoint["model"])
    optimizer.load_state_dict(checkpoint["optimizer"])
    scheduler.load_state_dict(checkpoint["scheduler"])
    return checkpoint["epoch"] + 1
""",
        silent=(
            "metadata: arguments, the architecture, metrics, versions; running sums; variables that a turn computes anew",
            "another function of the two files reads the key, or may: the checkpoint is returned or handed on",
            "functions that restore weights only, or weights and a counter that no loop starts at",
            "files that do not import one another, directly or through one more, unless the path is the same constant",
        ),
        sources=("https://docs.pytorch.org/tutorials/beginner/saving_loading_models.html",),
    ),
)


def check(view: View) -> Iterator[Report]:
    """Resumes that forget training state, and training state that is read and dropped."""
    for left in left_out(view):
        entries = ", ".join(f"`{entry.key}`" for entry, _ in left.entries)
        names = " and ".join(dict.fromkeys(NAMES[state] for _, state in left.entries))
        others = tuple(Other(entry.module, entry.value, f"`{entry.key}` is saved here") for entry, _ in left.entries)
        yield Report(
            left.load.call,
            f"the checkpoint holds {entries}, and nothing restores it: {names} starts afresh when the run is resumed",
            others=others,
        )
    for found in unused(view):
        yield Report(
            found.load.call,
            f"the state of {NAMES[found.state]} is read into `{found.name}`, and nothing is restored from it",
            others=(Other(view.module, found.node, "read here"),),
        )
