"""What git leaves where git-lfs was not installed has the name of the checkpoint, and is a text of three lines."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from ckpt_lint.proofs.stage import Seen, Stage

CODE = "CKP503"
BAD = """\
import hashlib
from pathlib import Path

import torch

model = torch.nn.Linear(4, 2)
torch.save(model.state_dict(), "stored.pt")
data = Path("stored.pt").read_bytes()
pointer = ["version https://git-lfs.github.com/spec/v1", f"oid sha256:{hashlib.sha256(data).hexdigest()}"]
Path("model.pt").write_text("\\n".join([*pointer, f"size {len(data)}", ""]))
"""

GOOD = """\
from pathlib import Path

import torch

model = torch.nn.Linear(4, 2)
torch.save(model.state_dict(), "stored.pt")
data = Path("stored.pt").read_bytes()
Path("model.pt").write_bytes(data)
"""


def observe(program: str, stage: Stage) -> Seen:
    """Load the file: torch's own words do not say what it is, and point to weights_only=False."""
    model = stage.run(program).names["model"]
    state, error = stage.call(
        lambda: torch.load("model.pt", map_location="cpu", weights_only=True), expect=(pickle.UnpicklingError,)
    )
    points = "with `weights_only` set to `False` will likely succeed" in str(error)
    return stage.seen(
        stage.line(error) if error else "the file holds the weights",
        hazard=error is not None,
        right=state is not None and torch.equal(state["weight"], model.weight),
        figures={"bytes": stage.size("model.pt"), "torch points to weights_only=False": points},
    )
