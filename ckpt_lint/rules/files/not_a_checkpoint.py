"""CKP503."""

from __future__ import annotations

from collections.abc import Iterator

from ckpt_lint.facts.view import Report, View
from ckpt_lint.model import Page, RuleInfo, Severity

RULE = RuleInfo(
    code="CKP503",
    name="not-a-checkpoint",
    severity=Severity.ERROR,
    on=True,
    artifact=True,
    page=Page(
        summary="A file that is named or suffixed as a checkpoint is something else.",
        why=(
            "A git-lfs pointer that was never pulled, the error page of a server, an empty file of a full disk: "
            "torch answers with `invalid load key, 'v'` or `Unsupported operand 118`, and its advice to try "
            "`weights_only=False` helps no one. The message says what the file is and what to do, such as to run "
            "`git lfs pull`."
        ),
        bad="""\
model.pt
  version https://git-lfs.github.com/spec/v1
  oid sha256:...
""",
        good="""\
model.pt
  what torch.save wrote, after `git lfs pull`
""",
        silent=(
            "safetensors files, folders of torch.distributed.checkpoint, TorchScript and pt2 archives, and torch's "
            "legacy formats",
        ),
        sources=("https://git-lfs.com",),
    ),
)


def check(view: View) -> Iterator[Report]:
    """Nothing in code: a file shows it (`ckpt_lint.artifact.judge`)."""
    yield from ()
