"""Weights dumped by pickle: torch.load refuses them, so they can be read only by what also runs code."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from ckpt_lint.proofs.stage import Seen, Stage

CODE = "CKP109"
BAD = """\
import pickle

import torch

model = torch.nn.Linear(4, 2)
with open("weights.bin", "wb") as file:
    pickle.dump(model.state_dict(), file)
"""

GOOD = """\
import torch

model = torch.nn.Linear(4, 2)
with open("weights.bin", "wb") as file:
    torch.save(model.state_dict(), file)
"""


def observe(program: str, stage: Stage) -> Seen:
    """Read the file safely."""
    model = stage.run(program).names["model"]
    state, error = stage.call(
        lambda: torch.load("weights.bin", map_location="cpu", weights_only=True), expect=(pickle.UnpicklingError,)
    )
    return stage.seen(
        f"torch.load: {stage.line(error)}" if error else "torch.load reads the weights",
        hazard=error is not None,
        right=state is not None and torch.equal(state["weight"], model.weight),
        figures={"zip archive": Path("weights.bin").read_bytes()[:2] == b"PK"},
    )
