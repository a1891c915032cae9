"""CKP504."""

from __future__ import annotations

from collections.abc import Iterator

from ckpt_lint.facts.view import Report, View
from ckpt_lint.model import Page, RuleInfo, Severity

RULE = RuleInfo(
    code="CKP504",
    name="non-finite-weights",
    severity=Severity.WARNING,
    on=False,
    artifact=True,
    page=Page(
        summary="The weights in a checkpoint file hold NaN or infinity.",
        why=(
            "A run that diverged goes on writing checkpoints, and the last good one is overwritten or rotated away. "
            "Nothing in loading looks at the numbers: the model answers NaN. This reads all the data, so it needs "
            "`--deep`."
        ),
        bad="""\
model.pt
  layers.3.weight holds NaN
""",
        good="""\
model.pt
  all floating weights are finite
""",
        silent=(
            "without `--deep`",
            "optimizer state",
            "masks, attention buffers and bias tables with infinities, which are meant so",
        ),
        sources=("https://docs.pytorch.org/docs/stable/generated/torch.isfinite.html",),
    ),
)


def check(view: View) -> Iterator[Report]:
    """Nothing in code: a file shows it (`ckpt_lint.artifact.judge`)."""
    yield from ()
