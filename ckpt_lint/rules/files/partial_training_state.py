"""CKP505."""

from __future__ import annotations

from collections.abc import Iterator

from ckpt_lint.facts.view import Report, View
from ckpt_lint.model import Page, RuleInfo, Severity

RULE = RuleInfo(
    code="CKP505",
    name="partial-training-state",
    severity=Severity.WARNING,
    on=True,
    groups=("resume",),
    artifact=True,
    page=Page(
        summary="A checkpoint file holds optimizer, scheduler or scaler state, and no file beside it the model weights.",
        why=(
            "The state of an optimizer is worth nothing without the weights that it belongs to. Trainers that write "
            "it to a file of its own (`optimizer.pt` beside `pytorch_model.bin`) are fine as long as the other file "
            "comes along; where it was left behind, nothing can resume."
        ),
        bad="""\
run/optimizer.pt
  state, param_groups, and nothing beside it
""",
        good="""\
run/optimizer.pt
  state, param_groups
run/pytorch_model.bin
  the weights
""",
        silent=(
            "a file of the same stem with the weights lies in the same folder (`pytorch_model.bin`, or "
            "`run_model.pt` beside `run_optim.pt`)",
        ),
        sources=("https://docs.pytorch.org/docs/stable/optim.html",),
    ),
)


def check(view: View) -> Iterator[Report]:
    """Nothing in code: a file shows it (`ckpt_lint.artifact.judge`)."""
    yield from ()
