"""CKP111."""

from __future__ import annotations

from collections.abc import Iterator

from ckpt_lint import apis
from ckpt_lint.edits import replace
from ckpt_lint.facts.saved import Saved, is_editable, saved_values
from ckpt_lint.facts.values import Origin
from ckpt_lint.facts.view import Other, Report, View
from ckpt_lint.model import Applicability, Fix, Page, RuleInfo, Severity
from ckpt_lint.source import tree as t
from ckpt_lint.source.module import last_name

GENERATORS = frozenset({"parameters", "named_parameters", "buffers", "named_buffers"})
HOLDERS = ("builtins.list", "builtins.tuple", "builtins.dict", "collections.OrderedDict")

RULE = RuleInfo(
    code="CKP111",
    name="parameters-saved",
    severity=Severity.ERROR,
    on=True,
    fix=Applicability.UNSAFE,
    fix_shape="text-replaced",
    page=Page(
        summary="`model.parameters()`, or a list of it, is saved.",
        why=(
            "The generator itself cannot be pickled: `torch.save` raises `TypeError`, and has destroyed the old file "
            "by then. A list of the parameters is written, but without names and without buffers (the running "
            "statistics of BatchNorm): `load_state_dict` takes no list, and of `dict(model.named_parameters())` it "
            "misses the buffers."
        ),
        bad="""\
import torch

def save(model, path):
    torch.save(list(model.parameters()), path)
""",
        good="""\
import torch

def save(model, path):
    torch.save(model.state_dict(), path)
""",
        silent=(
            "`model.state_dict()`",
            "a list that is chosen or computed from the parameters: `[p.grad for p in model.parameters()]`",
            "`.parameters()` of something that is no module",
        ),
        fix_safety="Unsafe: the file holds a dict then, and whoever read the list must load it with `load_state_dict`.",
        sources=("https://docs.pytorch.org/tutorials/beginner/saving_loading_models.html",),
    ),
)


def check(view: View) -> Iterator[Report]:
    """Parameters that reach a save without their names."""
    for save in view.saves:
        for saved in saved_values(view.facts.checkpoints, save):
            for origin in view.facts.values.origins(saved.module, saved.value):
                call = _parameters(view, origin)
                if call is not None:
                    yield _report(view, saved, origin, call)


def _parameters(view: View, origin: Origin) -> t.Call | None:
    """`x.parameters()` in a value, itself or in a list or dict of all of it."""
    node = origin.node
    if not isinstance(node, t.Call) or origin.how != "value":
        return None
    if origin.module.names.is_a(node.func, *HOLDERS) and len(node.args) == 1 and isinstance(node.args[0].value, t.Call):
        node = node.args[0].value
    if not isinstance(node.func, t.Attribute) or node.func.attr not in GENERATORS:
        return None
    receiver = node.func.value
    role = view.role(receiver, origin.module)
    own = [view.facts.world.class_kind(holder) for holder in view.facts.world.classes_of(origin.module, receiver)]
    return node if (any(own) if own else role in (apis.MODULE, apis.EMA)) else None


def _report(view: View, saved: Saved, origin: Origin, call: t.Call) -> Report:
    here = origin.module is view.module
    whole = origin.node
    method = last_name(call.func)
    if whole is call:
        what = f"`.{method}()` is a generator: `torch.save` raises and leaves a wreck in place of the old file"
    elif method == "parameters":
        what = "a list of parameters has no names and no buffers: nothing restores from it"
    else:
        what = f"`.{method}()` is only a part of the state: `load_state_dict` misses the rest"
    assert isinstance(call.func, t.Attribute)
    others = () if here else (Other(origin.module, whole, "the parameters"),)
    fix = None
    if here and is_editable(whole):
        text = f"{view.code(call.func.value)}.state_dict()"
        fix = Fix(Applicability.UNSAFE, f"Save `{text}`", replace(whole.span, text))
    node = whole if here else saved.save.call
    return Report(node, f"{what}; save its `state_dict()`", fix, others=others, call=saved.save.call)
