"""Optimizer state goes where the parameters are when it is restored; when they move later, step() raises."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from ckpt_lint.proofs.stage import Seen, Stage

CODE = "CKP407"
STAND_INS = ("a dtype stands in for a device: Module.to moves parameters to either in the same way",)

BAD = """\
import torch
from settings import device

model = torch.nn.Linear(4, 1)
optimizer = torch.optim.Adam(model.parameters())
checkpoint = torch.load("last.pt", map_location="cpu", weights_only=True)
model.load_state_dict(checkpoint["model"])
optimizer.load_state_dict(checkpoint["optimizer"])
model.to(device)
model(torch.ones(2, 4).to(device)).sum().backward()
optimizer.step()
"""

GOOD = """\
import torch
from settings import device

model = torch.nn.Linear(4, 1)
model.to(device)
optimizer = torch.optim.Adam(model.parameters())
checkpoint = torch.load("last.pt", map_location="cpu", weights_only=True)
model.load_state_dict(checkpoint["model"])
optimizer.load_state_dict(checkpoint["optimizer"])
model(torch.ones(2, 4).to(device)).sum().backward()
optimizer.step()
"""


def observe(program: str, stage: Stage) -> Seen:
    """Resume onto the stand-in device for one step."""
    model = torch.nn.Linear(4, 1)
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.ones(2, 4)).sum().backward()
    optimizer.step()
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, "last.pt")
    ran = stage.run(program, settings={"device": torch.float64}, expect=(RuntimeError,))
    state = ran.names["optimizer"].state[ran.names["model"].weight]
    return stage.seen(
        f"step(): {ran.said}" if ran.error else "step() goes on from the restored state",
        hazard="dtype" in ran.said and state["exp_avg"].dtype == torch.float32,
        right=ran.error is None and state["exp_avg"].dtype == torch.float64 and int(state["step"]) == 2,
        figures={"state": str(state["exp_avg"].dtype), "parameters": str(ran.names["model"].weight.dtype)},
    )
