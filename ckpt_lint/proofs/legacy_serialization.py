"""A file in the format of before torch 1.6 cannot be mapped into memory: every reader must read all of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from ckpt_lint.proofs.stage import Seen, Stage

CODE = "CKP108"
BAD = """\
import torch

model = torch.nn.Linear(4, 2)
torch.save(model.state_dict(), "weights.pt", _use_new_zipfile_serialization=False)
"""
NEEDS = {"torch": "2.1"}


def observe(program: str, stage: Stage) -> Seen:
    """Map the file into memory."""
    model = stage.run(program).names["model"]
    state, error = stage.call(lambda: torch.load("weights.pt", weights_only=True, mmap=True), expect=(RuntimeError,))
    return stage.seen(
        f"mmap=True: {stage.line(error)}" if error else "mmap=True maps the file",
        hazard=error is not None and "mmap" in str(error),
        right=state is not None and torch.equal(state["weight"], model.weight),
    )
