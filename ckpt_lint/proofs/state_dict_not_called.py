"""`model.state_dict` without parentheses is pickled as a bound method: nobody notices before the file is needed."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from ckpt_lint.proofs.stage import Seen, Stage

CODE = "CKP102"
BAD = """\
import torch

model = torch.nn.Linear(4, 2)
torch.save(model.state_dict, "weights.pt")
"""


def observe(program: str, stage: Stage) -> Seen:
    """Restore from the file, safely and then trusting it."""
    model = stage.run(program).names["model"]
    state, refused = stage.call(lambda: torch.load("weights.pt", weights_only=True), expect=(pickle.UnpicklingError,))
    if refused is not None:
        state = torch.load("weights.pt", weights_only=False)
    other = torch.nn.Linear(4, 2)
    error = stage.call(other.load_state_dict, state, expect=(TypeError,))[1]
    return stage.seen(
        f"load: {stage.line(refused)}; load_state_dict: {stage.line(error)}" if error else "the weights come back",
        hazard=refused is not None and error is not None,
        right=error is None and torch.equal(other.weight, model.weight),
        figures={"bytes": stage.size("weights.pt")},
    )
