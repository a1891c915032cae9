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


_CALLS = 2
"""Calls from the file that restores to the function that moves."""


def check(view: View) -> Iterator[Report]:
    """Restores of an optimizer that the first move of its model follows."""
    if "load_state_dict" not in view.module.keywords:
        return
    placement = Placement(view.facts.world, view.facts.values)
    made = [b for b in built(view, apis.OPTIMIZER, of_modules=True) if not _stateless(view, b)]
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
        call = _handed(place)
        if call is not None and _is_moved_by(view, view.module, call, place, _CALLS):
            yield call


def _handed(place: t.Node) -> t.Call | None:
    """The call that a name is an argument of."""
    call = place.parent.parent
    return call if isinstance(place.parent, t.Argument) and not place.parent.star and isinstance(call, t.Call) else None


def _is_moved_by(view: View, module: ModuleFacts, call: t.Call, given: t.Node, calls: int) -> bool:
    """Whether a project function that a call runs moves what it is given, or hands it to one that does."""
    for found in view.facts.world.callees(module, call):
        if not isinstance(found.node, t.FunctionDef):
            continue
        values = bind(call, found.node, instance=is_method_call(call, found.node)).values
        names = [name for name, value in values.items() if value is given]
        for use in (use for name in names for use in found.module.occurrences.get((found.node.index, name), ())):
            if use.parent.role == "func" and is_move(found.module, use.parent.parent):
                return True
            inner = _handed(use) if calls > 1 else None
            if inner is not None and _is_moved_by(view, found.module, inner, use, calls - 1):
                return True
    return False


def _stateless(view: View, made: Built) -> bool:
    """Plain SGD; a momentum that is computed may be zero."""
    if not made.name.endswith(".SGD"):
        return False
    momentum = argument(made.call, 2, "momentum")
    constant = view.module.constant(momentum.value) if momentum is not None else None
    return momentum is None or (constant is not None and not constant.value)
