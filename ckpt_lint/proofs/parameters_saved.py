"""A list of parameters has no names and no buffers: no model restores from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from ckpt_lint.proofs.stage import Seen, Stage

CODE = "CKP111"
BAD = """\
import torch

model = torch.nn.Sequential(torch.nn.Linear(4, 2), torch.nn.BatchNorm1d(2))
model(torch.randn(8, 4))
torch.save(list(model.parameters()), "weights.pt")
"""


def observe(program: str, stage: Stage) -> Seen:
    """Restore from the file."""
    model = stage.run(program).names["model"]
    saved = torch.load("weights.pt", map_location="cpu", weights_only=True)
    other = torch.nn.Sequential(torch.nn.Linear(4, 2), torch.nn.BatchNorm1d(2))
    error = stage.call(other.load_state_dict, saved, expect=(TypeError,))[1]
    same = all(torch.equal(value, other.state_dict()[key]) for key, value in model.state_dict().items())
    return stage.seen(
        f"{stage.line(error)}; {len(saved)} of {len(model.state_dict())} tensors are in the file"
        if error
        else "weights and running statistics come back",
        hazard=error is not None and len(saved) < len(model.state_dict()),
        right=error is None and same,
        figures={"tensors in the file": len(saved), "tensors of the model": len(model.state_dict())},
    )
