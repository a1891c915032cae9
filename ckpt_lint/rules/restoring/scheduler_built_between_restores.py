"""CKP415."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ckpt_lint import apis
from ckpt_lint.facts.optimizers import Built, before, built, restore_points, same
from ckpt_lint.facts.view import Other, Report, View
from ckpt_lint.facts.world import argument
from ckpt_lint.model import Page, RuleInfo, Severity
from ckpt_lint.source import tree as t

FOR_GOOD = frozenset({"LinearLR", "ConstantLR", "SequentialLR"})
FIRST_STEP = frozenset({"OneCycleLR", "LambdaLR", "CyclicLR", "CosineAnnealingWarmRestarts"})
AT_BOUNDARIES = frozenset({"StepLR", "MultiStepLR"})
RECURSIVE = frozenset({"ExponentialLR"})
_HF = re.compile(r"^(transformers|diffusers|pytorch_transformers)\.(\w+\.)*get_\w*schedule\w*$")
_TORCH = "torch.optim.lr_scheduler."

RULE = RuleInfo(
    code="CKP415",
    name="scheduler-built-between-restores",
    severity=Severity.ERROR,
    on=True,
    groups=("resume",),
    page=Page(
        summary="A scheduler is built after the state of its optimizer is restored, and before its own.",
        why=(
            "A scheduler's constructor writes its first learning rate into the optimizer, over the one that was just "
            "restored, and `scheduler.load_state_dict` does not write it back. With LinearLR, ConstantLR and "
            "SequentialLR the rate stays wrong for the rest of the run, with OneCycleLR, LambdaLR, CyclicLR and "
            "CosineAnnealingWarmRestarts for the first step (a warning). With `last_epoch=`, StepLR and MultiStepLR "
            "decay once more where the run was interrupted on a boundary, on every torch to 2.13 and for the rest of the "
            "run; ExponentialLR does to 2.6. Nothing is said."
        ),
        bad="""\
import torch

def resume(model, optimizer, checkpoint):
    optimizer.load_state_dict(checkpoint["optimizer"])
    scheduler = torch.optim.lr_scheduler.LinearLR(optimizer, total_iters=10)
    scheduler.load_state_dict(checkpoint["scheduler"])
    return scheduler
""",
        good="""\
import torch

def resume(model, optimizer, checkpoint):
    scheduler = torch.optim.lr_scheduler.LinearLR(optimizer, total_iters=10)
    optimizer.load_state_dict(checkpoint["optimizer"])
    scheduler.load_state_dict(checkpoint["scheduler"])
    return scheduler
""",
        silent=(
            "everything is built first, then everything is restored",
            "the scheduler's own state is not restored",
            "StepLR, MultiStepLR, ExponentialLR without `last_epoch=`, or with -1; ExponentialLR with it where the "
            "declared torch is 2.7 or newer",
            "CosineAnnealingLR, PolynomialLR, MultiplicativeLR, ReduceLROnPlateau: exact in that order",
            "classes that are not torch's, unless they are the `get_..._schedule...` functions of transformers",
        ),
        sources=("https://docs.pytorch.org/docs/stable/optim.html#how-to-adjust-learning-rate",),
    ),
)


def check(view: View) -> Iterator[Report]:
    """Schedulers that are built between the restore of their optimizer and their own."""
    made = [(b, kind) for b in built(view, apis.SCHEDULER, of_project=False) if (kind := _kind(view, b)) is not None]
    if not made:
        return
    optimizers = list(restore_points(view, apis.OPTIMIZER))
    schedulers = list(restore_points(view, apis.SCHEDULER))
    for scheduler, kind in made:
        optimizer = argument(scheduler.call, 0, "optimizer")
        if optimizer is None:
            continue
        earlier = [p for p in optimizers if same(view, p.receiver, optimizer.value) and before(p.call, scheduler.call)]
        later = [p for p in schedulers if same(view, p.receiver, scheduler.target) and before(scheduler.call, p.call)]
        if earlier and later:
            others = (
                Other(view.module, earlier[-1].call, "the optimizer is restored here"),
                Other(view.module, later[0].call, "the scheduler is restored here"),
            )
            name = scheduler.name.rpartition(".")[2]
            what = "decays the restored learning rate once more where the run was interrupted on a boundary"
            if name not in AT_BOUNDARIES | RECURSIVE:
                what = f"puts its first learning rate over the restored one, {_how_long(kind)}"
            message = (
                f"`{name}` is built between the restore of its optimizer and its own: it {what}. Build everything first, "
                "then restore"
            )
            yield Report(scheduler.call, message, others=others, severity=kind)


def _how_long(severity: Severity) -> str:
    return "for the rest of the run" if severity is Severity.ERROR else "and the next step is taken with it"


def _kind(view: View, made: Built) -> Severity | None:
    """How bad a class is when it is built too late; None where it is exact, or unknown."""
    name = made.name.removeprefix(_TORCH) if made.name.startswith(_TORCH) else ""
    if name in FOR_GOOD:
        return Severity.ERROR
    if name in FIRST_STEP or _HF.match(made.name):
        return Severity.WARNING
    if name in AT_BOUNDARIES or (name in RECURSIVE and view.bounds.admits_below("2.7")):
        return Severity.ERROR if _resumes_by_epoch(made) else None
    return None


def _resumes_by_epoch(made: Built) -> bool:
    """Whether `last_epoch=` is given; -1, the default, starts the schedule afresh."""
    given = next((arg.value for arg in made.call.args if arg.keyword == "last_epoch"), None)
    return given is not None and not isinstance(given, (t.UnaryOp, t.Constant))
