"""`assign=True` puts new parameters into the model: an optimizer built before goes on with the old ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from ckpt_lint.proofs.stage import Seen, Stage

CODE = "CKP416"
NEEDS = {"torch": "2.1"}

BAD = """\
import torch

model = torch.nn.Linear(4, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
model.load_state_dict(torch.load("weights.pt", map_location="cpu", weights_only=True), assign=True)
model(torch.ones(2, 4)).sum().backward()
optimizer.step()
"""

GOOD = """\
import torch

model = torch.nn.Linear(4, 1)
model.load_state_dict(torch.load("weights.pt", map_location="cpu", weights_only=True), assign=True)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
model(torch.ones(2, 4)).sum().backward()
optimizer.step()
"""


def observe(program: str, stage: Stage) -> Seen:
    """Restore, and take one step."""
    saved = torch.nn.Linear(4, 1)
    torch.save(saved.state_dict(), "weights.pt")
    model = stage.run(program).names["model"]
    moved = (model.weight - saved.weight).abs().max().item()
    return stage.seen(
        f"one step moves the weights by {moved:.3g}",
        hazard=moved == 0.0,
        right=abs(moved - 0.2) < 1e-6,
        figures={"largest change of a weight": moved},
    )
