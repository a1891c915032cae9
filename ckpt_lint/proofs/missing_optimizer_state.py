"""Resumed without the optimizer's state, training forgets its momentum and leaves the course of the first run."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ckpt_lint.proofs.stage import Seen, Stage

CODE = "CKP201"
BAD = """\
import torch


def train(epochs, resume=None):
    torch.manual_seed(0)
    inputs, targets = torch.randn(64, 8), torch.randn(64, 1)
    model = torch.nn.Linear(8, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    start = 0
    if resume is not None:
        checkpoint = torch.load(resume, map_location="cpu", weights_only=True)
        model.load_state_dict(checkpoint["model"])
        if "optimizer" in checkpoint:
            optimizer.load_state_dict(checkpoint["optimizer"])
        start = checkpoint["epoch"] + 1
    losses = []
    for epoch in range(start, epochs):
        loss = torch.nn.functional.mse_loss(model(inputs), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        torch.save({"model": model.state_dict(), "epoch": epoch}, "last.pt")
    return losses
"""


def observe(program: str, stage: Stage) -> Seen:
    """Stop and resume, and compare the losses with those of a run that was left alone."""
    return stage.judge_resume(program)
