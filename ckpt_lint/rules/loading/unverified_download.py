"""CKP308."""

from __future__ import annotations

from collections.abc import Iterator

from ckpt_lint import apis
from ckpt_lint.facts.arguments import set_argument
from ckpt_lint.facts.passing import read_arguments
from ckpt_lint.facts.view import Report, View
from ckpt_lint.model import Applicability, Fix, Page, RuleInfo, Severity

RULE = RuleInfo(
    code="CKP308",
    name="unverified-download",
    severity=Severity.WARNING,
    on=False,
    fix=Applicability.UNSAFE,
    fix_shape="keyword-set",
    groups=("security",),
    page=Page(
        summary="A download is not verified: no `check_hash=True`, or a hub repository without a revision.",
        why=(
            "Without `check_hash=True` the hub loader takes whatever the URL gives. It compares the digest with the "
            "`-<hash>` in the file name (and verifies nothing where the name has none). `torch.hub.load` of a "
            "repository without a tag or commit runs whatever stands on its default branch today."
        ),
        bad="""\
from torch.hub import load_state_dict_from_url

def restore(model):
    url = "https://example.org/resnet18-f37072fd.pth"
    model.load_state_dict(load_state_dict_from_url(url, map_location="cpu", weights_only=True))
""",
        good="""\
from torch.hub import load_state_dict_from_url

def restore(model):
    url = "https://example.org/resnet18-f37072fd.pth"
    model.load_state_dict(load_state_dict_from_url(url, map_location="cpu", weights_only=True, check_hash=True))
""",
        silent=("a computed `check_hash`, or a `**kwargs`", "`torch.hub.load(..., source=\"local\")`"),
        fix_safety="Unsafe: a file name without a hash is not verified all the same, and a wrong hash raises.",
        sources=("https://docs.pytorch.org/docs/stable/hub.html",),
    ),
)


def check(view: View) -> Iterator[Report]:
    """Hub downloads that nobody verifies."""
    for load in view.loads:
        if load.api != apis.HUB_LOAD or load.wrapper is not None or load.open:
            continue
        constant = load.constant("check_hash")
        if "check_hash" not in load.given or (constant is not None and not constant.value):
            edits = set_argument(view.text, load, "check_hash", "True")
            fix = Fix(Applicability.UNSAFE, "Verify with `check_hash=True`", edits) if edits else None
            message = "the download is not verified: pass `check_hash=True` and use a file name that ends in `-<hash>`"
            yield Report(load.call, message, fix, call=load.call)
    yield from _unpinned(view)


def _unpinned(view: View) -> Iterator[Report]:
    for call in view.module.calls:
        if not view.module.names.is_a(call.func, "torch.hub.load"):
            continue
        given, is_open, _ = read_arguments(view.module, call.args, ("repo_or_dir", "model"))
        repo = view.module.string(given.get("repo_or_dir"))
        elsewhere = "source" in given and view.module.string(given["source"]) != "github"
        if repo is None or is_open or elsewhere or ":" in repo or repo.count("/") != 1:
            continue
        yield Report(call, f"`torch.hub.load` runs the default branch of {repo}: name a tag or commit (`{repo}:<tag>`)")
