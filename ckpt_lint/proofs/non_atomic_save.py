"""A process that dies while it saves over its only checkpoint leaves nothing to resume from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from ckpt_lint.proofs.stage import Seen, Stage

CODE = "CKP105"
STAND_INS = ("the process ends itself inside the second torch.save, as a kill or a power cut would",)

BAD = """\
import torch

model = torch.nn.Linear(64, 64)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
for epoch in range(2):
    checkpoint = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": epoch}
    torch.save(checkpoint, "last.pt")
"""

GOOD = """\
import os

import torch

model = torch.nn.Linear(64, 64)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
for epoch in range(2):
    checkpoint = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": epoch}
    torch.save(checkpoint, "last.pt.tmp")
    os.replace("last.pt.tmp", "last.pt")
"""

KILL = """\
import os

import torch

real_save, saves = torch.save, []


class Kill:
    def __reduce__(self):
        os._exit(9)


def save(obj, path):
    saves.append(path)
    real_save(obj if len(saves) == 1 else [obj, Kill()], path)


torch.save = save
"""


def observe(program: str, stage: Stage) -> Seen:
    """Kill the second save, then resume from what is there."""
    child = stage.children(program, before=KILL)[0]
    if child.returncode != 9:
        raise RuntimeError(f"the process was to die while it saved: {child.returncode} {child.stderr}")
    checkpoint, error = stage.call(
        lambda: torch.load("last.pt", map_location="cpu", weights_only=True), expect=(EOFError, RuntimeError)
    )
    size = stage.size("last.pt")
    return stage.seen(
        f"last.pt has {size} bytes: {stage.line(error)}" if error else "last.pt still holds the epoch before",
        hazard=error is not None,
        right=checkpoint is not None and checkpoint["epoch"] == 0,
        figures={"bytes left": size},
    )
