"""A collective save that only rank 0 enters: every rank waits for the others until the group gives up."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ckpt_lint.proofs.stage import Seen, Stage

CODE = "CKP413"
NEEDS = {"torch": "2.3"}

BAD = """\
import os
from datetime import timedelta

import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp

rank = int(os.environ["RANK"])
dist.init_process_group(
    "gloo", init_method=os.environ["RENDEZVOUS"], rank=rank, world_size=2, timeout=timedelta(seconds=5)
)
model = torch.nn.Linear(4, 2)
if rank == 0:
    dcp.save({"model": model.state_dict()}, checkpoint_id="checkpoint")
dist.barrier()
print("saved")
"""

GOOD = """\
import os
from datetime import timedelta

import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp

rank = int(os.environ["RANK"])
dist.init_process_group(
    "gloo", init_method=os.environ["RENDEZVOUS"], rank=rank, world_size=2, timeout=timedelta(seconds=5)
)
model = torch.nn.Linear(4, 2)
dcp.save({"model": model.state_dict()}, checkpoint_id="checkpoint")
dist.barrier()
print("saved")
"""

MEET = """\
import os
import time

import torch.distributed.checkpoint

open("ready" + os.environ["RANK"], "w").close()
end = time.monotonic() + 50
while not (os.path.exists("ready0") and os.path.exists("ready1")) and time.monotonic() < end:
    time.sleep(0.005)
"""


def observe(program: str, stage: Stage) -> Seen:
    """Run both ranks, which start together so that the five seconds are not spent on importing torch."""
    ranks = stage.children(program, count=2, before=MEET)
    saved = ["saved" in rank.stdout for rank in ranks]
    failed = [rank.stderr for rank in ranks if rank.returncode]
    waited = any("timeout" in text.lower() or "timed out" in text.lower() for text in failed)
    complete = (stage.scratch / "checkpoint" / ".metadata").exists()
    return stage.seen(
        "both ranks saved" if all(saved) else "the ranks waited for one another until the group's timeout of 5 seconds",
        hazard=waited and not any(saved) and not complete,
        right=all(saved) and complete,
        figures={"ranks that came to the end": sum(saved), "checkpoint complete": complete},
    )
