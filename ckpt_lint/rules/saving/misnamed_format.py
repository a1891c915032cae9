"""CKP113."""

from __future__ import annotations

from collections.abc import Iterator

from ckpt_lint import apis
from ckpt_lint.facts.loads import Load
from ckpt_lint.facts.paths import path_facts
from ckpt_lint.facts.view import Report, View
from ckpt_lint.model import Page, RuleInfo, Severity

SAFETENSORS = ".safetensors"
OTHER_FORMATS = frozenset({
    ".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp", ".tif", ".tiff", ".npy", ".npz", ".json", ".yaml", ".yml", ".csv",
    ".txt", ".onnx", ".h5", ".hdf5", ".parquet", ".tflite", ".gguf", ".wav", ".mp4", ".zip", ".xml",
})  # fmt: skip
READS_SAFETENSORS = "2.13"
"""From this torch on, `torch.load` hands a path with that suffix to safetensors."""

RULE = RuleInfo(
    code="CKP113",
    name="misnamed-format",
    severity=Severity.ERROR,
    on=True,
    groups=("portability",),
    artifact=True,
    page=Page(
        summary="`torch.save` or `torch.load` with the suffix of another format.",
        why=(
            "`torch.save` writes a zip of pickle and tensors whatever the file is called. Readers go by the name: "
            "safetensors raises `SafetensorError: header too large`, as does `torch.load` from 2.13 on for that "
            "suffix; image and array readers fail alike. An older `torch.load` cannot read a real safetensors file."
        ),
        bad="""\
import torch

def save(model):
    torch.save(model.state_dict(), "model.safetensors")
""",
        good="""\
from safetensors.torch import save_file

def save(model):
    save_file(model.state_dict(), "model.safetensors")
""",
        silent=(
            "suffixes that say nothing of the format (`.pt`, `.pth`, `.ckpt`, `.bin`, `.pkl`, none)",
            "a suffix that is computed",
            "a load of `*.safetensors` where every allowed torch is 2.13 or newer",
        ),
        sources=("https://huggingface.co/docs/safetensors/index",),
    ),
)


def check(view: View) -> Iterator[Report]:
    """Files that are not what they are called."""
    for save in view.file_saves:
        suffix = path_facts(view.facts.values, save.path_module, save.path).suffix
        if suffix == SAFETENSORS:
            advice = "use `safetensors.torch.save_file` (`save_model` where weights are tied), or call the file `.pt`"
            yield Report(save.call, f"`torch.save` does not write safetensors: no reader opens the file; {advice}")
        elif suffix in OTHER_FORMATS:
            yield Report(save.call, f"`torch.save` writes its own format into a `{suffix}` file: call it `.pt`")
    for load in view.loads:
        if load.api == apis.TORCH_LOAD and load.wrapper is None and _reads_safetensors(view, load):
            yield Report(
                load.call,
                "`torch.load` reads safetensors only from torch 2.13 on, and older ones are allowed: use "
                "`safetensors.torch.load_file`",
            )


def _reads_safetensors(view: View, load: Load) -> bool:
    if not view.bounds.admits_below(READS_SAFETENSORS):
        return False
    return path_facts(view.facts.values, load.path_module, load.path).suffix == SAFETENSORS
