"""CKP102."""

from __future__ import annotations

from collections.abc import Iterator

from ckpt_lint.edits import insert
from ckpt_lint.facts.saved import is_editable
from ckpt_lint.facts.uncalled import Uncalled, uncalled
from ckpt_lint.facts.view import Other, Report, View
from ckpt_lint.model import Applicability, Fix, Page, RuleInfo, Severity

RULE = RuleInfo(
    code="CKP102",
    name="state-dict-not-called",
    severity=Severity.ERROR,
    on=True,
    fix=Applicability.SAFE,
    fix_shape="parentheses-added",
    groups=("torch26",),
    in_tests=True,
    page=Page(
        summary="`x.state_dict` is saved or loaded without being called.",
        why=(
            "`torch.save` pickles the bound method without a word, and with it the whole object that it belongs to. "
            "The file is seen to be useless only when somebody needs it: the default load refuses it "
            "(`Unsupported global: GLOBAL getattr`), and with `weights_only=False` it gives a method, for which "
            "`load_state_dict` raises `TypeError: Expected state_dict to be dict-like, got <class 'method'>`."
        ),
        bad="""\
import torch

def save(model, path):
    torch.save(model.state_dict, path)
""",
        good="""\
import torch

def save(model, path):
    torch.save(model.state_dict(), path)
""",
        silent=(
            "`x.state_dict()`",
            "a field of that name: `snapshot.state_dict` of a value that is no module, optimizer or the like",
            "a method that is handed over to be called later, and is neither saved nor restored",
        ),
        fix_safety="Safe: the file was unusable before.",
        sources=("https://docs.pytorch.org/docs/stable/notes/serialization.html",),
    ),
)


def check(view: View) -> Iterator[Report]:
    """Methods that are saved or restored in place of what they return."""
    for found in uncalled(view):
        yield _report(view, found)


def _report(view: View, found: Uncalled) -> Report:
    here = found.module is view.module
    name = view.code(found.attribute) if here else f"….{found.attribute.attr}"
    if found.saved:
        message = f"`{name}` is saved without being called: the file holds a method, which nothing restores from"
    else:
        message = f"`{name}` is given to `load_state_dict` without being called: it raises `TypeError`"
    if not here:
        others = (Other(found.module, found.attribute, "the method that is not called"),)
        return Report(found.call, f"{message}; add the parentheses", others=others)
    edits = insert(found.attribute.end, "()") if is_editable(found.attribute) else ()
    fix = Fix(Applicability.SAFE, "Call it", edits)
    return Report(found.attribute, f"{message}; add the parentheses", fix, call=found.call)
