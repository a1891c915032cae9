"""To restore a model, its whole training checkpoint is read into memory; mapped, only what is used is read."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from ckpt_lint.proofs.stage import Seen, Stage

CODE = "CKP309"
NEEDS = {"torch": "2.1", "system": "linux"}

BAD = """\
import torch

model = torch.nn.Linear(4, 2)
checkpoint = torch.load("last.pt", map_location="cpu", weights_only=True)
model.load_state_dict(checkpoint["model"])
"""


def anonymous_memory() -> int:
    """The bytes of this process that are backed by no file."""
    found = re.search(r"RssAnon:\s+(\d+) kB", Path("/proc/self/status").read_text())
    if found is None:
        raise OSError("this kernel does not tell anonymous memory")
    return int(found[1]) * 1024


def observe(program: str, stage: Stage) -> Seen:
    """Measure the memory that a checkpoint of 64 MB takes."""
    saved = torch.nn.Linear(4, 2)
    torch.save({"model": saved.state_dict(), "optimizer": torch.ones(16 * 2**20)}, "last.pt")
    before = anonymous_memory()
    names = stage.run(program).names
    taken, size = anonymous_memory() - before, stage.size("last.pt")
    return stage.seen(
        f"{taken / 2**20:.0f} MiB of memory for a small model out of a file of {size / 2**20:.0f} MiB",
        hazard=taken > 0.9 * size,
        right=taken < 0.1 * size and torch.equal(names["model"].weight, saved.weight),
        figures={"MiB of memory": round(taken / 2**20), "MiB of the file": round(size / 2**20)},
    )
