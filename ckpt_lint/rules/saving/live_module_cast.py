"""CKP116."""

from __future__ import annotations

from collections.abc import Iterator

from ckpt_lint.facts.casts import live_cast
from ckpt_lint.facts.saved import saved_values, state_dict_calls
from ckpt_lint.facts.steps import Steps
from ckpt_lint.facts.view import Other, Report, View
from ckpt_lint.model import Page, RuleInfo, Severity
from ckpt_lint.source.module import last_name

RULE = RuleInfo(
    code="CKP116",
    name="live-module-cast",
    severity=Severity.ERROR,
    on=True,
    page=Page(
        summary="The module is cast or moved for a save in the middle of training.",
        why=(
            "`Module.half()`, `.bfloat16()`, `.cpu()` and `.to(...)` change the module itself and give it back. After "
            "`torch.save(model.half().state_dict(), path)` training goes on in half precision, or on the CPU, or "
            "stops with a dtype or device mismatch."
        ),
        bad="""\
import torch

def train(model, optimizer, batches):
    for step, batch in enumerate(batches):
        optimizer.zero_grad()
        model(batch).mean().backward()
        optimizer.step()
        torch.save(model.half().state_dict(), f"weights_{step}.pt")
""",
        good="""\
import copy

import torch

def train(model, optimizer, batches):
    for step, batch in enumerate(batches):
        optimizer.zero_grad()
        model(batch).mean().backward()
        optimizer.step()
        torch.save(copy.deepcopy(model).half().state_dict(), f"weights_{step}.pt")
""",
        silent=(
            "a copy: `copy.deepcopy(model).half()`",
            "a module that is cast or moved back in the same loop",
            "saves after training, and saves that end the loop",
            "a module that is made anew for each round",
        ),
        sources=("https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html",),
    ),
)


def check(view: View) -> Iterator[Report]:
    """Saved state dicts whose receiver was cast on the way."""
    steps = Steps(view.facts.values)
    for save in view.saves:
        for saved in saved_values(view.facts.checkpoints, save):
            for call, origin in state_dict_calls(view.facts.values, saved.module, saved.value):
                here = origin.module is view.module
                found = live_cast(view.facts.values, steps, origin.module, call) if here else None
                if found is not None:
                    cast, step = found
                    yield Report(
                        call,
                        f"`.{last_name(cast.func)}(...)` changes the live module in the middle of training: cast a "
                        "copy (`copy.deepcopy(model)`), or the tensors of the state dict",
                        others=(Other(origin.module, step, "training goes on here"),),
                        call=save.call,
                    )
