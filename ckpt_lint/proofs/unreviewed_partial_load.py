"""`strict=False` with keys that do not fit restores nothing, and nobody is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from ckpt_lint.proofs.stage import Seen, Stage

CODE = "CKP403"
BAD = """\
import torch

model = torch.nn.Linear(4, 2)
state = torch.load("weights.pt", map_location="cpu", weights_only=True)
model.load_state_dict(state, strict=False)
"""

GOOD = """\
import torch

model = torch.nn.Linear(4, 2)
state = torch.load("weights.pt", map_location="cpu", weights_only=True)
missing, unexpected = model.load_state_dict(state, strict=False)
if missing or unexpected:
    raise RuntimeError(f"missing: {missing}, unexpected: {unexpected}")
"""


def observe(program: str, stage: Stage) -> Seen:
    """Restore weights whose keys carry a prefix, and count what arrives."""
    saved = torch.nn.Linear(4, 2)
    torch.save({f"module.{key}": value for key, value in saved.state_dict().items()}, "weights.pt")
    ran = stage.run(program, expect=(RuntimeError,))
    state = ran.names["model"].state_dict()
    arrived = sum(torch.equal(state[key], value) for key, value in saved.state_dict().items())
    return stage.seen(
        ran.said or f"no word, and {arrived} of {len(state)} tensors restored",
        hazard=ran.error is None and arrived == 0,
        right=ran.error is not None and "missing" in ran.said,
        figures={"tensors restored": arrived, "tensors in the file": len(state)},
    )
