"""CKP307."""

from __future__ import annotations

from collections.abc import Iterator

from ckpt_lint import apis
from ckpt_lint.facts.view import Other, Report, View
from ckpt_lint.facts.whole import how_used, module_uses
from ckpt_lint.model import Page, RuleInfo, Severity

RULE = RuleInfo(
    code="CKP307",
    name="whole-module-load",
    severity=Severity.ERROR,
    on=True,
    groups=("torch26", "security"),
    page=Page(
        summary="What was loaded is used as a module: the file holds a pickled model.",
        why=(
            "A pickled module names its classes, and loading it imports and runs them: it needs `weights_only=False`, "
            "the source as it was, and trust in the file. From torch 2.6 on the default load raises "
            "`UnpicklingError`. Build the model and load its state dict instead."
        ),
        bad="""\
import torch

def predict(path, batch):
    model = torch.load(path, map_location="cpu")
    model.eval()
    return model(batch)
""",
        good="""\
import torch
from torch import nn

def predict(path, batch):
    model = nn.Linear(8, 2)
    model.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    model.eval()
    return model(batch)
""",
        silent=(
            "TorchScript (`torch.jit.load`)",
            "a function that builds the model itself and returns that",
            "an entry that goes to `load_state_dict`, or is used as a tensor, an array, a dict, a list or text",
            "methods of other objects (a vocabulary, a dataset), where neither a name nor the key is a module's",
            "a use that stands under `isinstance` or `hasattr` of what was loaded: the code takes several kinds of files",
        ),
        sources=("https://docs.pytorch.org/tutorials/beginner/saving_loading_models.html",),
    ),
)


def check(view: View) -> Iterator[Report]:
    """Loads whose result has methods that only modules have called on it."""
    for load in view.loads:
        if load.api not in (apis.TORCH_LOAD, apis.ULTRALYTICS_LOAD) or load.handed_over:
            continue
        uses = module_uses(view.facts.world, view.facts.restores, load)
        if not uses:
            continue
        use = uses[0]
        how = how_used(use)
        what = "a part of it" if use.part else "it"
        message = (
            f"the loaded file holds a pickled module ({what} is used as one: {how}): loading it runs its code and "
            "fails by default from torch 2.6 on; save and load the state dict"
        )
        yield Report(load.call, message, others=(Other(use.module, use.node, "used as a module here"),), call=load.call,
                     argument="pickle")  # fmt: skip
