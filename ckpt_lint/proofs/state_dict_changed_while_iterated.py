"""Deleting a key from the dict under the loop ends the loop with an exception."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from ckpt_lint.proofs.stage import Seen, Stage

CODE = "CKP414"
BAD = """\
import torch

state = torch.load("weights.pt", map_location="cpu", weights_only=True)
for key in state:
    if key.startswith("head."):
        del state[key]
model = torch.nn.ModuleDict({"body": torch.nn.Linear(4, 4)})
model.load_state_dict(state)
"""


def observe(program: str, stage: Stage) -> Seen:
    """Restore a model without its head."""
    saved = torch.nn.ModuleDict({"body": torch.nn.Linear(4, 4), "head": torch.nn.Linear(4, 2)})
    torch.save(saved.state_dict(), "weights.pt")
    ran = stage.run(program, expect=(RuntimeError,))
    model = ran.names.get("model")
    return stage.seen(
        ran.said or "the head is gone, the body restored",
        hazard="during iteration" in ran.said,
        right=model is not None and torch.equal(model.state_dict()["body.weight"], saved.state_dict()["body.weight"]),
    )
