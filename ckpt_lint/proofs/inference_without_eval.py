"""Without eval(), dropout and batch norm go on training: the same input gives another answer every time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from ckpt_lint.proofs.stage import Seen, Stage

CODE = "CKP405"
BAD = """\
import torch

model = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.BatchNorm1d(4), torch.nn.Dropout(0.5))
model.load_state_dict(torch.load("weights.pt", map_location="cpu", weights_only=True))
with torch.no_grad():
    first = model(torch.arange(32.0).reshape(8, 4))
    second = model(torch.arange(32.0).reshape(8, 4))
"""


def observe(program: str, stage: Stage) -> Seen:
    """Run the restored model twice on one input, and look at its running statistics."""
    saved = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.BatchNorm1d(4), torch.nn.Dropout(0.5))
    saved(torch.randn(8, 4))
    torch.save(saved.state_dict(), "weights.pt")
    with torch.no_grad():
        wanted = saved.eval()(torch.arange(32.0).reshape(8, 4))
    names = stage.run(program).names
    apart = (names["first"] - names["second"]).abs().max().item()
    moved = not torch.equal(names["model"][1].running_mean, saved.state_dict()["1.running_mean"])
    return stage.seen(
        f"two runs on one input differ by {apart:.3g}; running statistics {'changed' if moved else 'unchanged'}",
        hazard=apart > 0.1 and moved,
        right=torch.equal(names["first"], wanted) and torch.equal(names["second"], wanted) and not moved,
        figures={"largest difference of two runs": apart, "running statistics changed": moved},
    )
