"""Optimizer state in an exported file: two thirds of its bytes are of no use to whoever runs the model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from ckpt_lint.proofs.stage import Seen, Stage

CODE = "CKP211"
BAD = """\
import torch

model = torch.nn.Linear(256, 256)
optimizer = torch.optim.Adam(model.parameters())
model(torch.ones(1, 256)).sum().backward()
optimizer.step()
torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, "model_final.pt")
"""

GOOD = """\
import torch

model = torch.nn.Linear(256, 256)
optimizer = torch.optim.Adam(model.parameters())
model(torch.ones(1, 256)).sum().backward()
optimizer.step()
torch.save({"model": model.state_dict()}, "model_final.pt")
"""


def observe(program: str, stage: Stage) -> Seen:
    """Weigh the file against the weights in it."""
    model = stage.run(program).names["model"]
    saved = torch.load("model_final.pt", map_location="cpu", weights_only=True)
    needed = sum(value.numel() * value.element_size() for value in saved["model"].values())
    size = stage.size("model_final.pt")
    return stage.seen(
        f"{size:,} bytes for {needed:,} bytes of weights",
        hazard=size > 2.9 * needed,
        right=size < 1.1 * needed and torch.equal(saved["model"]["weight"], model.weight),
        figures={"bytes of the file": size, "bytes of the weights": needed, "times": round(size / needed, 2)},
    )
