"""Without a counter in the checkpoint, a resumed run does all of its epochs again."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ckpt_lint.proofs.stage import Seen, Stage

CODE = "CKP204"
BAD = """\
import torch


def train(epochs, resume=None):
    torch.manual_seed(0)
    inputs, targets = torch.randn(64, 8), torch.randn(64, 1)
    model = torch.nn.Linear(8, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    start = 0
    if resume is not None:
        checkpoint = torch.load(resume, map_location="cpu", weights_only=True)
        model.load_state_dict(checkpoint["model"])
        optimizer.load_state_dict(checkpoint["optimizer"])
        start = checkpoint.get("epoch", -1) + 1
    losses = []
    for epoch in range(start, epochs):
        loss = torch.nn.functional.mse_loss(model(inputs), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, "last.pt")
    return losses
"""


def observe(program: str, stage: Stage) -> Seen:
    """Stop and resume, and count the epochs that were trained."""
    whole, resumed = stage.resumed(stage.run(program).names["train"])
    return stage.seen(
        f"{len(resumed)} epochs were trained where {len(whole)} were asked for",
        hazard=len(resumed) > len(whole),
        right=resumed == whole,
        figures={"epochs asked for": len(whole), "epochs trained": len(resumed)},
        series={"uninterrupted": whole, "resumed": resumed},
    )
