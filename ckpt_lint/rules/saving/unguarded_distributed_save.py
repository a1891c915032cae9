"""CKP104."""

from __future__ import annotations

from collections.abc import Iterator

from ckpt_lint.facts.distributed import Distributed
from ckpt_lint.facts.view import Other, Report, View
from ckpt_lint.model import Page, RuleInfo, Severity

RULE = RuleInfo(
    code="CKP104",
    name="unguarded-distributed-save",
    severity=Severity.ERROR,
    on=True,
    groups=("distributed",),
    page=Page(
        summary="All processes of a distributed run save to the same file.",
        why=(
            "Nothing raises: every process opens the path, truncates the file and writes. Of two processes that saved "
            "different weights at once, most files loaded afterwards with a silent mixture of both, the rest not at "
            "all; with equal weights and a little jitter one in twelve was mixed."
        ),
        bad="""\
import torch
import torch.distributed as dist

def main(model):
    dist.init_process_group("gloo")
    torch.save(model.state_dict(), "weights.pt")
""",
        good="""\
import torch
import torch.distributed as dist

def main(model):
    dist.init_process_group("gloo")
    if dist.get_rank() == 0:
        torch.save(model.state_dict(), "weights.pt")
""",
        silent=(
            "DataParallel alone, `Fabric(devices=1)`, the branch in which `fabric` or `accelerator` is None: one process",
            "what joins as a certain rank: a class or function with `init_process_group(..., rank=0)`",
            "a path with the rank, a process id or a temporary name in it; buffers in memory; a file for each item of "
            "a data set",
            "guards: `if rank == 0`, `rank in (-1, 0)`, `is_main_process()`, an early return, `rank_zero_only` and "
            "`master_only`, an object that exists on rank 0 only, a guard inside the save wrapper, a guard in every "
            "known caller (two deep), names in `[tool.ckpt-lint.api] rank-guards`",
            "collective saves (FSDP, `torch.distributed.checkpoint`, DeepSpeed) and `accelerator.save`, `xm.save`, "
            "which choose the process themselves",
            "a function that nothing in the project calls and that knows of no processes itself",
        ),
        sources=("https://docs.pytorch.org/tutorials/intermediate/ddp_tutorial.html#save-and-load-checkpoints",),
    ),
)


def check(view: View) -> Iterator[Report]:
    """Saves that every process makes."""
    distributed = Distributed(view.facts.values, view.facts.saves)
    for save in view.file_saves:
        found = distributed.evidence(save)
        if found is None or not distributed.every_rank_saves(save) or distributed.is_collective(save):
            continue
        module, node = found
        yield Report(
            save.call,
            "every process of the run writes this file, and files of several writers come out mixed or unreadable: "
            "save on rank 0 only (gather what is sharded before), or put the rank into the path",
            others=(Other(module, node, "several processes run this"),),
        )
