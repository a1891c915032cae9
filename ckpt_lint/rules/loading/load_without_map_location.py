"""CKP301."""

from __future__ import annotations

from collections.abc import Iterator

from ckpt_lint import apis
from ckpt_lint.edits import replace
from ckpt_lint.facts.arguments import set_argument
from ckpt_lint.facts.buffers import is_round_trip, reads_buffer
from ckpt_lint.facts.judged import Judged, judged
from ckpt_lint.facts.loads import Load
from ckpt_lint.facts.reads import Flow, Use
from ckpt_lint.facts.tensors import is_deviceless
from ckpt_lint.facts.view import Report, View
from ckpt_lint.model import Applicability, Fix, Page, RuleInfo, Severity

SAFE_USES = frozenset({Use.RESTORED, Use.COUNTED, Use.LOOKED_AT, Use.NUMPY})
"""Uses of a loaded value that do not depend on the device it came back on."""

RULE = RuleInfo(
    code="CKP301",
    name="load-without-map-location",
    severity=Severity.WARNING,
    on=True,
    fix=Applicability.SAFE,
    fix_shape="keyword-set",
    groups=("portability",),
    page=Page(
        summary="A checkpoint is loaded without `map_location`.",
        why=(
            "Tensors come back on the device they were saved on. A file written on a GPU raises `RuntimeError: "
            "Attempting to deserialize object on a CUDA device` on a host without one, and on a host with several "
            "it fills the memory of the GPU that happened to be used for saving."
        ),
        bad="""\
import torch

def restore(model, path):
    model.load_state_dict(torch.load(path, weights_only=True))
""",
        good="""\
import torch

def restore(model, path):
    model.load_state_dict(torch.load(path, weights_only=True, map_location="cpu"))
""",
        silent=(
            "a round trip through memory (`io.BytesIO`), and bytes that may be what the module wrote into memory itself",
            "the matching save holds no tensor, or only tensors that the same function made and never moved, "
            "or copied to the CPU, those of a module that it made among them",
            "the result only meets NumPy",
            "`map_location` may come in a `**kwargs`, from the callers of a load wrapper, or from the wrapper itself; None "
            "is no location",
        ),
        fix_safety=(
            "Safe where the result only flows into `load_state_dict` without `assign=True`: parameters are copied, "
            "bit for bit the same. Unsafe elsewhere: a tensor that is used directly is on the CPU then. Where several "
            "calls leave the argument to the default of a wrapper, the default is reported, once, and changed (unsafe)."
        ),
        sources=("https://docs.pytorch.org/docs/stable/generated/torch.load.html",),
    ),
)


def check(view: View) -> Iterator[Report]:
    """Loads whose device is left to the file."""
    seen: set[int] = set()
    for found in judged(view, "map_location", code=RULE.code):
        load = found.load
        if load.has("map_location") or found.place.start in seen:
            continue
        flow = view.flow(load)
        if not _silent(view, load, flow):
            seen.add(found.place.start)
            safe = Use.RESTORED in flow.uses and flow.uses <= SAFE_USES
            yield _report(view, found, safe=safe)


def _silent(view: View, load: Load, flow: Flow) -> bool:
    if flow.uses and flow.uses <= {Use.NUMPY, Use.LOOKED_AT} and Use.NUMPY in flow.uses:
        return True
    if reads_buffer(view.facts.values, load):
        return is_round_trip(view.facts, load)
    match = view.match(load)
    return bool(match.saves) and all(
        is_deviceless(view.facts.values, view.facts.checkpoints, save) for save in match.saves
    )


def _report(view: View, found: Judged, *, safe: bool) -> Report:
    load = found.load
    name = {apis.JIT_LOAD: "torch.jit.load", apis.HUB_LOAD: "load_state_dict_from_url"}.get(load.api, "torch.load")
    message = f"`{name}` without `map_location`: a file that was saved on a GPU does not load on a host without one"
    if found.default is not None:
        better = Fix(Applicability.UNSAFE, 'Make the default `"cpu"`', replace(found.place.span, '"cpu"'))
        return Report(found.place, f"{message} (calls leave `{found.default.name}` to this default)", better)
    edits = set_argument(view.text, load, "map_location", '"cpu"')
    safety = Applicability.SAFE if safe else Applicability.UNSAFE
    fix = Fix(safety, 'Load to `"cpu"`', edits) if edits else None
    withheld = "what the `pickle_module` makes of it is not known" if load.has("pickle_module") else None
    return Report(load.call, message, fix, withheld, call=load.call, argument="device")
