"""The state of the random generator must lie on the CPU: loaded to another device, it is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from ckpt_lint.proofs.stage import Seen, Stage

CODE = "CKP419"
STAND_INS = ("the meta device stands in for a GPU",)

BAD = """\
import torch
from settings import device

checkpoint = torch.load("last.pt", map_location=device, weights_only=True)
torch.set_rng_state(checkpoint["rng"])
"""

GOOD = """\
import torch

checkpoint = torch.load("last.pt", map_location="cpu", weights_only=True)
torch.set_rng_state(checkpoint["rng"])
"""


def observe(program: str, stage: Stage) -> Seen:
    """Restore the random state, and draw the numbers that should come next."""
    torch.save({"rng": torch.get_rng_state()}, "last.pt")
    wanted = torch.rand(4)
    ran = stage.run(program, settings={"device": "meta"}, expect=(TypeError,))
    return stage.seen(
        ran.said or "the random numbers go on where they stopped",
        hazard="RNG state" in ran.said,
        right=ran.error is None and torch.equal(torch.rand(4), wanted),
    )
