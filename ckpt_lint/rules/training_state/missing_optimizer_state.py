"""CKP201."""

from __future__ import annotations

from collections.abc import Iterator

from ckpt_lint import apis
from ckpt_lint.facts.metrics import metric_guard
from ckpt_lint.facts.training import TrainingCheckpoint
from ckpt_lint.facts.view import Report, View
from ckpt_lint.model import Applicability, Page, RuleInfo, Severity
from ckpt_lint.rules.training_state.absent import absent

RULE = RuleInfo(
    code="CKP201",
    name="missing-optimizer-state",
    severity=Severity.ERROR,
    on=True,
    fix=Applicability.UNSAFE,
    fix_shape="entry-added",
    groups=("resume",),
    artifact=True,
    page=Page(
        summary="A training checkpoint without the optimizer's state.",
        why=(
            "Momentum, the moments of Adam and their step counts live in the optimizer. A run that resumes without "
            "them starts its optimizer afresh: no error is raised, and the losses leave the course of the first run "
            "(by 0.04 to 0.23 in a small network with Adam or SGD with momentum, against 0.0 when all is restored). "
            "Of a checkpoint file in which a counter is all that speaks of a resume, it is a warning."
        ),
        bad="""\
import torch

def train(model, loader, epochs):
    optimizer = torch.optim.Adam(model.parameters())
    for epoch in range(epochs):
        for batch in loader:
            model(batch).mean().backward()
            optimizer.step()
        state = {"model": model.state_dict(), "epoch": epoch}
        torch.save(state, "last.pt")
""",
        good="""\
import torch

def train(model, loader, epochs):
    optimizer = torch.optim.Adam(model.parameters())
    for epoch in range(epochs):
        for batch in loader:
            model(batch).mean().backward()
            optimizer.step()
        state = {"model": model.state_dict(), "epoch": epoch, "optimizer": optimizer.state_dict()}
        torch.save(state, "last.pt")
""",
        silent=(
            "no optimizer is in scope: a local name, parameter, attribute of the class, global, or one of every caller",
            "a bare state dict, or a dict without scheduler, scaler or progress counter: no training checkpoint",
            "a part of the dict cannot be read (`**extra`, keys added in a loop)",
            "an entry is made from the optimizer, whatever its key",
            '`"optimizer": None`: left out on purpose',
            "the optimizer has a sibling file, saved in the same block to the same directory",
            "another save of the same file writes a training checkpoint with it",
            "the path says best, final, export, deploy or infer",
            "every save of it stands under a test that a metric improved, and nothing in the project resumes",
        ),
        fix_safety=(
            "Unsafe: the file grows (twice the weights for Adam), and whoever reads it finds one more entry. The "
            "program that resumes still has to load it. No fix where the object may lack a `state_dict`, or only "
            "callers have it."
        ),
        sources=("https://docs.pytorch.org/tutorials/beginner/saving_loading_models.html",),
    ),
)

CONSEQUENCE = "a resumed run starts {names} afresh, without its momentum and step counts"


def check(view: View) -> Iterator[Report]:
    """Training checkpoints without optimizer state."""
    yield from absent(view, apis.OPTIMIZER, CONSEQUENCE, applies=lambda checkpoint: _is_for_resuming(view, checkpoint))


def _is_for_resuming(view: View, checkpoint: TrainingCheckpoint) -> bool:
    if any(view.facts.training.is_export(part.save) for part in checkpoint.parts):
        return False
    if view.facts.resumes.anywhere(view.module):
        return True
    return metric_guard(view.facts.world, view.module, checkpoint.save.call) is None
