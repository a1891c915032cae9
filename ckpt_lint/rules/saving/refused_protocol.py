"""CKP114."""

from __future__ import annotations

from collections.abc import Iterator

from ckpt_lint.edits import remove_argument
from ckpt_lint.facts.saved import is_editable
from ckpt_lint.facts.saves import Save
from ckpt_lint.facts.view import Report, View
from ckpt_lint.model import Applicability, Fix, Page, RuleInfo, Severity
from ckpt_lint.source import tree as t

ACCEPTED = (2, 3)
NAMED = {"DEFAULT_PROTOCOL": "the default protocol of Python (4, and 5 from 3.14 on)", "HIGHEST_PROTOCOL": "protocol 5"}

RULE = RuleInfo(
    code="CKP114",
    name="refused-protocol",
    severity=Severity.ERROR,
    on=True,
    fix=Applicability.SAFE,
    fix_shape="argument-removed",
    groups=("torch26",),
    artifact=True,
    page=Page(
        summary="A checkpoint is pickled with a protocol that the default load refuses.",
        why=(
            "The unpickler of `weights_only=True` reads protocols 2 and 3. A file of protocol 0, 1, 4 or 5 raises "
            "`UnpicklingError: Unsupported operand 149` (100 and 73 for 0 and 1), however plain its content."
        ),
        bad="""\
import torch

def save(model, path):
    torch.save(model.state_dict(), path, pickle_protocol=4)
""",
        good="""\
import torch

def save(model, path):
    torch.save(model.state_dict(), path)
""",
        silent=(
            "protocols 2 and 3",
            "a protocol that is computed, or comes as a parameter",
            "a call of a save wrapper whose own save has the protocol: that save is reported, once",
        ),
        fix_safety="Safe: protocol 2 holds the same, and every torch reads it.",
        sources=("https://docs.pytorch.org/docs/stable/generated/torch.save.html",),
    ),
)


def check(view: View) -> Iterator[Report]:
    """Saves with a constant protocol other than 2 and 3."""
    for save in view.saver_calls:
        value = save.options.get("pickle_protocol")
        if value is None:
            continue
        what = _refused(view, save, value)
        if what is not None:
            yield _report(view, save, value, what)


def _refused(view: View, save: Save, value: t.Expr) -> str | None:
    module = save.module
    for name in module.names.of(value):
        head, _, last = name.rpartition(".")
        if last in NAMED and head in ("pickle", "_pickle", "cPickle", "dill", "cloudpickle"):
            return NAMED[last]
    constant = module.constant(value)
    if constant is not None and isinstance(constant.value, int) and not isinstance(constant.value, bool):
        return f"protocol {constant.value}" if constant.value not in ACCEPTED else None
    if isinstance(value, t.UnaryOp) and value.op == "-":
        return NAMED["HIGHEST_PROTOCOL"]
    return None


def _report(view: View, save: Save, value: t.Expr, what: str) -> Report:
    message = f"the file is pickled with {what}, which the default load (torch 2.6 and newer) refuses; leave it out"
    argument = next((arg for arg in save.call.args if arg.value is value), None)
    if argument is None or not is_editable(save.call):
        return Report(save.call, message)
    edits = remove_argument(view.text, save.call.span, argument.span)
    fix = Fix(Applicability.SAFE, "Leave the protocol to torch", edits)
    return Report(save.call, message, fix)
