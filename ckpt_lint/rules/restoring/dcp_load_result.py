"""CKP417."""

from __future__ import annotations

from collections.abc import Iterator

from ckpt_lint import apis
from ckpt_lint.facts.view import Report, View
from ckpt_lint.facts.world import argument, has_double_star
from ckpt_lint.model import Page, RuleInfo, Severity
from ckpt_lint.source import tree as t
from ckpt_lint.source.module import bound_target

RULE = RuleInfo(
    code="CKP417",
    name="dcp-load-result",
    severity=Severity.ERROR,
    on=True,
    groups=("distributed",),
    page=Page(
        summary="The result of `torch.distributed.checkpoint.load` is used, or it is given an empty dict.",
        why=(
            "`dcp.load` fills the tensors of the dict that it is given, in place, and gives back None. What the dict "
            "does not name is not loaded: from an empty dict nothing comes, and nothing is said."
        ),
        bad="""\
import torch.distributed.checkpoint as dcp

def restore(model, folder):
    state = dcp.load({"model": model.state_dict()}, checkpoint_id=folder)
    model.load_state_dict(state["model"])
""",
        good="""\
import torch.distributed.checkpoint as dcp

def restore(model, folder):
    state = {"model": model.state_dict()}
    dcp.load(state, checkpoint_id=folder)
    model.load_state_dict(state["model"])
""",
        silent=(
            "a `planner=` is given, which may fill the dict",
            "the dict is filled before, or may be",
            "the result is dropped",
        ),
        sources=("https://docs.pytorch.org/docs/stable/distributed.checkpoint.html",),
    ),
)


def check(view: View) -> Iterator[Report]:
    """Loads of the distributed checkpoint that are taken for a function with a result."""
    for call in view.module.calls:
        if not set(view.module.names.of(call.func)) & apis.DCP_LOADS:
            continue
        if has_double_star(call) or any(arg.keyword == "planner" for arg in call.args):
            continue
        if _is_used(view, call):
            message = "`dcp.load` gives back None: it fills the dict that it is given. Keep that dict, and use it"
            yield Report(call, message)
        elif _is_empty(view, call):
            message = "`dcp.load` loads what the dict names, and this one is empty: nothing is loaded. Fill it first"
            yield Report(call, message)


def _is_used(view: View, call: t.Call) -> bool:
    parent = call.parent
    if isinstance(parent, (t.Assign, t.AnnAssign)) and call.role == "value":
        targets = parent.targets if isinstance(parent, t.Assign) else (parent.target,)
        return any(_is_read(view, target) for target in targets)
    return isinstance(parent, (t.Attribute, t.Subscript, t.Argument, t.For)) and call.role in ("value", "iter")


def _is_read(view: View, target: t.Expr) -> bool:
    if isinstance(target, t.Sequence):
        return True
    places = [p for p in view.module.uses(target) if not bound_target(p)]
    return any(any(b.node is target for b in view.module.names.bindings(place)) for place in places)


def _is_empty(view: View, call: t.Call) -> bool:
    given = argument(call, 0, "state_dict")
    if given is None or given.star:
        return False
    content = view.facts.checkpoints.content(view.module, given.value)
    if content.shape != "dict" or content.entries or content.open or content.literal is None:
        return False
    return not _is_filled(view, given.value)


def _is_filled(view: View, state: t.Expr) -> bool:
    """Whether anything but a binding and the load itself touches the dict before the load."""
    places = [p for p in view.module.uses(state) if p.start < state.start and not bound_target(p)]
    return bool(places)
