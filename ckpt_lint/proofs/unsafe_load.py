"""`weights_only=False` runs whatever code a file asks for, while the weights load as if nothing had happened."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ckpt_lint.proofs.stage import Seen, Stage

CODE = "CKP303"
BAD = """\
import torch


def restore(path):
    model = torch.nn.Linear(4, 2)
    model.load_state_dict(torch.load(path, map_location="cpu", weights_only=False))
    return model
"""


def observe(program: str, stage: Stage) -> Seen:
    """Restore honest and poisoned weights."""
    return stage.judge_unpickling(stage.run(program).names["restore"])
