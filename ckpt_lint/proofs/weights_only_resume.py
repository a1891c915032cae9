"""`--resume` with bare weights: the optimizer starts from nothing, and so does the count of epochs."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ckpt_lint.proofs.stage import Seen, Stage

CODE = "CKP209"
BAD = """\
import argparse

import torch


def main(argv):
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--resume", default="")
    args = parser.parse_args(argv)
    torch.manual_seed(0)
    inputs, targets = torch.randn(64, 8), torch.randn(64, 1)
    model = torch.nn.Linear(8, 1)
    if args.resume:
        model.load_state_dict(torch.load(args.resume, map_location="cpu", weights_only=True))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    losses = []
    for epoch in range(args.epochs):
        loss = torch.nn.functional.mse_loss(model(inputs), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        torch.save(model.state_dict(), "last.pt")
    return losses
"""

GOOD = """\
import argparse

import torch


def main(argv):
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--resume", default="")
    args = parser.parse_args(argv)
    torch.manual_seed(0)
    inputs, targets = torch.randn(64, 8), torch.randn(64, 1)
    model = torch.nn.Linear(8, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    start = 0
    if args.resume:
        checkpoint = torch.load(args.resume, map_location="cpu", weights_only=True)
        model.load_state_dict(checkpoint["model"])
        optimizer.load_state_dict(checkpoint["optimizer"])
        start = checkpoint["epoch"] + 1
    losses = []
    for epoch in range(start, start + args.epochs):
        loss = torch.nn.functional.mse_loss(model(inputs), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": epoch}, "last.pt")
    return losses
"""


def observe(program: str, stage: Stage) -> Seen:
    """Twelve epochs at once, and twice six with a resume between them."""
    main = stage.run(program).names["main"]
    whole = stage.call(main, ["--epochs", "12"])[0]
    resumed = stage.call(main, ["--epochs", "6"])[0]
    resumed = [*resumed, *stage.call(main, ["--epochs", "6", "--resume", "last.pt"])[0]]
    apart = max(abs(one - other) for one, other in zip(whole, resumed))
    return stage.seen(
        f"resumed after epoch 6, the loss differs from an uninterrupted run by up to {apart:.3g}",
        hazard=apart > 1e-4,
        right=whole == resumed,
        figures={"largest difference of loss": apart},
        series={"uninterrupted": whole, "resumed": resumed},
    )
