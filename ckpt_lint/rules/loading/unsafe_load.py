"""CKP303."""

from __future__ import annotations

from collections.abc import Iterator

from ckpt_lint import apis
from ckpt_lint.edits import replace
from ckpt_lint.facts.arguments import set_argument
from ckpt_lint.facts.boundary import boundary, trusted, withheld_because
from ckpt_lint.facts.environment import disabled_boundaries, unsafe_options
from ckpt_lint.facts.judged import Judged, judged
from ckpt_lint.facts.loads import Load
from ckpt_lint.facts.refused import refused_values
from ckpt_lint.facts.view import Other, Report, View
from ckpt_lint.model import Applicability, Fix, Page, RuleInfo, Severity

RULE = RuleInfo(
    code="CKP303",
    name="unsafe-load",
    severity=Severity.ERROR,
    on=True,
    fix=Applicability.UNSAFE,
    fix_shape="keyword-set",
    groups=("security", "torch26"),
    page=Page(
        summary="A checkpoint is loaded with full pickle on purpose.",
        why=(
            "`weights_only=False` unpickles whatever the file holds, and a pickle runs code: whoever can write the file "
            "can run code where it is loaded. torch says nothing about it. `pickle_module=` does the same silently, "
            "on torch 2.13 too, and `TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD` or a patched `torch.load` do it for the whole "
            "process."
        ),
        bad="""\
import torch

def restore(model, path):
    model.load_state_dict(torch.load(path, map_location="cpu", weights_only=False))
""",
        good="""\
import torch

def restore(model, path):
    model.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
""",
        silent=(
            "`weights_only` is a parameter or a computed value; `pickle_module` is a parameter, or None",
            "`torch.load` is put back, or replaced by what loads with `weights_only=True` or leaves it as it is",
            "the environment variable is set to what torch takes for false, or to a computed value",
            "the path is one of `trusted-paths`",
        ),
        fix_safety=(
            "Unsafe until `ckpt-lint verify` has loaded the file: a checkpoint that holds more than tensors and plain "
            "values raises then. There is no fix with `pickle_module`."
        ),
        sources=("https://docs.pytorch.org/docs/stable/notes/serialization.html",),
    ),
)


def check(view: View) -> Iterator[Report]:
    """Loads, environment writes and patches that switch the boundary off."""
    seen: set[int] = set()
    for found in judged(view, "weights_only", "pickle_module", code=RULE.code):
        report = None if found.place.start in seen else _of_load(view, found)
        if report is not None:
            seen.add(found.place.start)
            yield report
    for node, what in disabled_boundaries(view.facts.values, view.module):
        yield Report(node, f"{what} makes every `torch.load` of the process unpickle whatever a file holds")
    for node in unsafe_options(view.module, apis.LOADERS):
        yield Report(node, f"{_FALSE} goes to a load that unpickles the file, and a pickle runs code{boundary(view)}")


_FALSE = "`weights_only=False`"


def _of_load(view: View, found: Judged) -> Report | None:
    load = found.load
    if load.api == apis.JIT_LOAD or trusted(view, load):
        return None
    if load.api != apis.HUB_LOAD and load.has("pickle_module") and found.decides("pickle_module"):
        report = _of_pickle_module(found)
        if report is not None:
            return report
    if not found.decides("weights_only"):
        return None
    constant = load.constant("weights_only")
    if constant is not None and constant.value is False:
        return _of_false(view, found, f"{_FALSE} unpickles the file")
    if load.api == apis.ULTRALYTICS_LOAD and not load.has("weights_only"):
        return _of_false(view, found, f"this loader passes {_FALSE} and unpickles the file")
    return None


def _of_false(view: View, found: Judged, what: str) -> Report:
    load = found.load
    message = f"{what}, and a pickle runs code{boundary(view)}"
    refused = next((r for save in view.match(load).saves for r in refused_values(view, save)), None)
    others: tuple[Other, ...] = ()
    if refused is not None:
        message = f"{message}; first save {refused.what} differently, which True would refuse"
        others = (Other(refused.entry.module, refused.entry.value, f"writes {refused.what}"),)
    if found.default is not None:
        fix = Fix(Applicability.UNSAFE, "Make the default `True`", replace(found.place.span, "True"))
        return Report(found.place, f"{message} (calls leave `{found.default.name}` to this default)", fix, others=others)
    fixed, withheld = _fix(view, load)
    return Report(load.call, message, fixed, withheld, others, call=load.call, argument="pickle")


def _of_pickle_module(found: Judged) -> Report | None:
    """None for a parameter or a computed value: only a module that is named makes the load unpickle for sure."""
    load = found.load
    value = load.given.get("pickle_module")
    if value is None or not any(not n.startswith(":") for n in load.home("pickle_module").names.of(value)):
        return None
    message = "`pickle_module=` makes `torch.load` unpickle whatever the file holds, silently, on every torch"
    if found.default is not None:
        return Report(found.place, message)
    return Report(load.call, message, call=load.call, argument="pickle")


def _fix(view: View, load: Load) -> tuple[Fix | None, str | None]:
    withheld = withheld_because(view, load)
    if withheld is not None:
        return None, withheld
    edits = set_argument(view.text, load, "weights_only", "True")
    return (Fix(Applicability.UNSAFE, "Load with `weights_only=True`", edits) if edits else None), None
