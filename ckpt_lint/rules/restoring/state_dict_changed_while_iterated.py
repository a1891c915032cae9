"""CKP414."""

from __future__ import annotations

from collections.abc import Iterator

from ckpt_lint.edits import wrap
from ckpt_lint.facts.mutations import iterated_dict, mutations
from ckpt_lint.facts.state_dicts import StateDicts
from ckpt_lint.facts.view import Other, Report, View
from ckpt_lint.model import Applicability, Fix, Page, RuleInfo, Severity
from ckpt_lint.source import tree as t

RULE = RuleInfo(
    code="CKP414",
    name="state-dict-changed-while-iterated",
    severity=Severity.ERROR,
    on=True,
    fix=Applicability.SAFE,
    fix_shape="call-wrapped",
    page=Page(
        summary="A loop over a state dict deletes keys from it, or adds keys to it.",
        why=(
            "A dict must not change its size while it is iterated: the next round raises `RuntimeError: dictionary "
            "changed size during iteration` (an `OrderedDict` says `mutated during iteration`)."
        ),
        bad="""\
def without_head(state_dict):
    for key in state_dict:
        if key.startswith("head."):
            del state_dict[key]
    return state_dict
""",
        good="""\
def without_head(state_dict):
    for key in list(state_dict):
        if key.startswith("head."):
            del state_dict[key]
    return state_dict
""",
        silent=(
            "`list(...)` (or another copy) stands around what is iterated",
            "another dict is changed",
            "a comprehension",
            "the value of the key that the loop is at is replaced",
            "the loop is left right after the change",
        ),
        fix_safety="Safe: the loop goes through a list of the keys, and no longer raises.",
        sources=("https://docs.python.org/3/library/stdtypes.html#dictionary-view-objects",),
    ),
)


def check(view: View) -> Iterator[Report]:
    """`for` loops over a state dict that change its keys."""
    states = StateDicts(view.facts.values, view.facts.restores)
    for loop in view.module.nodes:
        if not isinstance(loop, t.For):
            continue
        source = iterated_dict(view.module, loop)
        if source is None:
            continue
        first = next(mutations(view.module, loop, source), None)
        if first is None or not states.holds(view.module, source):
            continue
        what = "removes keys from" if first.removes else "adds keys to"
        name = view.code(source)
        message = f"the loop {what} `{name}` while it goes through it: the next round raises RuntimeError"
        others = (Other(view.module, first.node, f"`{name}` changes here"),)
        yield Report(loop, f"{message}. Go through a list of the keys", _fix(view, loop), others=others)


def _fix(view: View, loop: t.For) -> Fix | None:
    """Wrap what is iterated in `list(...)`; inside of an `enumerate(...)`."""
    inner = loop.iter
    if isinstance(inner, t.Call) and view.module.names.is_a(inner.func, "builtins.enumerate"):
        inner = inner.args[0].value
    if "list" in view.module.scopes.module.bindings:
        return None
    return Fix(Applicability.SAFE, f"Go through `list({view.code(inner)})`", wrap(inner.span, "list(", ")"))
