"""The averaged weights are not in the checkpoint: after a resume the average starts anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ckpt_lint.proofs.stage import Seen, Stage

CODE = "CKP207"
BAD = """\
import torch


def train(epochs, resume=None):
    torch.manual_seed(0)
    inputs, targets = torch.randn(64, 8), torch.randn(64, 1)
    model = torch.nn.Linear(8, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    ema = torch.optim.swa_utils.AveragedModel(model)
    start = 0
    if resume is not None:
        checkpoint = torch.load(resume, map_location="cpu", weights_only=True)
        model.load_state_dict(checkpoint["model"])
        optimizer.load_state_dict(checkpoint["optimizer"])
        if "ema" in checkpoint:
            ema.load_state_dict(checkpoint["ema"])
        start = checkpoint["epoch"] + 1
    losses = []
    for epoch in range(start, epochs):
        loss = torch.nn.functional.mse_loss(model(inputs), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        ema.update_parameters(model)
        with torch.no_grad():
            losses.append(torch.nn.functional.mse_loss(ema(inputs), targets).item())
        torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": epoch}, "last.pt")
    return losses
"""


def observe(program: str, stage: Stage) -> Seen:
    """Stop and resume, and compare the losses of the averaged model with those of a run that was left alone."""
    return stage.judge_resume(program, what="loss of the averaged model")
