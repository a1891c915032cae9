"""CKP101."""

from __future__ import annotations

from collections.abc import Iterator

from ckpt_lint.edits import insert
from ckpt_lint.facts.modules import is_whole_module, modules_in_loaded
from ckpt_lint.facts.refusals import MODULE
from ckpt_lint.facts.refused import refusal
from ckpt_lint.facts.saved import Saved, is_editable, saved_values
from ckpt_lint.facts.view import Other, Report, View
from ckpt_lint.facts.whole import came_whole
from ckpt_lint.model import Applicability, Fix, Page, RuleInfo, Severity
from ckpt_lint.source import tree as t

RULE = RuleInfo(
    code="CKP101",
    name="whole-module-save",
    severity=Severity.ERROR,
    on=True,
    fix=Applicability.UNSAFE,
    fix_shape="attribute-added",
    groups=("torch26", "portability"),
    artifact=True,
    page=Page(
        summary="A module is saved whole, not its state dict.",
        why=(
            "The file then holds a pickle of the object: the names of its classes and modules, every attribute, but "
            "none of the code. `torch.load` refuses it by default from torch 2.6 on; with `weights_only=False` it "
            "runs whatever the file says, and raises `AttributeError` or `ModuleNotFoundError` once a class was "
            "renamed or moved, or was defined in the training script itself. An edited `forward` runs silently."
        ),
        bad="""\
import torch
from torch import nn

model = nn.Linear(4, 2)
torch.save(model, "model.pt")
""",
        good="""\
import torch
from torch import nn

model = nn.Linear(4, 2)
torch.save(model.state_dict(), "model.pt")
""",
        silent=(
            "TorchScript modules (`torch.jit.script`, `torch.jit.trace`, `torch.jit.load`)",
            "`model.state_dict()`",
            "values that nothing but a name other than the conventional ones takes for modules",
            "`args.model` and the like: an attribute is taken for a module by its name only on `self`, or as `.module`",
        ),
        fix_safety=(
            "Unsafe: whoever loads the file gets a state dict then, and has to build the model before "
            "`load_state_dict`. Change the loads together with the save."
        ),
        sources=("https://docs.pytorch.org/tutorials/beginner/saving_loading_models.html",),
    ),
)


def check(view: View) -> Iterator[Report]:
    """Modules that reach a save as they are."""
    for save in view.saves:
        for saved in saved_values(view.facts.checkpoints, save):
            if _is_module(view, saved):
                yield _report(view, saved)
        for place in modules_in_loaded(view.facts.values, save):
            message = _message(view, save.value, f"`{view.code(place)}` in it is a module")
            yield Report(save.value, message, call=save.call, argument="value")


def _is_module(view: View, saved: Saved) -> bool:
    """Whether a value is a module by what is known of it, or because a project function or a load gives one."""
    values = view.facts.values
    if is_whole_module(values, saved.module, saved.value) or refusal(values, saved.module, saved.value) is MODULE:
        return True
    return came_whole(values, view.facts.restores, saved.module, saved.value)


def _report(view: View, saved: Saved) -> Report:
    what = f"the entry `{saved.keys[-1]}` is" if saved.keys else "it is"
    node = saved.where(view.module)
    others = () if node is saved.value else (Other(saved.module, saved.value, "the module"),)
    fix = None
    if node is saved.value and is_editable(node) and isinstance(node, (t.Name, t.Attribute, t.Call, t.Subscript)):
        fix = Fix(Applicability.UNSAFE, "Save `.state_dict()`", insert(node.end, ".state_dict()"))
    message = _message(view, saved.value if node is saved.value else None, f"{what} a whole module")
    return Report(node, message, fix, others=others, call=saved.call_in(view.module), argument="value")


def _message(view: View, value: t.Expr | None, what: str) -> str:
    name = f"`{_short(view.code(value))}`" if value is not None else "the saved value"
    return (
        f"{name} is pickled whole ({what}): the file names its classes, needs the same code to load, and "
        "`weights_only=True` refuses it; save its `state_dict()`"
    )


def _short(code: str) -> str:
    line = " ".join(code.split())
    return line if len(line) <= 60 else f"{line[:57]}..."
