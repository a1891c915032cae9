"""CKP309."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ckpt_lint import apis
from ckpt_lint.facts.arguments import set_argument
from ckpt_lint.facts.buffers import is_stream, reads_buffer
from ckpt_lint.facts.loads import Load
from ckpt_lint.facts.paths import path_facts
from ckpt_lint.facts.reads import Flow, Use
from ckpt_lint.facts.states import WEIGHTS, names_whole_weights
from ckpt_lint.facts.view import Report, View
from ckpt_lint.model import Applicability, Fix, Page, RuleInfo, Severity
from ckpt_lint.source import tree as t

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
            "the loaded values are used beyond a restore, or beyond one entry",
            "what it is restored into is no model: the state of a scheduler or scaler is small, and an optimizer keeps "
            "the tensors it is given",
            "nothing says that the file of which one entry is read holds weights, too",
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
        restored = Use.RESTORED in flow.uses and flow.uses <= {Use.RESTORED, Use.LOOKED_AT} and len(keys) < 2
        copied = restored and _is_weights(view, flow, keys) and (not keys or _only_read(view, load))
        if not copied and not (len(keys) == 1 and _is_large(view, load, keys) and _only_read(view, load)):
            continue
        what = f"only `{next(iter(keys))}` of it is used" if keys else "it is only copied into a model"
        edits = set_argument(view.text, load, "mmap", "True")
        fix = Fix(Applicability.UNSAFE, "Load with `mmap=True`", edits) if edits else None
        yield Report(load.call, f"the whole file is read into memory, and {what}: `mmap=True` reads what is used", fix,
                     call=load.call)  # fmt: skip


def _is_weights(view: View, flow: Flow, keys: Iterable[str]) -> bool:
    """Whether what is restored is a model: the state of a scheduler is small, and an optimizer keeps what it is given."""
    roles = [view.role(receiver, module) for module, receiver in flow.restored]
    own = [module.names.is_self(receiver) for module, receiver in flow.restored]
    return any(map(names_whole_weights, keys)) or all(
        role in (apis.MODULE, apis.EMA) or (role is None and mine) for role, mine in zip(roles, own)
    )


def _is_large(view: View, load: Load, keys: Iterable[str]) -> bool:
    """Whether a file is seen to hold weights: by the save that wrote it, or by the key under which they are read."""
    saves = view.match(load).saves
    written = (entry for save in saves for entry in view.checkpoint(save).entries)
    return any(WEIGHTS in view.facts.checkpoints.states(entry) for entry in written) or any(
        map(names_whole_weights, keys)
    )


def _only_read(view: View, load: Load) -> bool:
    """Whether the whole is used for its entries alone: nowhere does it go on as it is."""
    parent = load.call.parent
    if isinstance(parent, t.Assign) and len(parent.targets) == 1 and isinstance(parent.targets[0], t.Name):
        places = [place for place in view.module.uses(parent.targets[0]) if place is not parent.targets[0]]
        return bool(places) and all(_takes_entry(place) for place in places)
    return _takes_entry(load.call)


def _takes_entry(place: t.Expr) -> bool:
    parent = place.parent
    if isinstance(parent, t.Attribute):
        return parent.role == "func" and parent.attr in ("get", "keys")
    if isinstance(parent, t.Compare):
        return place.role == "comparators"
    return isinstance(parent, t.Subscript) and place.role == "value" and isinstance(parent.sub, t.Constant)


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
