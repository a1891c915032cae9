"""A module saved whole can be read only by a program that has its class, and only without weights_only."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from ckpt_lint.proofs.stage import Seen, Stage

CODE = "CKP101"
BAD = """\
import torch


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(4, 2)

    def forward(self, x):
        return self.layer(x)


model = Net()
torch.save(model, "model.pt")
"""


def observe(program: str, stage: Stage) -> Seen:
    """Read the file where the class is not at hand, first safely, then trusting it."""
    model = stage.run(program).names["model"]
    state, refused = stage.call(lambda: torch.load("model.pt", weights_only=True), expect=(pickle.UnpicklingError,))
    error = None
    if refused is not None:
        error = stage.call(lambda: torch.load("model.pt", weights_only=False), expect=(ModuleNotFoundError,))[1]
    right = state is not None and all(torch.equal(state[key], value) for key, value in model.state_dict().items())
    return stage.seen(
        f"weights_only=True: {stage.line(refused)}; weights_only=False: {stage.line(error)}"
        if refused
        else "another program reads the weights",
        hazard=refused is not None and error is not None,
        right=right,
        figures={"bytes": stage.size("model.pt")},
    )
