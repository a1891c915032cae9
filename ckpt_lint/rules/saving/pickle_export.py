"""CKP115."""

from __future__ import annotations

from collections.abc import Iterator

from ckpt_lint import apis
from ckpt_lint.facts.paths import path_facts
from ckpt_lint.facts.saved import saved_values, state_dict_calls
from ckpt_lint.facts.saves import Save
from ckpt_lint.facts.view import Report, View
from ckpt_lint.model import Page, RuleInfo, Severity
from ckpt_lint.source import tree as t

RULE = RuleInfo(
    code="CKP115",
    name="pickle-export",
    severity=Severity.WARNING,
    on=False,
    groups=("security", "portability"),
    page=Page(
        summary="Weights for others are exported as a pickle.",
        why=(
            "Whoever gets a `.pt` file has to trust it, or torch's restricted unpickler. safetensors carries the same "
            "tensors without any pickle, is read by other languages and maps into memory. `save_file` refuses tensors "
            "that share memory: use `save_model` where weights are tied."
        ),
        bad="""\
import torch

def export(model):
    torch.save(model.state_dict(), "export/model.pt")
""",
        good="""\
from safetensors.torch import save_model

def export(model):
    save_model(model, "export/model.safetensors")
""",
        silent=(
            "checkpoints with more than weights in them",
            "paths that do not say export, deploy, final or best",
        ),
        sources=("https://huggingface.co/docs/safetensors/api/torch",),
    ),
)


def check(view: View) -> Iterator[Report]:
    """Bare state dicts that leave the project."""
    for save in view.file_saves:
        if _is_bare(view, save) and view.facts.training.is_export(save) and not _is_safetensors(view, save):
            yield Report(
                save.call,
                "weights for export are pickled: `safetensors.torch.save_file` (or `save_model`, where weights are "
                "tied) writes them without pickle",
            )


def _is_safetensors(view: View, save: Save) -> bool:
    return path_facts(view.facts.values, save.path_module, save.path).suffix == ".safetensors"


def _is_bare(view: View, save: Save) -> bool:
    """Whether a save writes the state dict of a module and nothing else."""
    for saved in saved_values(view.facts.checkpoints, save):
        if saved.keys:
            return False
        for call, origin in state_dict_calls(view.facts.values, saved.module, saved.value):
            if isinstance(call.func, t.Attribute):
                return view.role(call.func.value, origin.module) in (apis.MODULE, apis.EMA)
    return False
