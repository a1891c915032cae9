"""CKP416."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ckpt_lint import apis
from ckpt_lint.facts.optimizers import Built, before, built, built_elsewhere, same
from ckpt_lint.facts.receivers import is_torch_method
from ckpt_lint.facts.restores import Restore
from ckpt_lint.facts.view import Other, Report, View
from ckpt_lint.model import Page, RuleInfo, Severity
from ckpt_lint.source import flow
from ckpt_lint.source import tree as t

RULE = RuleInfo(
    code="CKP416",
    name="assign-after-optimizer",
    severity=Severity.ERROR,
    on=True,
    groups=("resume",),
    page=Page(
        summary="Weights are restored with `assign=True` after the optimizer was built.",
        why=(
            "`assign=True` puts new Parameter objects into the module. An optimizer that was built before keeps the "
            "old ones: `step()` no longer moves the model, and nothing is said."
        ),
        bad="""\
import torch

def restore(model, state):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    model.load_state_dict(state, assign=True)
    return optimizer
""",
        good="""\
import torch

def restore(model, state):
    model.load_state_dict(state, assign=True)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    return optimizer
""",
        silent=(
            "the optimizer is built, or built anew, after the restore",
            "`assign` is False, or a variable",
            "the optimizer is built from another module, or on another way through the function",
        ),
        sources=("https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html#torch.nn.Module.load_state_dict",),
    ),
)


def check(view: View) -> Iterator[Report]:
    """Restores that replace the parameters which an optimizer holds."""
    found = [r for r in view.restores if _assigns(r) and is_torch_method(view, r)]
    if not found:
        return
    made = [*built(view, apis.OPTIMIZER), *built_elsewhere(view)]
    for restore in found:
        own = next((b for b in made if _built_before(view, b, restore)), None)
        if own is not None and not _built_anew(view, made, own, restore):
            yield Report(
                restore.call,
                f"`assign=True` replaces the parameters that `{view.code(own.target)}` was built from: its `step()` no "
                "longer moves the model. Build the optimizer after the restore",
                others=(Other(view.module, own.call, "the optimizer is built here"),),
            )


def _assigns(restore: Restore) -> bool:
    assign = restore.option("assign")
    return isinstance(assign, t.Constant) and assign.value is True


def _built_before(view: View, made: Built, restore: Restore) -> bool:
    if not any(same(view, model, restore.receiver) for model in made.of):
        return False
    return before(made.call, restore.call) or _in_constructor(view, made, restore)


def _in_constructor(view: View, made: Built, restore: Restore) -> bool:
    """Whether `__init__` builds the optimizer, and the restore is a method that it does not call."""
    maker, method = flow.function_of(made.call), flow.function_of(restore.call)
    if maker is None or method is None or maker.name != "__init__" or method is maker:
        return False
    if flow.class_of(maker) is not flow.class_of(method) or method.parent is not maker.parent:
        return False
    return not any(isinstance(n, t.Attribute) and n.attr == method.name for n in t.walk(maker))


def _built_anew(view: View, made: Sequence[Built], own: Built, restore: Restore) -> bool:
    """Whether a later construction takes the new parameters."""
    later = (b for b in made if b.call.start > own.call.start and same(view, b.target, own.target))
    return any(flow.body_of(b.call) is flow.body_of(restore.call) and b.call.start > restore.call.start for b in later)
