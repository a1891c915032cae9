"""A restore that fails halfway has already changed some layers: catching the error goes on with a mixture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from ckpt_lint.proofs.stage import Seen, Stage

CODE = "CKP410"
BAD = """\
import torch

model = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Linear(4, 2))
before = {key: value.clone() for key, value in model.state_dict().items()}
try:
    model.load_state_dict(torch.load("weights.pt", map_location="cpu", weights_only=True))
except RuntimeError as error:
    print(f"could not load: {error}")
"""

GOOD = """\
import torch

model = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Linear(4, 2))
before = {key: value.clone() for key, value in model.state_dict().items()}
model.load_state_dict(torch.load("weights.pt", map_location="cpu", weights_only=True))
"""


def observe(program: str, stage: Stage) -> Seen:
    """Restore weights whose last layer has another size."""
    saved = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Linear(4, 3))
    torch.save(saved.state_dict(), "weights.pt")
    ran = stage.run(program, expect=(RuntimeError,))
    state = ran.names["model"].state_dict()
    overwritten = sum(not torch.equal(value, state[key]) for key, value in ran.names["before"].items())
    return stage.seen(
        ran.said or f"the program goes on with {overwritten} of {len(state)} tensors from the file, the rest at random",
        hazard=ran.error is None and 0 < overwritten < len(state),
        right=ran.error is not None and "size mismatch" in str(ran.error),
        figures={"tensors overwritten": overwritten, "tensors of the model": len(state)},
    )
