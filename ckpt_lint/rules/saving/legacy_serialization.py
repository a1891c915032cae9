"""CKP108."""

from __future__ import annotations

from collections.abc import Iterator

from ckpt_lint.edits import remove_argument
from ckpt_lint.facts.saved import is_editable
from ckpt_lint.facts.saves import Save
from ckpt_lint.facts.view import Report, View
from ckpt_lint.model import Applicability, Fix, Page, RuleInfo, Severity
from ckpt_lint.source import tree as t

FORMAT = "_use_new_zipfile_serialization"
PICKLER = "pickle_module"
WHY = {
    FORMAT: "the file has the format from before torch 1.6, without `mmap=True` and without checks for damage",
    PICKLER: "the file is written by a pickler of its own, and may need the same one to be read, which is never safe",
}

RULE = RuleInfo(
    code="CKP108",
    name="legacy-serialization",
    severity=Severity.WARNING,
    on=True,
    fix=Applicability.UNSAFE,
    fix_shape="argument-removed",
    artifact=True,
    page=Page(
        summary="A file is saved in the legacy format, or by a pickler of its own.",
        why=(
            "`_use_new_zipfile_serialization=False` writes the format of torch 1.5: no `mmap=True`, no CRC, and the "
            "whole file must be read to reach one tensor. A `pickle_module` such as dill writes what only the same "
            "module reads back; `torch.load(..., pickle_module=...)` unpickles everything, on every torch."
        ),
        bad="""\
import torch

def save(model, path):
    torch.save(model.state_dict(), path, _use_new_zipfile_serialization=False)
""",
        good="""\
import torch

def save(model, path):
    torch.save(model.state_dict(), path)
""",
        silent=(
            "`_use_new_zipfile_serialization=True`, or a computed value",
            "`pickle_module=pickle`, which is the default",
            "a save to a buffer in memory",
            "a call of a save wrapper whose own save has the option: that save is reported, once",
        ),
        fix_safety="Unsafe: a torch older than 1.6, or a reader in another language, may need the old format.",
        sources=("https://docs.pytorch.org/docs/stable/notes/serialization.html#torch-save",),
    ),
)


def check(view: View) -> Iterator[Report]:
    """Saves to files whose options ask for something old or odd."""
    for save in view.saver_calls:
        asked = [name for name in (FORMAT, PICKLER) if name in save.options and _asks(save, name, save.options[name])]
        if asked and not view.facts.saves.in_memory(save):
            yield from (_report(view, save, name, save.options[name]) for name in asked)


def _asks(save: Save, name: str, value: t.Expr) -> bool:
    module = save.module
    if name == FORMAT:
        constant = module.constant(value)
        return constant is not None and constant.value is False
    names = module.names.of(value)
    return bool(names) and not set(names) & {"pickle", "cPickle", "_pickle"} and not names[0].startswith("builtins.")


def _report(view: View, save: Save, name: str, value: t.Expr) -> Report:
    message = f"`{name}=`: {WHY[name]}; leave it out"
    argument = next((arg for arg in save.call.args if arg.value is value), None)
    if argument is None or argument.keyword is None or not is_editable(save.call):
        return Report(save.call, message)
    edits = remove_argument(view.text, save.call.span, argument.span)
    return Report(save.call, message, Fix(Applicability.UNSAFE, f"Leave `{name}` out", edits))
