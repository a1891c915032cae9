"""CKP303."""

from __future__ import annotations

from collections.abc import Iterator

from ckpt_lint import apis
from ckpt_lint.edits import add_keyword, replace
from ckpt_lint.facts.environment import disabled_boundaries
from ckpt_lint.facts.loads import Load
from ckpt_lint.facts.paths import path_facts
from ckpt_lint.facts.refused import refused_values
from ckpt_lint.facts.view import Other, Report, View
from ckpt_lint.model import Applicability, Fix, Page, RuleInfo, Severity
from ckpt_lint.rules.loading.load_without_weights_only import boundary
from ckpt_lint.source import tree as t

RULE = RuleInfo(
    code="CKP303",
    name="unsafe-load",
    severity=Severity.ERROR,
    on=True,
    fix=Applicability.UNSAFE,
    fix_shape="text-replaced",
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
            "`weights_only` is a parameter or a computed value",
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
    for load in view.loads:
        report = _of_load(view, load)
        if report is not None and report.node.start not in seen:
            seen.add(report.node.start)
            yield report
    for node, what in disabled_boundaries(view.module):
        yield Report(node, f"{what} makes every `torch.load` of the process unpickle whatever a file holds")


def _of_load(view: View, load: Load) -> Report | None:
    if load.api == apis.JIT_LOAD or trusted(view, load):
        return None
    if load.wrapper is not None and load.inner is not None and not _decided_by_call(load):
        return None
    if "pickle_module" in load.given and load.api in (apis.TORCH_LOAD, apis.ULTRALYTICS_LOAD):
        return _of_pickle_module(load)
    value = load.value("weights_only")
    constant = load.module.constant(value)
    unsafe = constant is not None and constant.value is False
    if not unsafe and not (load.api == apis.ULTRALYTICS_LOAD and value is None and not load.open):
        return None
    what = "`weights_only=False`" if unsafe else "this loader passes `weights_only=False` and"
    verb = " unpickles the file, and a pickle runs code" + boundary(view)
    refused = [r for save in view.match(load).saves for r in refused_values(view, save)]
    advice = f"; first save {refused[0].what} differently, which True would refuse" if refused else ""
    others = tuple(Other(r.entry.module, r.entry.value, f"writes {r.what}") for r in refused[:1])
    default = load.inherited.get("weights_only")
    if default is not None and load.wrapper is not None and load.wrapper.module is view.module:
        return Report(default, f"{what}{verb} (calls leave it to this default){advice}", others=others)
    return Report(
        load.call, f"{what}{verb}{advice}", _fix(view, load, value), None, others, call=load.call, argument="pickle"
    )


def _decided_by_call(load: Load) -> bool:
    """A call of a load wrapper is judged for what it decides itself, or leaves to a default."""
    assert load.inner is not None
    return bool({"weights_only", "pickle_module"} & load.inner.forwards)


def _of_pickle_module(load: Load) -> Report | None:
    value = load.given["pickle_module"]
    if isinstance(value, t.Constant) and value.value is None or isinstance(value, t.Name) and not load.module.names.of(value):
        return None
    message = "`pickle_module=` makes `torch.load` unpickle whatever the file holds, silently, on every torch"
    return Report(load.call, message, call=load.call, argument="pickle")


def trusted(view: View, load: Load) -> bool:
    """Whether the loaded path is a bundled file that the settings trust."""
    text = path_facts(view.facts.values, load.module, load.path)
    return text.constant and view.settings.trusted(text.text) is not None


def _fix(view: View, load: Load, value: t.Expr | None) -> Fix | None:
    if load.wrapper is not None or load.handed_over or load.open:
        return None
    if view.bounds.lacks_weights_only and load.api == apis.TORCH_LOAD:
        return None
    if value is None:
        edits = add_keyword(view.text, load.call.span, "weights_only=True")
    elif isinstance(value, t.Constant) and any(arg.value is value for arg in load.call.args):
        edits = replace(value.span, "True")
    else:
        return None
    return Fix(Applicability.UNSAFE, "Load with `weights_only=True`", edits)
