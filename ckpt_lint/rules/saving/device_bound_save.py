"""CKP107."""

from __future__ import annotations

from collections.abc import Iterator

from ckpt_lint import apis
from ckpt_lint.facts.devices import moved_to_device, unmoved
from ckpt_lint.facts.saved import Saved, saved_values, state_dict_calls
from ckpt_lint.facts.view import Other, Report, View
from ckpt_lint.model import Page, RuleInfo, Severity
from ckpt_lint.source import tree as t
from ckpt_lint.source.module import last_name

RULE = RuleInfo(
    code="CKP107",
    name="device-bound-save",
    severity=Severity.WARNING,
    on=False,
    groups=("portability",),
    artifact=True,
    page=Page(
        summary="Weights are saved as they lie on a device.",
        why=(
            "Every tensor in the file names its device. A load without `map_location` raises on a host without that "
            "device, and takes its memory on a host that has it. Copy the tensors to the CPU for the file; moving the "
            "module itself (`model.cpu()`) would stop training."
        ),
        bad="""\
import torch

def save(network, path, device):
    model = network.to(device)
    torch.save(model.state_dict(), path)
""",
        good="""\
import torch

def save(network, path, device):
    model = network.to(device)
    torch.save({key: value.cpu() for key, value in model.state_dict().items()}, path)
""",
        silent=(
            "a module that the file does not move to a device",
            "tensors that are copied to the CPU on the way: `{k: v.cpu() ...}`, `copy.deepcopy(model).cpu()`",
            "optimizer state",
        ),
        sources=("https://docs.pytorch.org/docs/stable/generated/torch.load.html",),
    ),
)


def check(view: View) -> Iterator[Report]:
    """State dicts of modules that lie on a device."""
    for save in view.file_saves:
        for saved in saved_values(view.facts.checkpoints, save):
            report = _of_value(view, saved)
            if report is not None:
                yield report


def _of_value(view: View, saved: Saved) -> Report | None:
    for call, origin in state_dict_calls(view.facts.values, saved.module, saved.value):
        receiver = call.func.value if isinstance(call.func, t.Attribute) else call
        if view.role(receiver, origin.module) not in (apis.MODULE, apis.EMA) or _is_on_cpu(receiver):
            continue
        base = unmoved(view.facts.values, origin.module, receiver)
        move = moved_to_device(view.facts.values, origin.module, base)
        if move is not None:
            return Report(
                saved.save.call,
                "the weights are saved as they lie on the device, and the file needs that device or a `map_location`: "
                "save copies, `{key: value.cpu() for key, value in state.items()}`",
                others=(Other(origin.module, move, "moved to a device here"),),
                call=saved.call_in(view.module),
                argument="value",
            )
    return None


def _is_on_cpu(receiver: t.Expr) -> bool:
    while isinstance(receiver, t.Call):
        if last_name(receiver.func) == "cpu":
            return True
        receiver = receiver.func.value if isinstance(receiver.func, t.Attribute) else receiver.func
    return False
