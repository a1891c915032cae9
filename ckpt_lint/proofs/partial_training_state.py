"""The optimizer's state was saved, the weights were not: there is nothing to resume."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from ckpt_lint.proofs.stage import Seen, Stage

CODE = "CKP505"
BAD = """\
import torch

model = torch.nn.Linear(4, 2)
optimizer = torch.optim.Adam(model.parameters())
model(torch.ones(1, 4)).sum().backward()
optimizer.step()
torch.save({"optimizer": optimizer.state_dict(), "epoch": 3}, "last.pt")
"""

GOOD = """\
import torch

model = torch.nn.Linear(4, 2)
optimizer = torch.optim.Adam(model.parameters())
model(torch.ones(1, 4)).sum().backward()
optimizer.step()
torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 3}, "last.pt")
"""


def observe(program: str, stage: Stage) -> Seen:
    """Resume in a fresh process' place: a new model, a new optimizer, and what the file holds."""
    trained = stage.run(program).names["model"]
    checkpoint = torch.load("last.pt", map_location="cpu", weights_only=True)
    model = torch.nn.Linear(4, 2)
    optimizer = torch.optim.Adam(model.parameters())
    optimizer.load_state_dict(checkpoint["optimizer"])
    error = stage.call(lambda: model.load_state_dict(checkpoint["model"]), expect=(KeyError,))[1]
    back = torch.equal(model.weight, trained.weight)
    return stage.seen(
        "weights and optimizer are back" if back else f"the optimizer is back, the weights are not: {stage.line(error)}",
        hazard=error is not None and not back,
        right=back,
        figures={"weights are back": back},
    )
