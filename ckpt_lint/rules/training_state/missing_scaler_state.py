"""CKP203."""

from __future__ import annotations

from collections.abc import Iterator

from ckpt_lint import apis
from ckpt_lint.facts.view import Report, View
from ckpt_lint.model import Applicability, Page, RuleInfo, Severity
from ckpt_lint.rules.training_state.absent import absent, saves_optimizer

RULE = RuleInfo(
    code="CKP203",
    name="missing-scaler-state",
    severity=Severity.WARNING,
    on=True,
    fix=Applicability.UNSAFE,
    fix_shape="entry-added",
    groups=("resume",),
    artifact=True,
    page=Page(
        summary="A training checkpoint saves the optimizer, but not the gradient scaler.",
        why=(
            "A `GradScaler` finds its loss scale while it trains. Without it a resumed run starts at 65536 again, "
            "overflows, and skips optimizer steps until the scale is down (four steps where it had been 2048), while "
            "the scheduler and the counters go on. apex keeps the same in `amp.state_dict()`."
        ),
        bad="""\
import torch

def train(model, loader, epochs):
    optimizer = torch.optim.Adam(model.parameters())
    scaler = torch.amp.GradScaler("cuda")
    for epoch in range(epochs):
        for batch in loader:
            scaler.scale(model(batch).mean()).backward()
            scaler.step(optimizer)
            scaler.update()
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
    optimizer = torch.optim.Adam(model.parameters())
    scaler = torch.amp.GradScaler("cuda")
    for epoch in range(epochs):
        for batch in loader:
            scaler.scale(model(batch).mean()).backward()
            scaler.step(optimizer)
            scaler.update()
        state = {
            "model": model.state_dict(),
            "optimizer": optimizer.state_dict(),
            "epoch": epoch,
            "scaler": scaler.state_dict(),
        }
        torch.save(state, "last.pt")
""",
        silent=(
            "no optimizer state is saved (CKP201 speaks then)",
            "a scaler of something else (`StandardScaler`), a scaler made with `enabled=False`",
            "a part of the dict cannot be read, an entry is made from the scaler, or it is `None` on purpose",
            "another save of the same file writes a training checkpoint with it",
        ),
        fix_safety=(
            "Unsafe: the file has one more entry, and the program that resumes still has to load it; an enabled scaler "
            "refuses the empty state of a disabled one. No fix where only callers have the scaler."
        ),
        sources=(
            "https://docs.pytorch.org/docs/stable/amp.html#gradient-scaling",
            "https://docs.pytorch.org/tutorials/recipes/recipes/amp_recipe.html",
        ),
    ),
)

CONSEQUENCE = "a resumed run starts {names} at its first scale again and skips steps until it fits"


def check(view: View) -> Iterator[Report]:
    """Training checkpoints with optimizer state and without the scaler's."""
    yield from absent(view, apis.SCALER, CONSEQUENCE, applies=saves_optimizer)
