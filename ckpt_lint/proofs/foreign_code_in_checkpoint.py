"""An object in a checkpoint says what to call when it is unpickled: loading the file runs that."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from ckpt_lint.proofs.stage import Seen, Stage

CODE = "CKP501"
BAD = """\
import os

import torch


class Notes:
    def __reduce__(self):
        return os.mkdir, ("canary",)


model = torch.nn.Linear(4, 2)
torch.save({"model": model.state_dict(), "notes": Notes()}, "model.pt")
"""

GOOD = """\
import torch

model = torch.nn.Linear(4, 2)
torch.save({"model": model.state_dict(), "notes": "first run"}, "model.pt")
"""


def observe(program: str, stage: Stage) -> Seen:
    """Load the file as torch did before 2.6, and as it does since."""
    model = stage.run(program).names["model"]
    whole = stage.call(lambda: torch.load("model.pt", map_location="cpu", weights_only=False))[0]
    ran = stage.canary_sang()
    state, error = stage.call(
        lambda: torch.load("model.pt", map_location="cpu", weights_only=True), expect=(pickle.UnpicklingError,)
    )
    return stage.seen(
        f"a load without weights_only ran os.mkdir; with it: {stage.line(error)}" if ran else "no code ran",
        hazard=ran,
        right=not ran and error is None and torch.equal(whole["model"]["weight"], model.weight),
        figures={"code in the file ran": ran, "weights_only=True takes it": state is not None},
    )
