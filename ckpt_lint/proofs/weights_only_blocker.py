"""One Namespace among the weights, and the whole checkpoint no longer loads with weights_only=True."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from ckpt_lint.proofs.stage import Seen, Stage

CODE = "CKP110"
BAD = """\
import argparse

import torch

parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, default=0.1)
args = parser.parse_args([])
model = torch.nn.Linear(4, 2)
torch.save({"model": model.state_dict(), "args": args}, "model.pt")
"""


def observe(program: str, stage: Stage) -> Seen:
    """Read the checkpoint safely."""
    names = stage.run(program).names
    checkpoint, error = stage.call(
        lambda: torch.load("model.pt", map_location="cpu", weights_only=True), expect=(pickle.UnpicklingError,)
    )
    right = checkpoint is not None and torch.equal(checkpoint["model"]["weight"], names["model"].weight)
    return stage.seen(
        stage.line(error) if error else f"loads; args is {checkpoint['args']}",
        hazard=error is not None and "Namespace" in str(error),
        right=right and checkpoint["args"] == {"lr": 0.1},
    )
