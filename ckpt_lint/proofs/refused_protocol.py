"""The safe loader reads pickle protocols 2 and 3: with any other the checkpoint is refused."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from ckpt_lint.proofs.stage import Seen, Stage

CODE = "CKP114"
BAD = """\
import torch

model = torch.nn.Linear(4, 2)
torch.save(model.state_dict(), "weights.pt", pickle_protocol=4)
"""


def observe(program: str, stage: Stage) -> Seen:
    """Read the file safely."""
    model = stage.run(program).names["model"]
    state, error = stage.call(
        lambda: torch.load("weights.pt", map_location="cpu", weights_only=True), expect=(pickle.UnpicklingError,)
    )
    return stage.seen(
        stage.line(error) if error else "the default load reads the weights",
        hazard=error is not None,
        right=state is not None and torch.equal(state["weight"], model.weight),
    )
