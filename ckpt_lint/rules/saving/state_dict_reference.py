"""CKP106."""

from __future__ import annotations

from collections.abc import Iterator

from ckpt_lint.edits import add_import, wrap
from ckpt_lint.facts.kept import Kept, kept_references
from ckpt_lint.facts.saved import is_editable
from ckpt_lint.facts.steps import Steps
from ckpt_lint.facts.view import Other, Report, View
from ckpt_lint.model import Applicability, Edit, Fix, Page, RuleInfo, Severity

RULE = RuleInfo(
    code="CKP106",
    name="state-dict-reference",
    severity=Severity.ERROR,
    on=True,
    fix=Applicability.SAFE,
    fix_shape="call-wrapped",
    groups=("resume",),
    in_tests=True,
    page=Page(
        summary="A state dict is kept while the module goes on training.",
        why=(
            "`state_dict()` gives references: every tensor in it is the module's own and changes with each step. "
            "`best = model.state_dict()` is no snapshot, and `model.load_state_dict(best)` at the end does nothing at "
            "all. `dict(...)`, `.copy()`, `copy.copy(...)`, `.detach()`, and on the CPU `.cpu()` and `.to(\"cpu\")` "
            "share the tensors still."
        ),
        bad="""\
import torch

def train(model, optimizer, batches, evaluate):
    lowest = float("inf")
    best = None
    for batch in batches:
        optimizer.zero_grad()
        model(batch).mean().backward()
        optimizer.step()
        if evaluate(model) < lowest:
            lowest = evaluate(model)
            best = model.state_dict()
    model.load_state_dict(best)
""",
        good="""\
import copy
import torch

def train(model, optimizer, batches, evaluate):
    lowest = float("inf")
    best = None
    for batch in batches:
        optimizer.zero_grad()
        model(batch).mean().backward()
        optimizer.step()
        if evaluate(model) < lowest:
            lowest = evaluate(model)
            best = copy.deepcopy(model.state_dict())
    model.load_state_dict(best)
""",
        silent=(
            "deep copies (of the dict or of the module) and `.clone()`",
            "a state dict that is saved, or read, before the next training step",
            '`.cpu()` or `.to("cpu")` of its tensors where anything in the file is moved to a device',
            "a module that is made anew for each round of the loop, or that the file does not train",
            "the state dicts of data sets, loaders and samplers",
        ),
        fix_safety="Safe: the copy holds what was meant. It takes memory, once the size of the state dict.",
        sources=("https://docs.pytorch.org/tutorials/beginner/saving_loading_models.html",),
    ),
)


def check(view: View) -> Iterator[Report]:
    """References that outlive the weights they were taken for."""
    for kept in kept_references(view.facts.values, Steps(view.facts.values), view.module):
        yield _report(view, kept)


def _report(view: View, kept: Kept) -> Report:
    name = view.code(kept.call)
    message = (
        f"`{name}` is kept by reference while training goes on: its tensors change with the model, and what line "
        f"{view.source.location(kept.use.start).row} reads are the latest weights; keep `copy.deepcopy({name})`"
    )
    others = [Other(kept.module, kept.use, "read here, after more training")]
    if kept.step is not None:
        others.append(Other(kept.module, kept.step, "training changes the tensors"))
    return Report(kept.call, message, _fix(view, kept), others=tuple(others))


def _fix(view: View, kept: Kept) -> Fix | None:
    function, imported = _deepcopy(view)
    if imported is None or not is_editable(kept.call):
        return None
    edits = (*imported, *wrap(kept.call.span, f"{function}(", ")"))
    return Fix(Applicability.SAFE, f"Keep a copy: `{function}(...)`", edits)


def _deepcopy(view: View) -> tuple[str, tuple[Edit, ...] | None]:
    """How this module calls `copy.deepcopy`, and the import that it needs for that."""
    for binding in view.module.scopes.module.bindings.get("deepcopy", ()):
        if binding.how == "import" and "copy.deepcopy" in view.module.names.of_binding(binding):
            return "deepcopy", ()
    return "copy.deepcopy", add_import(view.source, view.part, "import copy")
