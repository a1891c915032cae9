"""A dict of model and epoch is saved, and the whole dict is given to the model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from ckpt_lint.proofs.stage import Seen, Stage

CODE = "CKP418"
BAD = """\
import torch

saved = torch.nn.Linear(4, 2)
torch.save({"model": saved.state_dict(), "epoch": 3}, "last.pt")

model = torch.nn.Linear(4, 2)
checkpoint = torch.load("last.pt", map_location="cpu", weights_only=True)
model.load_state_dict(checkpoint)
"""

GOOD = """\
import torch

saved = torch.nn.Linear(4, 2)
torch.save({"model": saved.state_dict(), "epoch": 3}, "last.pt")

model = torch.nn.Linear(4, 2)
checkpoint = torch.load("last.pt", map_location="cpu", weights_only=True)
model.load_state_dict(checkpoint["model"])
"""


def observe(program: str, stage: Stage) -> Seen:
    """Save and restore; with strict=False the same call restores nothing and says nothing."""
    ran = stage.run(program, expect=(RuntimeError,))
    whole = torch.load("last.pt", map_location="cpu", weights_only=True)
    silent = torch.nn.Linear(4, 2).load_state_dict(whole, strict=False)
    return stage.seen(
        ran.said or "the weights come back",
        hazard="Missing key(s)" in ran.said,
        right=ran.error is None and torch.equal(ran.names["model"].weight, ran.names["saved"].weight),
        figures={"tensors that strict=False would leave out": len(silent.missing_keys)},
    )
