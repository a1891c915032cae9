"""`"cpu:0"` looks like a device and is none that a file can be loaded to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from ckpt_lint.proofs.stage import Seen, Stage

CODE = "CKP310"
BAD = """\
import torch

model = torch.nn.Linear(4, 2)
model.load_state_dict(torch.load("weights.pt", map_location="cpu:0", weights_only=True))
"""

GOOD = """\
import torch

model = torch.nn.Linear(4, 2)
model.load_state_dict(torch.load("weights.pt", map_location="cpu", weights_only=True))
"""


def observe(program: str, stage: Stage) -> Seen:
    """Restore weights that were saved on a CPU."""
    saved = torch.nn.Linear(4, 2)
    torch.save(saved.state_dict(), "weights.pt")
    ran = stage.run(program, expect=(RuntimeError,))
    return stage.seen(
        ran.said or "the weights come back",
        hazard="cpu:0" in ran.said,
        right=ran.error is None and torch.equal(ran.names["model"].weight, saved.weight),
    )
