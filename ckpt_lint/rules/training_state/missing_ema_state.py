"""CKP207."""

from __future__ import annotations

from collections.abc import Iterator

from ckpt_lint import apis
from ckpt_lint.facts.view import Report, View
from ckpt_lint.model import Applicability, Page, RuleInfo, Severity
from ckpt_lint.rules.training_state.absent import absent, saves_optimizer

RULE = RuleInfo(
    code="CKP207",
    name="missing-ema-state",
    severity=Severity.WARNING,
    on=True,
    fix=Applicability.UNSAFE,
    fix_shape="entry-added",
    groups=("resume",),
    page=Page(
        summary="A training checkpoint saves the optimizer, but not the averaged model.",
        why=(
            "The average of the weights is built over the whole run and is what is usually evaluated and shipped. A "
            "run that resumes without it starts the average from the current weights: its history is lost, silently."
        ),
        bad="""\
import torch
from torch.optim.swa_utils import AveragedModel

def train(model, loader, epochs):
    optimizer = torch.optim.Adam(model.parameters())
    averaged = AveragedModel(model)
    for epoch in range(epochs):
        for batch in loader:
            model(batch).mean().backward()
            optimizer.step()
            averaged.update_parameters(model)
        state = {
            "model": model.state_dict(),
            "optimizer": optimizer.state_dict(),
            "epoch": epoch,
        }
        torch.save(state, "last.pt")
""",
        good="""\
import torch
from torch.optim.swa_utils import AveragedModel

def train(model, loader, epochs):
    optimizer = torch.optim.Adam(model.parameters())
    averaged = AveragedModel(model)
    for epoch in range(epochs):
        for batch in loader:
            model(batch).mean().backward()
            optimizer.step()
            averaged.update_parameters(model)
        state = {
            "model": model.state_dict(),
            "optimizer": optimizer.state_dict(),
            "epoch": epoch,
            "averaged": averaged.state_dict(),
        }
        torch.save(state, "last.pt")
""",
        silent=(
            "no optimizer state is saved",
            "an entry is made from the averaged model, whatever its key",
            "a moving average of a number (`loss_ema`)",
            "a part of the dict cannot be read, or the entry is `None` on purpose",
            "another save of the same file writes a training checkpoint with it, or a pickle beside the checkpoint holds it",
        ),
        fix_safety=(
            "Unsafe: the file grows by a second copy of the weights, and the program that resumes still has to load "
            "it. No fix where the class of the average may lack a `state_dict`."
        ),
        sources=("https://docs.pytorch.org/docs/stable/optim.html#weight-averaging-swa-and-ema",),
    ),
)

CONSEQUENCE = "a resumed run starts the average of {names} again from the current weights"


def check(view: View) -> Iterator[Report]:
    """Training checkpoints with optimizer state and without the averaged model."""
    yield from absent(view, apis.EMA, CONSEQUENCE, applies=saves_optimizer)
