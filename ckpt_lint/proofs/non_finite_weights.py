"""Training diverged, and the save went on as if nothing had happened: the file loads, and the model gives NaN."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from ckpt_lint.proofs.stage import Seen, Stage

CODE = "CKP504"
BAD = """\
import torch

torch.manual_seed(0)
model = torch.nn.Linear(4, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=1e20)
for _ in range(20):
    optimizer.zero_grad()
    model(torch.ones(8, 4)).square().mean().backward()
    optimizer.step()
torch.save(model.state_dict(), "model.pt")
"""

GOOD = """\
import torch

torch.manual_seed(0)
model = torch.nn.Linear(4, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=1e20)
torch.save(model.state_dict(), "model.pt")
for _ in range(20):
    optimizer.zero_grad()
    model(torch.ones(8, 4)).square().mean().backward()
    optimizer.step()
    if not all(parameter.isfinite().all() for parameter in model.parameters()):
        break
    torch.save(model.state_dict(), "model.pt")
"""


def observe(program: str, stage: Stage) -> Seen:
    """Restore a model from the file and use it."""
    stage.run(program)
    state = torch.load("model.pt", map_location="cpu", weights_only=True)
    bad = sum(int((~value.isfinite()).sum()) for value in state.values())
    model = torch.nn.Linear(4, 1)
    model.load_state_dict(state)
    with torch.no_grad():
        value = float(model(torch.zeros(1, 4)))
    return stage.seen(
        f"the file loads without a word, and the restored model answers {'nan' if value != value else 'a number'}",
        hazard=bad > 0,
        right=bad == 0 and value == value,
        figures={"numbers that are not finite": bad},
    )
