"""CKP105."""

from __future__ import annotations

from collections.abc import Iterator

from ckpt_lint.facts.targets import is_fixed, is_repeated, is_replaced_after
from ckpt_lint.facts.view import Report, View
from ckpt_lint.model import Page, RuleInfo, Severity

RULE = RuleInfo(
    code="CKP105",
    name="non-atomic-save",
    severity=Severity.WARNING,
    on=False,
    groups=("resume",),
    page=Page(
        summary="A training checkpoint overwrites the only copy in place.",
        why=(
            "`torch.save` opens the path and truncates it before it writes a byte. A crash, a full disk or a kill "
            "while it writes leaves a wreck where the last good checkpoint was: 0 bytes, half of it, or a zip without "
            "its pickle. A temporary file in the same folder and `os.replace` keep the old one until the new one is "
            "whole."
        ),
        bad="""\
import torch

def train(model, optimizer, batches):
    for epoch in range(10):
        for batch in batches:
            model(batch).mean().backward()
            optimizer.step()
        state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": epoch}
        torch.save(state, "last.pt")
""",
        good="""\
import os

import torch

def train(model, optimizer, batches):
    for epoch in range(10):
        for batch in batches:
            model(batch).mean().backward()
            optimizer.step()
        state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": epoch}
        torch.save(state, "last.pt.tmp")
        os.replace("last.pt.tmp", "last.pt")
""",
        silent=(
            "a temporary file that is renamed (`os.replace`, `Path.replace`, `shutil.move`)",
            "a path with an epoch, a step or the time in it",
            "a save that runs once; weights without training state",
        ),
        sources=("https://docs.python.org/3/library/os.html#os.replace",),
    ),
)


def check(view: View) -> Iterator[Report]:
    """Saves of training checkpoints over the last one."""
    values = view.facts.values
    training = {found.save.call for found in view.facts.training.of(view.module) if found.is_training}
    progress = view.facts.training.progress
    for save in view.file_saves:
        if save.call not in training or not is_repeated(values, save) or is_replaced_after(values, save.innermost):
            continue
        if is_fixed(values, progress, save) and not is_replaced_after(values, save):
            yield Report(
                save.call,
                "the last checkpoint is truncated before the new one is written, and a crash in between destroys "
                "both: save to a temporary file in the same folder, then `os.replace` it",
            )
