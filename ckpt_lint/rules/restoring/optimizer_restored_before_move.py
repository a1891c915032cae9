"""CKP407."""

from __future__ import annotations

from collections.abc import Iterator

from ckpt_lint import apis
from ckpt_lint.facts.moves import Placement, is_move, moves_of
from ckpt_lint.facts.optimizers import Built, RestorePoint, before, built, last_built, restore_points
from ckpt_lint.facts.view import Other, Report, View
from ckpt_lint.facts.world import argument, bind, is_method_call
from ckpt_lint.model import Page, RuleInfo, Severity
from ckpt_lint.source import tree as t
from ckpt_lint.source.module import ModuleFacts

RULE = RuleInfo(
    code="CKP407",
    name="optimizer-restored-before-move",
    severity=Severity.ERROR,
    on=True,
    groups=("resume",),
    page=Page(
        summary="The state of an optimizer is restored before its model is moved to a device.",
        why=(
            "`optimizer.load_state_dict` puts the state where the parameters are at that moment. When the model moves "
            "afterwards the state stays behind, and the first `step()` of an Adam-like optimizer raises `RuntimeError: "
            "Expected all tensors to be on the same device`."
        ),
        bad="""\
import torch

def resume(path, device):
    model = torch.nn.Linear(4, 1)
    optimizer = torch.optim.Adam(model.parameters())
    checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    model.load_state_dict(checkpoint["model"])
    optimizer.load_state_dict(checkpoint["optimizer"])
    model.to(device)
    return model, optimizer
""",
        good="""\
import torch

def resume(path, device):
    model = torch.nn.Linear(4, 1)
    model.to(device)
    optimizer = torch.optim.Adam(model.parameters())
    checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    model.load_state_dict(checkpoint["model"])
    optimizer.load_state_dict(checkpoint["optimizer"])
    return model, optimizer
""",
        silent=(
            "SGD without momentum, which has no state",
            "the model was moved before, or may have been: it comes in as a parameter, or from code that moves it",
            "Accelerate, Fabric or DeepSpeed place things",
            "a cast, or a move to the CPU",
        ),
        sources=("https://docs.pytorch.org/docs/stable/generated/torch.optim.Optimizer.load_state_dict.html",),
    ),
)


def check(view: View) -> Iterator[Report]:
    """Restores of an optimizer that the first move of its model follows."""
    if "load_state_dict" not in view.module.keywords:
        return
    placement = Placement(view.facts.world, view.facts.values)
    made = [b for b in built(view, apis.OPTIMIZER) if b.of and not _stateless(view, b)]
    points = list(restore_points(view, apis.OPTIMIZER)) if made else []
    for point in points:
        own = last_built(view, made, point)
        if own is None or not placement.is_left_alone(view.module):
            continue
        late = _late_move(view, placement, own, point)
        if late is not None:
            message = (
                f"the state of `{view.code(point.receiver)}` is restored while its model is on the CPU, and the model "
                "moves afterwards: the state stays behind, and `step()` raises. Move the model first"
            )
            yield Report(point.call, message, others=(Other(view.module, late, "the first move of the model"),))


def _late_move(view: View, placement: Placement, own: Built, point: RestorePoint) -> t.Call | None:
    """The first move of the optimizer's model, where it follows the restore."""
    for model in own.of:
        found = (*moves_of(view.module, model), *_handed_to_movers(view, model))
        moves = sorted(found, key=lambda call: call.start)
        if not moves or not before(point.call, moves[0]):
            continue
        if placement.starts_on_cpu(view.module, model, point.call):
            return moves[0]
    return None


def _handed_to_movers(view: View, model: t.Expr) -> Iterator[t.Call]:
    """The calls of project functions that move the module they are given: `train(model)` with `model.cuda()` in it."""
    for place in view.module.uses(model):
        call = place.parent.parent
        if not isinstance(place.parent, t.Argument) or place.parent.star or not isinstance(call, t.Call):
            continue
        for found in view.facts.world.callees(view.module, call):
            if isinstance(found.node, t.FunctionDef) and _moves_what_it_is_given(found.module, found.node, call, place):
                yield call
                break


def _moves_what_it_is_given(module: ModuleFacts, function: t.FunctionDef, call: t.Call, given: t.Expr) -> bool:
    values = bind(call, function, instance=is_method_call(call, function)).values
    names = [name for name, value in values.items() if value is given]
    uses = [use for name in names for use in module.occurrences.get((function.index, name), ())]
    return any(is_move(module, use.parent.parent) for use in uses if use.parent.role == "func")


def _stateless(view: View, made: Built) -> bool:
    """Plain SGD; a momentum that is computed may be zero."""
    if not made.name.endswith(".SGD"):
        return False
    momentum = argument(made.call, 2, "momentum")
    constant = view.module.constant(momentum.value) if momentum is not None else None
    return momentum is None or (constant is not None and not constant.value)
