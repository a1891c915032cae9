"""A checkpoint remembers its device: without map_location it does not load where that device is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from ckpt_lint.proofs.stage import Seen, Stage

CODE = "CKP301"
STAND_INS = ("the checkpoint is written with the tag cuda:0 by a patched location_tag",)

BAD = """\
import torch

model = torch.nn.Linear(4, 2)
model.load_state_dict(torch.load("weights.pt", weights_only=True))
"""


def observe(program: str, stage: Stage) -> Seen:
    """Restore on a host without a GPU what was saved on one."""
    saved = torch.nn.Linear(4, 2)
    with stage.tagged("cuda:0"):
        torch.save(saved.state_dict(), "weights.pt")
    ran = stage.run(program, expect=(RuntimeError,))
    return stage.seen(
        ran.said or "the weights come back on the CPU",
        hazard="CUDA" in ran.said,
        right=ran.error is None and torch.equal(ran.names["model"].weight, saved.weight),
    )
