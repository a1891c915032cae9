"""CKP112."""

from __future__ import annotations

from collections.abc import Iterator

from ckpt_lint.edits import insert
from ckpt_lint.facts.saved import Saved, is_editable, saved_values
from ckpt_lint.facts.view import Other, Report, View
from ckpt_lint.facts.views import view_in
from ckpt_lint.model import Applicability, Fix, Page, RuleInfo, Severity
from ckpt_lint.source import tree as t

RULE = RuleInfo(
    code="CKP112",
    name="view-saved",
    severity=Severity.WARNING,
    on=False,
    fix=Applicability.SAFE,
    fix_shape="attribute-added",
    artifact=True,
    page=Page(
        summary="A slice or view of a larger tensor is saved.",
        why=(
            "A file holds whole storages: ten rows of a table of a thousand take the room of the table, 4 MB instead "
            "of 5 kB, and whoever loads the rows keeps all of it in memory. `copy.deepcopy` copies the whole storage "
            "too, and `.contiguous()` copies nothing where the rows lie together already; `.clone()` does."
        ),
        bad="""\
import torch

def save(path):
    table = torch.randn(1000, 1000)
    torch.save(table[:10], path)
""",
        good="""\
import torch

def save(path):
    table = torch.randn(1000, 1000)
    torch.save(table[:10].clone(), path)
""",
        silent=(
            "`.clone()`, `.half()` and other copies; `.contiguous()` of a column",
            "indexing with a list, a mask or a tensor, which copies",
            "slices of lists, arrays and of values that nothing shows to be tensors",
        ),
        fix_safety="Safe: the values are the same. Views that were saved together no longer share their memory.",
        sources=("https://docs.pytorch.org/docs/stable/notes/serialization.html#saving-and-loading-tensors-preserves-views",),
    ),
)


def check(view: View) -> Iterator[Report]:
    """Views whose whole storage goes to disk."""
    for save in view.saves:
        for saved in saved_values(view.facts.checkpoints, save):
            found = view_in(view.facts.values, saved.module, saved.value)
            if found is not None:
                yield _report(view, saved, found)


def _report(view: View, saved: Saved, found: t.Expr) -> Report:
    node = saved.where(view.module)
    here = node is saved.value
    fix = None
    if here and is_editable(node) and isinstance(node, (t.Subscript, t.Call, t.Name, t.Attribute)):
        fix = Fix(Applicability.SAFE, "Save a copy: `.clone()`", insert(node.end, ".clone()"))
    return Report(
        node,
        "this is a view, and the file gets the whole storage behind it: save `.clone()` of it",
        fix,
        others=() if here and found is node else (Other(saved.module, found, "the view"),),
        call=saved.call_in(view.module),
    )
