"""CKP413."""

from __future__ import annotations

from collections.abc import Iterator

from ckpt_lint.facts.collectives import Collectives
from ckpt_lint.facts.view import Other, Report, View
from ckpt_lint.model import Page, RuleInfo, Severity

RULE = RuleInfo(
    code="CKP413",
    name="collective-under-rank-guard",
    severity=Severity.ERROR,
    on=True,
    groups=("distributed",),
    page=Page(
        summary="A save or load in which every process takes part runs in one process only.",
        why=(
            "The main process waits for the others, which never come: the run hangs until the timeout of the process "
            "group. Gather on all processes; then write what was gathered in one."
        ),
        bad="""\
import torch.distributed as dist
import torch.distributed.checkpoint as dcp

def save(model, folder):
    if dist.get_rank() == 0:
        dcp.save({"model": model.state_dict()}, checkpoint_id=folder)
""",
        good="""\
import torch.distributed as dist
import torch.distributed.checkpoint as dcp

def save(model, folder):
    dcp.save({"model": model.state_dict()}, checkpoint_id=folder)
""",
        silent=(
            "what was gathered by all processes is written under the guard",
            "`accelerator.get_state_dict` without FSDP or ZeRO, `get_model_state_dict` in a file that shards nothing",
            "a helper whose constant argument switches the collective off; `no_dist=True`",
            "the other processes make the same call in the other branch",
            "a test that says that there is one process only",
        ),
        sources=("https://docs.pytorch.org/docs/stable/distributed.checkpoint.html",),
    ),
)


def check(view: View) -> Iterator[Report]:
    """Collective saves and loads that one process makes alone."""
    for found, guard in Collectives(view.facts).guarded(view.module):
        others = (Other(view.module, guard.test, "the guard"),) if guard is not None else ()
        yield Report(
            found.call,
            f"{found.what} needs every process, and only the main one gets here: the run hangs. Call it on all of them",
            others=others,
        )
