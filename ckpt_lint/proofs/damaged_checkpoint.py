"""A copy that was broken off: the file is there, and nothing in it can be loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from ckpt_lint.proofs.stage import Seen, Stage

CODE = "CKP502"
BAD = """\
from pathlib import Path

import torch

model = torch.nn.Linear(400, 200)
torch.save(model.state_dict(), "whole.pt")
data = Path("whole.pt").read_bytes()
with open("model.pt", "wb") as copy:
    copy.write(data[: len(data) // 2])
"""

GOOD = """\
from pathlib import Path

import torch

model = torch.nn.Linear(400, 200)
torch.save(model.state_dict(), "whole.pt")
data = Path("whole.pt").read_bytes()
with open("model.pt", "wb") as copy:
    copy.write(data)
"""


def observe(program: str, stage: Stage) -> Seen:
    """Load the copy."""
    model = stage.run(program).names["model"]
    state, error = stage.call(
        lambda: torch.load("model.pt", map_location="cpu", weights_only=True), expect=(RuntimeError, OSError)
    )
    return stage.seen(
        stage.line(error) if error else "the copy holds the weights",
        hazard=error is not None,
        right=state is not None and torch.equal(state["weight"], model.weight),
        figures={"bytes": stage.size("model.pt")},
    )
