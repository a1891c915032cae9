"""CKP204."""

from __future__ import annotations

from collections.abc import Iterator

from ckpt_lint.facts.states import COUNTER
from ckpt_lint.facts.view import Report, View
from ckpt_lint.model import Applicability, Page, RuleInfo, Severity
from ckpt_lint.rules.training_state.absent import absent, saves_optimizer

RULE = RuleInfo(
    code="CKP204",
    name="missing-progress",
    severity=Severity.WARNING,
    on=True,
    fix=Applicability.UNSAFE,
    fix_shape="entry-added",
    groups=("resume",),
    artifact=True,
    page=Page(
        summary="A training checkpoint does not say how far training came.",
        why=(
            "Weights and optimizer come back, but the loop starts at 0 again: the run trains longer than planned, what "
            "depends on the epoch (sampling, curricula, schedules) repeats, and a OneCycleLR raises `ValueError: Tried "
            "to step ... times`."
        ),
        bad="""\
import torch

def train(model, loader, epochs):
    optimizer = torch.optim.Adam(model.parameters())
    for epoch in range(epochs):
        for batch in loader:
            model(batch).mean().backward()
            optimizer.step()
        torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, "last.pt")
""",
        good="""\
import torch

def train(model, loader, epochs):
    optimizer = torch.optim.Adam(model.parameters())
    for epoch in range(epochs):
        for batch in loader:
            model(batch).mean().backward()
            optimizer.step()
        torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": epoch}, "last.pt")
""",
        silent=(
            "no optimizer state is saved",
            "an epoch or step counter is saved, by key or by value, or stands in the path",
            "no named loop counter is in scope: `for _ in range(10)`",
            "a part of the dict cannot be read",
            "another save of the same file writes a training checkpoint with it",
        ),
        fix_safety=(
            "Unsafe: the file has one more entry, and whoever resumes has to decide whether the counter means the last "
            "finished round or the next one."
        ),
        sources=("https://docs.pytorch.org/tutorials/beginner/saving_loading_models.html",),
    ),
)

CONSEQUENCE = "a resumed run cannot go on where {names} was, and starts to count at 0 again"


def check(view: View) -> Iterator[Report]:
    """Training checkpoints with optimizer state and without a counter."""
    yield from absent(view, COUNTER, CONSEQUENCE, applies=saves_optimizer)
