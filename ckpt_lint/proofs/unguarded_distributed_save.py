"""Two ranks write one path at once: the file is a mixture of both, which loads without a word or not at all.

The two saves are interleaved by a barrier inside the file they write: rank 0 stops halfway until rank 1 has finished.
The first save has one size on both ranks, the second has two.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from ckpt_lint.proofs.stage import Seen, Stage

CODE = "CKP104"
STAND_INS = ("the file under torch.save is wrapped, so that the ranks meet in the middle of writing every time",)

BAD = """\
import os

import torch
import torch.distributed as dist

dist.init_process_group("gloo", init_method=os.environ["RENDEZVOUS"], rank=int(os.environ["RANK"]), world_size=2)
rank = dist.get_rank()
weights = {"first": torch.full((5000,), float(rank)), "second": torch.full((5000,), float(rank))}
torch.save(weights, "weights.pt")
history = {"weights": weights, "losses": [0.5] * (20 + 5000 * rank)}
torch.save(history, "history.pt")
"""

GOOD = """\
import os

import torch
import torch.distributed as dist

dist.init_process_group("gloo", init_method=os.environ["RENDEZVOUS"], rank=int(os.environ["RANK"]), world_size=2)
rank = dist.get_rank()
weights = {"first": torch.full((5000,), float(rank)), "second": torch.full((5000,), float(rank))}
history = {"weights": weights, "losses": [0.5] * (20 + 5000 * rank)}
if rank == 0:
    torch.save(weights, "weights.pt")
    torch.save(history, "history.pt")
"""

BARRIER = """\
import atexit
import io
import os
import time

import torch

real_save, here, rank = torch.save, os.getcwd(), int(os.environ["RANK"])


def mark(name):
    open(os.path.join(here, f"{name}.rank{rank}"), "w").close()


def wait(*names):
    end = time.monotonic() + 30
    while not any(os.path.exists(os.path.join(here, f"{name}.rank{1 - rank}")) for name in names):
        if time.monotonic() > end:
            raise TimeoutError(f"rank {rank} waited for {names}")
        time.sleep(0.005)


def save(obj, path):
    whole = io.BytesIO()
    real_save(obj, whole)
    content = whole.getvalue()
    with open(path, "wb", buffering=0) as file:
        mark("opened-" + path)
        wait("opened-" + path, "finished")
        half = len(content) // 2 if rank == 0 else 0
        file.write(content[:half])
        mark("half-" + path)
        wait("closed-" + path if rank == 0 else "half-" + path, "finished")
        file.write(content[half:])
    mark("closed-" + path)


torch.save = save
atexit.register(mark, "finished")
"""


def observe(program: str, stage: Stage) -> Seen:
    """Run both ranks, then read what they left."""
    ranks = stage.children(program, count=2, before=BARRIER)
    if any(rank.returncode for rank in ranks):
        raise RuntimeError(ranks[0].stderr + ranks[1].stderr)
    weights = torch.load("weights.pt", map_location="cpu", weights_only=True)
    values = {value for tensor in weights.values() for value in tensor.unique().tolist()}
    history, error = stage.call(
        lambda: torch.load("history.pt", map_location="cpu", weights_only=True), expect=(Exception,)
    )
    mixed = values == {0.0, 1.0}
    return stage.seen(
        f"one size: loads with the values of ranks {sorted(int(value) for value in values)} in one file; "
        f"two sizes: {stage.line(error) or 'loads'}",
        hazard=mixed and error is not None,
        right=values == {0.0} and history is not None and len(history["losses"]) == 20,
        figures={"bytes of the mixed file": Path("weights.pt").stat().st_size, "ranks in it": len(values)},
    )
