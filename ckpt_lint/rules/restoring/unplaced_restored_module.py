"""CKP406."""

from __future__ import annotations

from collections.abc import Iterator

from ckpt_lint.facts.inference import PLUMBING, Scope, scope_of
from ckpt_lint.facts.moves import Placement, is_move, moves_of
from ckpt_lint.facts.optimizers import before
from ckpt_lint.facts.receivers import restores_module
from ckpt_lint.facts.restores import Restore
from ckpt_lint.facts.view import Other, Report, View
from ckpt_lint.model import Page, RuleInfo, Severity
from ckpt_lint.source import flow
from ckpt_lint.source import tree as t

RULE = RuleInfo(
    code="CKP406",
    name="unplaced-restored-module",
    severity=Severity.WARNING,
    on=False,
    page=Page(
        summary="A module that was restored on the CPU is used where other things are on a device.",
        why=(
            "`load_state_dict` copies into the parameters where they are: a module that was never moved stays on the "
            "CPU, whatever the checkpoint was loaded to. With inputs on a device its first call raises `RuntimeError: "
            "Expected all tensors to be on the same device`, without them it is slow."
        ),
        bad="""\
import torch
from torchvision.models import resnet18

def predict(path, images, device):
    model = resnet18()
    model.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    model.eval()
    return model(images.to(device))
""",
        good="""\
import torch
from torchvision.models import resnet18

def predict(path, images, device):
    model = resnet18()
    model.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    model.eval()
    model.to(device)
    return model(images.to(device))
""",
        silent=(
            "the module is moved before it is used, by any of its names, or made on a device",
            "nothing in the same code is moved to a device: it means the CPU",
            "the module comes in as a parameter, or goes where we do not look",
            "Accelerate, Fabric or DeepSpeed place things",
        ),
        sources=("https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html#torch.nn.Module.to",),
    ),
)


def check(view: View) -> Iterator[Report]:
    """Restored modules that are called on the CPU, beside inputs that are moved."""
    placement = Placement(view.facts.world, view.facts.values)
    for restore in view.restores:
        if not restores_module(restore) or not isinstance(restore.receiver, t.Name):
            continue
        scope = scope_of(view, restore.receiver)
        use = next((p for p in scope.places if _is_called(p) and before(restore.call, p)), None)
        if use is None or scope.escapes or _is_moved(view, scope) or not _moves_others(view, restore):
            continue
        if not placement.is_left_alone(view.module):
            continue
        if placement.starts_on_cpu(view.module, restore.receiver, restore.call):
            name = view.code(restore.receiver)
            yield Report(
                use.parent,
                f"`{name}` was restored on the CPU and is used there, while other things move to a device: call "
                f"`{name}.to(device)`",
                others=(Other(view.module, restore.call, "it is restored here"),),
            )


def _is_called(place: t.Expr) -> bool:
    parent = place.parent
    if isinstance(parent, t.Attribute) and isinstance(parent.parent, t.Call) and parent.role == "func":
        return parent.attr not in PLUMBING
    return isinstance(parent, t.Call) and place.role == "func"


def _is_moved(view: View, scope: Scope) -> bool:
    return any(next(moves_of(view.module, place), None) is not None for place in scope.places)


def _moves_others(view: View, restore: Restore) -> bool:
    """Whether the same body moves anything to a device."""
    body = flow.body_of(restore.call)
    calls = [c for name in ("to", "cuda") for c in view.module.calls_by_name.get(name, ())]
    return any(flow.body_of(call) is body and is_move(view.module, call) for call in calls)
