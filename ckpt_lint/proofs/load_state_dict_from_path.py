"""`load_state_dict` takes a state dict, not the path of one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from ckpt_lint.proofs.stage import Seen, Stage

CODE = "CKP402"
BAD = """\
import torch

model = torch.nn.Linear(4, 2)
model.load_state_dict("weights.pt")
"""


def observe(program: str, stage: Stage) -> Seen:
    """Restore."""
    saved = torch.nn.Linear(4, 2)
    torch.save(saved.state_dict(), "weights.pt")
    ran = stage.run(program, expect=(TypeError,))
    return stage.seen(
        ran.said or "the model has the weights of the file",
        hazard="dict-like" in ran.said,
        right=ran.error is None and torch.equal(ran.names["model"].weight, saved.weight),
    )
