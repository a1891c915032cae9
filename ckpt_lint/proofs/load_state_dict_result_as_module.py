"""`load_state_dict` returns a list of keys, not the model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from ckpt_lint.proofs.stage import Seen, Stage

CODE = "CKP401"
BAD = """\
import torch

model = torch.nn.Linear(4, 2)
model = model.load_state_dict(torch.load("weights.pt", map_location="cpu", weights_only=True))
model.eval()
"""


def observe(program: str, stage: Stage) -> Seen:
    """Restore, and use the model."""
    saved = torch.nn.Linear(4, 2)
    torch.save(saved.state_dict(), "weights.pt")
    ran = stage.run(program, expect=(AttributeError,))
    return stage.seen(
        ran.said or "the model has the weights of the file",
        hazard="_IncompatibleKeys" in ran.said,
        right=ran.error is None and torch.equal(ran.names["model"].weight, saved.weight),
    )
