"""CKP301."""

from __future__ import annotations

from collections.abc import Iterator

from ckpt_lint import apis
from ckpt_lint.edits import add_keyword
from ckpt_lint.facts.loads import Load
from ckpt_lint.facts.reads import Flow, Use
from ckpt_lint.facts.saves import is_buffer
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
    fix_shape="keyword-added",
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
            "a round trip through memory (`io.BytesIO`)",
            "the matching save holds no tensor, or only tensors that the same function made and never moved",
            "the result only meets NumPy",
            "`map_location` may come in a `**kwargs`, or from the callers of a load wrapper",
        ),
        fix_safety=(
            "Safe where the result only flows into `load_state_dict` without `assign=True`: parameters are copied, "
            "bit for bit the same. Unsafe elsewhere: a tensor that is used directly is on the CPU then."
        ),
        sources=("https://docs.pytorch.org/docs/stable/generated/torch.load.html",),
    ),
)


def check(view: View) -> Iterator[Report]:
    """Loads whose device is left to the file."""
    seen: set[int] = set()
    for load in view.loads:
        if load.has("map_location") or not _judged_here(load):
            continue
        flow = view.flow(load)
        if _silent(view, load, flow):
            continue
        report = _report(view, load, safe=flow.uses <= SAFE_USES)
        if report.node.start not in seen:
            seen.add(report.node.start)
            yield report


def _judged_here(load: Load) -> bool:
    """A call of a load wrapper is judged only for what the wrapper forwards."""
    return load.wrapper is None or (load.inner is not None and "map_location" in load.inner.forwards)


def _silent(view: View, load: Load, flow: Flow) -> bool:
    if flow.uses and flow.uses <= {Use.NUMPY, Use.LOOKED_AT} and Use.NUMPY in flow.uses:
        return True
    if load.path is not None and is_buffer(view.facts.values, load.module, load.path):
        return _round_trip(view, load)
    match = view.match(load)
    return match.by == "path" and all(
        is_deviceless(view.facts.values, view.facts.checkpoints, save) for save in match.saves
    )


def _round_trip(view: View, load: Load) -> bool:
    """A buffer that the same module saves into."""
    variable = view.module.variable(load.path) if load.path is not None else None
    if variable is None:
        return False
    return any(
        save.path is not None and save.path_module is view.module and view.module.variable(save.path) == variable
        for save in view.facts.saves.direct(view.module)
    )


def _report(view: View, load: Load, *, safe: bool) -> Report:
    name = {apis.JIT_LOAD: "torch.jit.load", apis.HUB_LOAD: "load_state_dict_from_url"}.get(load.api, "torch.load")
    message = f"`{name}` without `map_location`: a file that was saved on a GPU does not load on a host without one"
    default = load.inherited.get("map_location")
    if default is not None and load.wrapper is not None and load.wrapper.module is view.module:
        return Report(default, f"{message} (calls leave `{default.name}` to this default)")
    if load.handed_over:
        return Report(load.call, message, call=load.call, argument="device")
    keyword = _keyword(load)
    fix = None
    if keyword is not None:
        edits = add_keyword(view.text, load.call.span, f'{keyword}="cpu"')
        fix = Fix(Applicability.SAFE if safe else Applicability.UNSAFE, f'Add `{keyword}="cpu"`', edits)
    return Report(load.call, message, fix, call=load.call, argument="device")


def _keyword(load: Load) -> str | None:
    """How a caller names the argument: a load wrapper may call its parameter something else."""
    if load.wrapper is None or load.inner is None or "map_location" not in load.inner.given:
        return "map_location"
    param = load.inherited.get("map_location")
    return param.name if param is not None else None
