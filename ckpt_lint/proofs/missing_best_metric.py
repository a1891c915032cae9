"""A resumed run does not know the best loss: its first evaluation overwrites the best file with worse weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from ckpt_lint.proofs.stage import Seen, Stage

CODE = "CKP210"
STAND_INS = ("the line that takes best_loss over from the checkpoint is the proof's: no fix can write it",)

BAD = """\
import torch

inputs, targets = torch.ones(64, 8), torch.zeros(64, 1)


def evaluate(model):
    with torch.no_grad():
        return torch.nn.functional.mse_loss(model(inputs), targets).item()


def train(epochs, lr, resume=None):
    torch.manual_seed(0)
    model = torch.nn.Linear(8, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    start, best_loss = 0, float("inf")
    if resume is not None:
        checkpoint = torch.load(resume, map_location="cpu", weights_only=True)
        model.load_state_dict(checkpoint["model"])
        optimizer.load_state_dict(checkpoint["optimizer"])
        start = checkpoint["epoch"] + 1
    for epoch in range(start, epochs):
        loss = torch.nn.functional.mse_loss(model(inputs), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        val_loss = evaluate(model)
        if val_loss < best_loss:
            best_loss = val_loss
            torch.save(model.state_dict(), "best.pt")
        torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": epoch}, "last.pt")
"""
TAKE_OVER = """\
        start = checkpoint["epoch"] + 1
        best_loss = checkpoint.get("best_loss", best_loss)
"""


def observe(program: str, stage: Stage) -> Seen:
    """Train, let the weights get worse, resume for one epoch, and evaluate the best file before and after."""
    names = stage.run(program.replace('        start = checkpoint["epoch"] + 1\n', TAKE_OVER)).names

    def loss_on_disk() -> float:
        model = torch.nn.Linear(8, 1)
        model.load_state_dict(torch.load("best.pt", map_location="cpu", weights_only=True))
        return float(names["evaluate"](model))

    stage.call(names["train"], 4, 0.05)
    before = loss_on_disk()
    checkpoint = torch.load("last.pt", map_location="cpu", weights_only=True)
    checkpoint["model"] = {key: value + 1.0 for key, value in checkpoint["model"].items()}
    torch.save(checkpoint, "last.pt")
    stage.call(names["train"], 5, 0.05, "last.pt")
    after = loss_on_disk()
    return stage.seen(
        f"the loss of best.pt goes from {before:.3g} to {after:.3g} in the first epoch after the resume",
        hazard=after > before,
        right=after == before,
        figures={"loss of best.pt before": before, "loss of best.pt after": after},
    )
