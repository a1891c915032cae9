"""The keys of a wrapped model carry `module.`: the plain model of whoever reads the file does not have them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from ckpt_lint.proofs.stage import Seen, Stage

CODE = "CKP103"
BAD = """\
import torch

model = torch.nn.DataParallel(torch.nn.Linear(4, 2))
torch.save(model.state_dict(), "weights.pt")
"""


def observe(program: str, stage: Stage) -> Seen:
    """Restore into the plain model, strictly and not."""
    model = stage.run(program).names["model"]
    state = torch.load("weights.pt", map_location="cpu", weights_only=True)
    plain = torch.nn.Linear(4, 2)
    error = stage.call(plain.load_state_dict, state, expect=(RuntimeError,))[1]
    missing = len(torch.nn.Linear(4, 2).load_state_dict(state, strict=False).missing_keys)
    return stage.seen(
        stage.line(error) if error else "the plain model restores the weights",
        hazard=error is not None and "Missing key(s)" in str(error),
        right=error is None and torch.equal(plain.weight, model.module.weight),
        figures={"first key": min(state), "keys that strict=False leaves out": missing},
    )
