"""Weights saved as they lie on a GPU can be read only where there is one, unless every reader knows better."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from ckpt_lint.proofs.stage import Seen, Stage

CODE = "CKP107"
STAND_INS = ("Module.to is patched: the storages of a moved module are written with the tag cuda:0",)

BAD = """\
import torch
from settings import device

model = torch.nn.Linear(4, 2).to(device)
torch.save(model.state_dict(), "weights.pt")
"""

GOOD = """\
import torch
from settings import device

model = torch.nn.Linear(4, 2).to(device)
torch.save({key: value.to("cpu", copy=True) for key, value in model.state_dict().items()}, "weights.pt")
"""


def observe(program: str, stage: Stage) -> Seen:
    """Save from the stand-in device, and read on a host that has no GPU."""
    moved: set[int] = set()
    real = torch.nn.Module.to

    def to(module: torch.nn.Module, *_: object) -> torch.nn.Module:
        moved.update(value.untyped_storage().data_ptr() for value in module.state_dict().values())
        return module

    torch.nn.Module.to = to  # type: ignore[assignment, method-assign]
    try:
        with stage.tagged("cuda:0", only=moved):
            model = stage.run(program, settings={"device": "cuda:0"}).names["model"]
    finally:
        torch.nn.Module.to = real  # type: ignore[method-assign]
    state, error = stage.call(lambda: torch.load("weights.pt", weights_only=True), expect=(RuntimeError,))
    return stage.seen(
        stage.line(error) if error else "a host without a GPU reads the weights",
        hazard=error is not None and "CUDA" in str(error),
        right=state is not None and torch.equal(state["weight"], model.weight),
    )
