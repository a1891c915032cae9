"""When the safe load fails, the unsafe one is tried: whoever wants code to run makes the first load fail."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ckpt_lint.proofs.stage import Seen, Stage

CODE = "CKP312"
BAD = """\
import torch


def restore(path):
    model = torch.nn.Linear(4, 2)
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception:
        state = torch.load(path, map_location="cpu", weights_only=False)
    model.load_state_dict(state)
    return model
"""

GOOD = """\
import torch


def restore(path):
    model = torch.nn.Linear(4, 2)
    model.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    return model
"""


def observe(program: str, stage: Stage) -> Seen:
    """Restore honest and poisoned weights."""
    return stage.judge_unpickling(stage.run(program).names["restore"])
