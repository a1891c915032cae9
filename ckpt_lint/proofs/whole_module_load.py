"""A program that expects a whole module from a file fails as soon as the default or the class has changed."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from ckpt_lint.proofs.stage import Seen, Stage

CODE = "CKP307"
BAD = """\
import torch

model = torch.load("model.pt", map_location="cpu")
model.eval()
"""

GOOD = """\
import torch

model = torch.nn.Sequential(torch.nn.Linear(4, 2))
model.load_state_dict(torch.load("weights.pt", map_location="cpu", weights_only=True))
model.eval()
"""

WRITER = """\
import torch


class Net(torch.nn.Sequential):
    pass


model = Net(torch.nn.Linear(4, 2))
torch.save(model, "model.pt")
torch.save(model.state_dict(), "weights.pt")
"""


def observe(program: str, stage: Stage) -> Seen:
    """Load what another program wrote, whose class is not here."""
    written = stage.run(WRITER).names["model"]
    ran = stage.run(program, expect=(pickle.UnpicklingError, AttributeError, ModuleNotFoundError))
    return stage.seen(
        ran.said or "the weights come back into a model that this program builds",
        hazard=ran.error is not None,
        right=ran.error is None and torch.equal(ran.names["model"][0].weight, written[0].weight),
    )
