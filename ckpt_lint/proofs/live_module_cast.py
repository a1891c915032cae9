"""`model.half()` converts the model itself: after the save, training goes on in half precision, or stops."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from ckpt_lint.proofs.stage import Seen, Stage

CODE = "CKP116"
BAD = """\
import torch

model = torch.nn.Linear(8, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for epoch in range(3):
    loss = model(torch.ones(4, 8)).pow(2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    torch.save(model.half().state_dict(), f"weights_{epoch}.pt")
"""

GOOD = """\
import copy

import torch

model = torch.nn.Linear(8, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for epoch in range(3):
    loss = model(torch.ones(4, 8)).pow(2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    torch.save(copy.deepcopy(model).half().state_dict(), f"weights_{epoch}.pt")
"""


def observe(program: str, stage: Stage) -> Seen:
    """Train for three epochs with a save in half precision after each."""
    ran = stage.run(program, expect=(RuntimeError,))
    model, epoch = ran.names["model"], ran.names["epoch"]
    saved = torch.load("weights_0.pt", map_location="cpu", weights_only=True)
    return stage.seen(
        f"epoch {epoch}: {ran.said}" if ran.error else "three epochs trained in full precision",
        hazard="dtype" in ran.said and model.weight.dtype == torch.float16,
        right=ran.error is None and model.weight.dtype == torch.float32 and saved["weight"].dtype == torch.float16,
        figures={"dtype of the model": str(model.weight.dtype)},
    )
