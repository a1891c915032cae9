"""CKP202."""

from __future__ import annotations

from collections.abc import Iterator

from ckpt_lint import apis
from ckpt_lint.facts.view import Report, View
from ckpt_lint.model import Applicability, Page, RuleInfo, Severity
from ckpt_lint.rules.training_state.absent import absent, saves_optimizer

RULE = RuleInfo(
    code="CKP202",
    name="missing-scheduler-state",
    severity=Severity.WARNING,
    on=True,
    fix=Applicability.UNSAFE,
    fix_shape="entry-added",
    groups=("resume",),
    artifact=True,
    page=Page(
        summary="A training checkpoint saves the optimizer, but not the learning rate scheduler.",
        why=(
            "A scheduler counts its own steps. Restored without them, it starts its schedule again from the restored "
            "learning rate: warm-up runs twice, a OneCycleLR climbs a second time and raises `ValueError: Tried to "
            "step ... times` at the end, a ReduceLROnPlateau forgets its patience and its best value."
        ),
        bad="""\
import torch

def train(model, loader, epochs):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=epochs)
    for epoch in range(epochs):
        for batch in loader:
            model(batch).mean().backward()
            optimizer.step()
        scheduler.step()
        state = {
            "model": model.state_dict(),
            "optimizer": optimizer.state_dict(),
            "epoch": epoch,
        }
        torch.save(state, "last.pt")
""",
        good="""\
import torch

def train(model, loader, epochs):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=epochs)
    for epoch in range(epochs):
        for batch in loader:
            model(batch).mean().backward()
            optimizer.step()
        scheduler.step()
        state = {
            "model": model.state_dict(),
            "optimizer": optimizer.state_dict(),
            "epoch": epoch,
            "scheduler": scheduler.state_dict(),
        }
        torch.save(state, "last.pt")
""",
        silent=(
            "no optimizer state is saved (CKP201 speaks then)",
            "the schedule is made again: `last_epoch=...` at construction, `scheduler.last_epoch = ...`, "
            "`scheduler.step(epoch)`, a loop of steps up to the epoch",
            "a scheduler of the project's own without a `state_dict`, a noise scheduler of a diffusion model",
            "a part of the dict cannot be read, an entry is made from the scheduler, or it is `None` on purpose",
            "another save of the same file writes a training checkpoint with it",
        ),
        fix_safety=(
            "Unsafe: the file has one more entry, and the program that resumes still has to load it. No fix where only "
            "callers have the scheduler, or where it is bound on some ways only."
        ),
        sources=("https://docs.pytorch.org/docs/stable/optim.html#how-to-adjust-learning-rate",),
    ),
)

CONSEQUENCE = "a resumed run starts the schedule of {names} again, from the learning rate where it stopped"


def check(view: View) -> Iterator[Report]:
    """Training checkpoints with optimizer state and without the scheduler's."""
    yield from absent(view, apis.SCHEDULER, CONSEQUENCE, applies=saves_optimizer)
