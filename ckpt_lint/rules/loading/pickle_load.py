"""CKP305."""

from __future__ import annotations

from collections.abc import Iterator

from ckpt_lint.facts.pickles import pickle_loads
from ckpt_lint.facts.view import Report, View
from ckpt_lint.model import Page, RuleInfo, Severity

RULE = RuleInfo(
    code="CKP305",
    name="pickle-load",
    severity=Severity.ERROR,
    on=True,
    groups=("security",),
    page=Page(
        summary="A checkpoint is read by pickle, joblib, dill, cloudpickle or `np.load(allow_pickle=True)`.",
        why=(
            "Unpickling runs the code that a file holds, and none of these has anything like `weights_only`. They "
            "cannot read what `torch.save` writes either: storages are persistent ids in its pickle."
        ),
        bad="""\
import pickle

def restore(model):
    with open("model.pth", "rb") as file:
        model.load_state_dict(pickle.load(file))
""",
        good="""\
import torch

def restore(model):
    model.load_state_dict(torch.load("model.pth", map_location="cpu", weights_only=True))
""",
        silent=(
            "pickles of anything else: vocabularies, datasets, caches; the suffix `.pkl` is no evidence",
            "the path is one of `trusted-paths`",
        ),
        sources=("https://docs.python.org/3/library/pickle.html",),
    ),
)


def check(view: View) -> Iterator[Report]:
    """Pickle reads of what is known to be a checkpoint."""
    for found in pickle_loads(view.facts.values, view.module):
        if found.path.constant and view.settings.trusted(found.path.text) is not None:
            continue
        message = (
            f"`{found.api}` unpickles a checkpoint ({found.evidence}), and a pickle runs code: save it with "
            "`torch.save` or safetensors and load it with `torch.load(..., weights_only=True)`"
        )
        yield Report(found.call, message)
