"""Resumed without the GradScaler's state, the loss scale starts again at its first value, and steps are skipped."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ckpt_lint.proofs.stage import Seen, Stage

CODE = "CKP203"
NEEDS = {"torch": "2.3"}
STAND_INS = ("float16 autocast and a GradScaler on the CPU",)

BAD = """\
import torch


def train(epochs, resume=None):
    torch.manual_seed(0)
    inputs, targets = torch.randn(64, 8) * 8, torch.randn(64, 1)
    model = torch.nn.Linear(8, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.001)
    scaler = torch.amp.GradScaler("cpu")
    start = 0
    if resume is not None:
        checkpoint = torch.load(resume, map_location="cpu", weights_only=True)
        model.load_state_dict(checkpoint["model"])
        optimizer.load_state_dict(checkpoint["optimizer"])
        if "scaler" in checkpoint:
            scaler.load_state_dict(checkpoint["scaler"])
        start = checkpoint["epoch"] + 1
    scales = []
    for epoch in range(start, epochs):
        with torch.autocast("cpu", dtype=torch.float16):
            loss = torch.nn.functional.mse_loss(model(inputs).float(), targets)
        optimizer.zero_grad()
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        scales.append(scaler.get_scale())
        torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": epoch}, "last.pt")
    return scales
"""


def observe(program: str, stage: Stage) -> Seen:
    """Stop and resume; the scale is halved wherever a step is skipped."""
    seen = stage.judge_resume(program, what="loss scale", epochs=24, stop=16)
    after = seen.series["resumed"][15:]
    # The scale starts at 65536 again and is halved at once, which shows as one rise; then it falls.
    skipped = sum(after[i] != after[i + 1] for i in range(1, len(after) - 1)) + (after[1] > after[0])
    return stage.seen(
        f"{seen.saw}; {skipped} steps skipped after the resume",
        hazard=seen.hazard and skipped > 0,
        right=seen.right,
        figures={**seen.figures, "steps skipped after the resume": skipped},
        series=seen.series,
    )
