"""CKP304."""

from __future__ import annotations

from collections.abc import Iterator

from ckpt_lint import apis
from ckpt_lint.facts.boundary import asked_for_false, boundary, trusted
from ckpt_lint.facts.downloads import download_behind
from ckpt_lint.facts.loads import Load
from ckpt_lint.facts.view import Other, Report, View
from ckpt_lint.model import Page, RuleInfo, Severity

RULE = RuleInfo(
    code="CKP304",
    name="load-from-network",
    severity=Severity.ERROR,
    on=True,
    groups=("security", "torch26"),
    in_tests=True,
    page=Page(
        summary="A downloaded file is unpickled.",
        why=(
            "What comes over the network is whatever the other end, or somebody on the way, put there. Unpickling it "
            "runs the code it holds. With `weights_only=True`, or after a digest has been compared, it does not."
        ),
        bad="""\
import torch
from huggingface_hub import hf_hub_download

def fetch(model, repo):
    path = hf_hub_download(repo, "model.bin")
    model.load_state_dict(torch.load(path, map_location="cpu"))
""",
        good="""\
import torch
from huggingface_hub import hf_hub_download

def fetch(model, repo):
    path = hf_hub_download(repo, "model.bin")
    model.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
""",
        silent=(
            "the hub loader (CKP302 and CKP308 speak of it)",
            "`weights_only=True`, or a computed `weights_only`, or a load that runs only where that variable is false",
            "the project declares torch >= 2.6 and the load leaves `weights_only` to the default",
            "a digest is compared before the load, or in a function that is called before it: not where the call leaves out "
            "what it would be compared with (`md5=None`)",
            "the path is one of `trusted-paths`",
        ),
        sources=("https://docs.pytorch.org/docs/stable/notes/serialization.html",),
    ),
)


def check(view: View) -> Iterator[Report]:
    """Loads, without `weights_only=True`, of what a download left behind."""
    for load in view.loads:
        if load.api not in (apis.TORCH_LOAD, apis.ULTRALYTICS_LOAD):
            continue
        if load.inner is not None and "weights_only" not in load.inner.forwards:
            continue
        if not _unpickles(view, load) or trusted(view, load) or asked_for_false(load):
            continue
        found = download_behind(view, load)
        if found is None:
            continue
        message = (
            f"this file was downloaded by {found.what} and is unpickled here, and a pickle runs code: pass "
            f"`weights_only=True`, or compare a digest first{boundary(view)}{_floor(view)}"
        )
        others = (Other(found.module, found.node, "the download"),) if found.node is not None else ()
        yield Report(load.call, message, others=others, call=load.call, argument="pickle")


def _floor(view: View) -> str:
    """What must come first where the declared torch admits releases without `weights_only`."""
    return "; the declared torch admits releases below 1.13: raise the floor first" if view.bounds.lacks_weights_only else ""


def _unpickles(view: View, load: Load) -> bool:
    """Whether a load has no `weights_only=True`, said or by default; a computed value may be True."""
    if load.has("weights_only"):
        constant = load.constant("weights_only")
        return constant is not None and constant.value is False
    if load.api == apis.ULTRALYTICS_LOAD or load.has("pickle_module"):
        return not load.open
    return not (view.bounds.default_is_safe or view.bounds.default_is_unknown)
