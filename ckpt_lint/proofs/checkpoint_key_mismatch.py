"""The resume path reads a key that the save does not write: this comes out when the run has to be resumed."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ckpt_lint.proofs.stage import Seen, Stage

CODE = "CKP409"
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
        optimizer.load_state_dict(checkpoint["optimzer"])
        start = checkpoint["epoch"] + 1
    losses = []
    for epoch in range(start, epochs):
        loss = torch.nn.functional.mse_loss(model(inputs), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": epoch}, "last.pt")
    return losses
"""


def observe(program: str, stage: Stage) -> Seen:
    """Stop and resume."""
    train = stage.run(program).names["train"]
    whole = stage.call(train, 12)[0]
    first = stage.call(train, 6)[0]
    rest, error = stage.call(train, 12, "last.pt", expect=(KeyError,))
    return stage.seen(
        f"the resume raises {stage.line(error)}" if error else "the resumed run equals an uninterrupted one",
        hazard=error is not None,
        right=error is None and [*first, *rest] == whole,
    )
