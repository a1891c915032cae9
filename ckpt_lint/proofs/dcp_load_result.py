"""`dcp.load` fills the tensors it is given and returns None."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from ckpt_lint.proofs.stage import Seen, Stage

CODE = "CKP417"
NEEDS = {"torch": "2.3"}

BAD = """\
import torch
import torch.distributed.checkpoint as dcp

model = torch.nn.Linear(4, 2)
state = dcp.load({"model": model.state_dict()}, checkpoint_id="checkpoint")
model.load_state_dict(state["model"])
"""

GOOD = """\
import torch
import torch.distributed.checkpoint as dcp

model = torch.nn.Linear(4, 2)
state = {"model": model.state_dict()}
dcp.load(state, checkpoint_id="checkpoint")
model.load_state_dict(state["model"])
"""


def observe(program: str, stage: Stage) -> Seen:
    """Restore from a directory that dcp.save wrote in a single process."""
    from torch.distributed import checkpoint

    saved = torch.nn.Linear(4, 2)
    checkpoint.save(  # type: ignore[attr-defined]
        {"model": saved.state_dict()}, checkpoint_id="checkpoint"
    )
    ran = stage.run(program, expect=(TypeError,))
    return stage.seen(
        ran.said or "the weights come back",
        hazard="NoneType" in ran.said,
        right=ran.error is None and torch.equal(ran.names["model"].weight, saved.weight),
    )
