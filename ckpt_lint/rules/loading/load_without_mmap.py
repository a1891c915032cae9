"""CKP309."""

from __future__ import annotations

from collections.abc import Iterator

from ckpt_lint import apis
from ckpt_lint.facts.arguments import set_argument
from ckpt_lint.facts.buffers import is_stream, reads_buffer
from ckpt_lint.facts.loads import Load
from ckpt_lint.facts.paths import path_facts
from ckpt_lint.facts.reads import Use
from ckpt_lint.facts.view import Report, View
from ckpt_lint.model import Applicability, Fix, Page, RuleInfo, Severity

RULE = RuleInfo(
    code="CKP309",
    name="load-without-mmap",
    severity=Severity.WARNING,
    on=False,
    fix=Applicability.UNSAFE,
    fix_shape="keyword-set",
    page=Page(
        summary="A checkpoint is read whole only to be copied into a model, or for one key.",
        why=(
            "`torch.load` reads every tensor into memory before `load_state_dict` copies it: twice the size of the "
            "model at the peak. With `mmap=True` pages are read when they are copied, and an entry that nobody reads "
            "never is."
        ),
        bad="""\
import torch

def restore(model):
    model.load_state_dict(torch.load("model.pt", map_location="cpu", weights_only=True))
""",
        good="""\
import torch

def restore(model):
    model.load_state_dict(torch.load("model.pt", map_location="cpu", weights_only=True, mmap=True))
""",
        silent=(
            "a stream or buffer (mmap takes a path only)",
            "`mmap` given, or possible in a `**kwargs`",
            "the loaded values are used beyond a restore of one entry",
            "the project declares a torch below 2.1, which has no `mmap`",
        ),
        fix_safety="Unsafe: files of the legacy format raise, and a file that is overwritten in place changes the model.",
        sources=("https://docs.pytorch.org/docs/stable/generated/torch.load.html",),
    ),
)


def check(view: View) -> Iterator[Report]:
    """Loads whose result is only copied."""
    if view.bounds.declared and view.bounds.admits_below("2.1"):
        return
    for load in view.loads:
        if load.api != apis.TORCH_LOAD or load.wrapper is not None or load.open or load.handed_over:
            continue
        if _may_map(load) or _on_meta(load) or not _is_path(view, load):
            continue
        flow = view.flow(load)
        keys = {read.key for read in flow.reads}
        if Use.RESTORED not in flow.uses or not flow.uses <= {Use.RESTORED, Use.LOOKED_AT} or len(keys) > 1:
            continue
        what = f"only `{next(iter(keys))}` of it is used" if keys else "it is only copied into a model"
        edits = set_argument(view.text, load, "mmap", "True")
        fix = Fix(Applicability.UNSAFE, "Load with `mmap=True`", edits) if edits else None
        yield Report(load.call, f"the whole file is read into memory, and {what}: `mmap=True` reads what is used", fix,
                     call=load.call)  # fmt: skip


def _may_map(load: Load) -> bool:
    """Whether `mmap` is given and not a constant that is false."""
    constant = load.constant("mmap")
    return "mmap" in load.given and (constant is None or bool(constant.value))


def _on_meta(load: Load) -> bool:
    """The meta device reads no weights at all."""
    location = load.constant("map_location")
    return location is not None and location.value == "meta"


def _is_path(view: View, load: Load) -> bool:
    if load.path is None or reads_buffer(view.facts.values, load) or is_stream(view.facts.values, load):
        return False
    return bool(path_facts(view.facts.values, load.path_module, load.path).text)
