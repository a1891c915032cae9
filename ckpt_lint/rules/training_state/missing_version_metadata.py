"""CKP206."""

from __future__ import annotations

from collections.abc import Iterator

from ckpt_lint import apis
from ckpt_lint.edits import add_dict_entry
from ckpt_lint.facts.states import VERSION
from ckpt_lint.facts.training import TrainingCheckpoint
from ckpt_lint.facts.view import Report, View
from ckpt_lint.model import Applicability, Edit, Fix, Page, RuleInfo, Severity
from ckpt_lint.rules.training_state.absent import is_dict, lacking, place_of
from ckpt_lint.source import tree as t

RULE = RuleInfo(
    code="CKP206",
    name="missing-version-metadata",
    severity=Severity.WARNING,
    on=False,
    fix=Applicability.UNSAFE,
    fix_shape="entry-added",
    groups=("resume", "portability"),
    artifact=True,
    page=Page(
        summary="A training checkpoint does not say which torch wrote it.",
        why=(
            "Layouts of optimizer states, defaults and numerics change between releases of torch, and the file itself "
            "does not record which one wrote it. Months later nobody can tell. `str(...)` matters: "
            "`torch.__version__` itself is a `TorchVersion`, which older unpicklers refuse."
        ),
        bad="""\
import torch

def train(model, loader, epochs):
    optimizer = torch.optim.Adam(model.parameters())
    for epoch in range(epochs):
        for batch in loader:
            model(batch).mean().backward()
            optimizer.step()
        state = {
            "model": model.state_dict(),
            "optimizer": optimizer.state_dict(),
            "epoch": epoch,
        }
        torch.save(state, "last.pt")
""",
        good="""\
import torch

def train(model, loader, epochs):
    optimizer = torch.optim.Adam(model.parameters())
    for epoch in range(epochs):
        for batch in loader:
            model(batch).mean().backward()
            optimizer.step()
        state = {
            "model": model.state_dict(),
            "optimizer": optimizer.state_dict(),
            "epoch": epoch,
            "torch_version": str(torch.__version__),
            "cuda_version": torch.version.cuda,
        }
        torch.save(state, "last.pt")
""",
        silent=(
            "no optimizer state is saved",
            "torch's version is saved, by key or by value, in this or in another training checkpoint of the file",
            "a part of the dict cannot be read",
        ),
        fix_safety="Unsafe: the file has two more entries. No fix where `torch` is imported under no name of its own.",
        sources=("https://docs.pytorch.org/docs/stable/notes/serialization.html",),
    ),
)


def check(view: View) -> Iterator[Report]:
    """Training checkpoints with optimizer state and without torch's version."""
    for checkpoint in lacking(view, VERSION):
        if apis.OPTIMIZER not in checkpoint.written or _mentions_version(checkpoint):
            continue
        message = "this training checkpoint does not say which torch wrote it: save `str(torch.__version__)` with it"
        yield Report(place_of(view, checkpoint), message, _fix(view, checkpoint), call=checkpoint.save.call)


def _mentions_version(checkpoint: TrainingCheckpoint) -> bool:
    return any(name.endswith("torch.__version__") for name in checkpoint.mentioned)


def _fix(view: View, checkpoint: TrainingCheckpoint) -> Fix | None:
    literal, name = checkpoint.main.literal, _name_of_torch(view)
    if literal is None or name is None or checkpoint.main.module is not view.module or not is_dict(view, literal):
        return None
    edits: list[Edit] = []
    for key, value in (("torch_version", f"str({name}.__version__)"), ("cuda_version", f"{name}.version.cuda")):
        edits.extend(add_dict_entry(view.text, literal.span, key, value))
    return Fix(Applicability.UNSAFE, "Save the versions of torch and CUDA", tuple(edits))


def _name_of_torch(view: View) -> str | None:
    """The name under which the module itself imports torch."""
    for node in view.module.root.body:
        for alias in node.names if isinstance(node, t.Import) else ():
            if alias.name == "torch":
                return alias.asname or "torch"
    return None
