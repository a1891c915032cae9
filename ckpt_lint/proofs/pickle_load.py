"""pickle.load of a checkpoint runs whatever code the file asks for; the safe loader reads the same weights re-saved."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ckpt_lint.proofs.stage import Seen, Stage

CODE = "CKP305"
BAD = """\
import pickle

import torch


def restore(path):
    model = torch.nn.Linear(4, 2)
    with open(path, "rb") as checkpoint_file:
        state_dict = pickle.load(checkpoint_file)
    model.load_state_dict(state_dict)
    return model
"""

GOOD = """\
import torch


def restore(path):
    model = torch.nn.Linear(4, 2)
    with open(path, "rb") as checkpoint_file:
        state_dict = torch.load(checkpoint_file, map_location="cpu", weights_only=True)
    model.load_state_dict(state_dict)
    return model
"""


def observe(program: str, stage: Stage) -> Seen:
    """Restore honest weights in the format that the program reads, and a poisoned plain pickle."""
    return stage.judge_unpickling(stage.run(program).names["restore"], raw=True, honest_raw="torch.load" not in program)
