"""`map_location="cuda:0"` fails on every host without that GPU, even for weights that were saved on a CPU."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from ckpt_lint.proofs.stage import Seen, Stage

CODE = "CKP306"
BAD = """\
import torch

model = torch.nn.Linear(4, 2)
model.load_state_dict(torch.load("weights.pt", map_location="cuda:0", weights_only=True))
"""


def observe(program: str, stage: Stage) -> Seen:
    """Restore on a host without a GPU."""
    saved = torch.nn.Linear(4, 2)
    torch.save(saved.state_dict(), "weights.pt")
    ran = stage.run(program, expect=(RuntimeError,))
    return stage.seen(
        ran.said or "the weights come back on the CPU",
        hazard="CUDA" in ran.said,
        right=ran.error is None and torch.equal(ran.names["model"].weight, saved.weight),
    )
