"""CKP901."""

from __future__ import annotations

from collections.abc import Iterator

from ckpt_lint.facts.view import Report, View
from ckpt_lint.model import Applicability, Page, RuleInfo, Severity

RULE = RuleInfo(
    code="CKP901",
    name="unused-suppression",
    severity=Severity.WARNING,
    on=False,
    fix=Applicability.SAFE,
    fix_shape="comment removed",
    in_tests=True,
    page=Page(
        summary="A `noqa` comment with a code of ours silences nothing.",
        why=(
            "The hazard is gone, or the comment never stood on the right line. It makes readers look for a danger that "
            "is not there, and will silence the next one that comes to this line. A code that no rule has, or has any "
            "more, is no error elsewhere; it is reported here. As Ruff's RUF100 it is off unless you select it."
        ),
        bad="""\
import torch

state = torch.load("last.pt", map_location="cpu", weights_only=True)  # noqa: CKP302
""",
        good="""\
import torch

state = torch.load("last.pt", map_location="cpu", weights_only=True)
""",
        silent=(
            "a blanket `# noqa`, and codes of other tools, which stay when ours are taken out of a comment",
            "the code is of a rule that is off, but would speak here if it were on (Ruff takes such a code away)",
            "the comment names CKP901 itself, by its code or a prefix of it",
            "a part of the file, or a file of the project that the rules ask for, could not be read",
            "a line `# flake8: noqa` passes the file by",
        ),
        fix_safety="Only a comment changes. What else stands in it is kept.",
        sources=("https://docs.astral.sh/ruff/rules/unused-noqa/",),
    ),
)


def check(view: View) -> Iterator[Report]:
    """Nothing by itself: the engine asks once all rules have spoken (`ckpt_lint.unused`)."""
    yield from ()
