"""CKP402."""

from __future__ import annotations

from collections.abc import Iterator

from ckpt_lint.edits import add_import, wrap
from ckpt_lint.facts.kinds import PATH, STRING
from ckpt_lint.facts.receivers import is_torch_method
from ckpt_lint.facts.view import Report, View
from ckpt_lint.model import Applicability, Fix, Page, RuleInfo, Severity
from ckpt_lint.source import tree as t
from ckpt_lint.source.module import ModuleFacts

RULE = RuleInfo(
    code="CKP402",
    name="load-state-dict-from-path",
    severity=Severity.ERROR,
    on=True,
    fix=Applicability.UNSAFE,
    fix_shape="call-wrapped",
    in_tests=True,
    page=Page(
        summary="`load_state_dict` is given the path of a checkpoint.",
        why=(
            "`load_state_dict` takes the dict itself. A path raises `TypeError: Expected state_dict to be dict-like, "
            "got <class 'str'>`."
        ),
        bad="""\
import torch

def restore(model):
    model.load_state_dict("weights.pt")
""",
        good="""\
import torch

def restore(model):
    model.load_state_dict(torch.load("weights.pt", map_location="cpu", weights_only=True))
""",
        silent=(
            "a function of that name, of the project or of an imported module",
            "a class of the project defines the method",
            "the name is rebound to what was loaded, or may be something else than a path",
        ),
        fix_safety="Unsafe: the file may hold more than the bare state dict that the call needs.",
        sources=("https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html#torch.nn.Module.load_state_dict",),
    ),
)


def check(view: View) -> Iterator[Report]:
    """Restores that are given a path."""
    for restore in view.restores:
        if restore.state is None or not is_torch_method(view, restore):
            continue
        if _is_path(view, view.module, restore.state):
            message = (
                f"`load_state_dict` is given a path (`{view.code(restore.state)}`) and wants a dict: it raises "
                "TypeError. Load the file first"
            )
            fix, withheld = _fix(view, restore.state)
            yield Report(restore.call, message, fix, withheld)


def _is_path(view: View, module: ModuleFacts, expr: t.Expr) -> bool:
    """Whether a value is text or a path, wherever it may come from."""
    origins = view.facts.values.origins(module, expr)
    return bool(origins) and all(
        isinstance(o.node, t.Expr)
        and o.how == "value"
        and (_is_joined(view, o.module, o.node) or _is_text(view, o.module, o.node))
        for o in origins
    )


def _is_text(view: View, module: ModuleFacts, node: t.Expr) -> bool:
    kinds = view.facts.values.kinds(module, node)
    return bool(kinds) and kinds <= {STRING, PATH}


def _is_joined(view: View, module: ModuleFacts, node: t.Expr) -> bool:
    """`folder / "x.pt"`, `folder + "x.pt"`, `"%s.pt" % name`: text on one side."""
    if not isinstance(node, t.BinOp) or node.op not in ("+", "/", "%"):
        return False
    sides = (node.left,) if node.op == "%" else (node.left, node.right)
    return any(_is_path(view, module, side) for side in sides)


def _fix(view: View, state: t.Expr) -> tuple[Fix | None, str | None]:
    if view.bounds.lacks_weights_only:
        return None, "`weights_only` exists from torch 1.13 on, and the declared torch admits older releases"
    imports = add_import(view.source, view.part, "import torch")
    if imports is None:
        return None, None
    edits = (*imports, *wrap(state.span, "torch.load(", ', map_location="cpu", weights_only=True)'))
    return Fix(Applicability.UNSAFE, "Load the file first", edits), None
