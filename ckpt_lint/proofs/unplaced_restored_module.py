"""A model restored on the CPU stays there: the first batch on another device stops the program."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from ckpt_lint.proofs.stage import Seen, Stage

CODE = "CKP406"
STAND_INS = ("the meta device stands in for a GPU",)

BAD = """\
import torch
from settings import device

model = torch.nn.Linear(4, 2)
model.load_state_dict(torch.load("weights.pt", map_location="cpu", weights_only=True))
model.eval()
output = model(torch.ones(1, 4).to(device))
"""

GOOD = """\
import torch
from settings import device

model = torch.nn.Linear(4, 2)
model.load_state_dict(torch.load("weights.pt", map_location="cpu", weights_only=True))
model.to(device)
model.eval()
output = model(torch.ones(1, 4).to(device))
"""


def observe(program: str, stage: Stage) -> Seen:
    """Restore, and run a batch on the stand-in device."""
    torch.save(torch.nn.Linear(4, 2).state_dict(), "weights.pt")
    ran = stage.run(program, settings={"device": torch.device("meta")}, expect=(RuntimeError,))
    return stage.seen(
        ran.said or "the batch runs on the device",
        hazard="device" in ran.said,
        right=ran.error is None and ran.names["output"].device.type == "meta",
    )
