"""CKP412."""

from __future__ import annotations

from collections.abc import Iterator

from ckpt_lint.facts.epochs import EPOCH, Repeat, repeats
from ckpt_lint.facts.resume import CounterRead
from ckpt_lint.facts.view import Other, Report, View
from ckpt_lint.model import Page, RuleInfo, Severity
from ckpt_lint.source import tree as t
from ckpt_lint.source.module import last_name

RULE = RuleInfo(
    code="CKP412",
    name="resume-repeats-epoch",
    severity=Severity.WARNING,
    on=True,
    groups=("resume",),
    page=Page(
        summary="A resumed run does the last epoch once more.",
        why=(
            "The counter that is saved after an epoch is the number of the epoch that is over. A loop that starts at "
            "it trains on the same data twice, and the schedule steps once too often: OneCycleLR raises at the end."
        ),
        bad="""\
import torch

def main(model, optimizer, batches, resume):
    start_epoch = 0
    if resume:
        checkpoint = torch.load("last.pt", map_location="cpu", weights_only=True)
        model.load_state_dict(checkpoint["model"])
        optimizer.load_state_dict(checkpoint["optimizer"])
        start_epoch = checkpoint["epoch"]
    for epoch in range(start_epoch, 90):
        train(model, optimizer, batches)
        state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": epoch}
        torch.save(state, "last.pt")
""",
        good="""\
import torch

def main(model, optimizer, batches, resume):
    start_epoch = 0
    if resume:
        checkpoint = torch.load("last.pt", map_location="cpu", weights_only=True)
        model.load_state_dict(checkpoint["model"])
        optimizer.load_state_dict(checkpoint["optimizer"])
        start_epoch = checkpoint["epoch"] + 1
    for epoch in range(start_epoch, 90):
        train(model, optimizer, batches)
        state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": epoch}
        torch.save(state, "last.pt")
""",
        silent=(
            "saves by step: inside of the batch loop, or before the training step",
            "a step counter is saved with it",
            "`epoch += 1` in the loop, or on what was read",
            "`+ 1` on either side",
        ),
        sources=("https://docs.pytorch.org/tutorials/beginner/saving_loading_models.html",),
    ),
)


def check(view: View) -> Iterator[Report]:
    """Restored epoch counters that a loop starts at, although the epoch was over when they were saved."""
    seen = set()
    for path in view.facts.resumes.of(view.module):
        for read in path.counters:
            found = next((r for r in repeats(view.facts, read) if _is_epoch(read, r)), None)
            if found is not None and read.node not in seen:
                seen.add(read.node)
                others = (
                    Other(found.entry.module, found.entry.value, "saved here, after the epoch"),
                    Other(found.module, found.loop, "the loop that starts at it"),
                )
                message = (
                    f"`{view.code(read.node)}` is the epoch that was over when it was saved, and the loop starts at "
                    "it: the epoch runs twice. Add 1 on one side"
                )
                yield Report(read.node, message, others=others)


def _is_epoch(read: CounterRead, repeat: Repeat) -> bool:
    target = repeat.loop.target
    return bool(EPOCH.search(read.key) or (isinstance(target, t.Name) and EPOCH.search(last_name(target))))
