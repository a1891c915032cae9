"""CKP310."""

from __future__ import annotations

from collections.abc import Iterator

from ckpt_lint.facts.locations import constant_locations
from ckpt_lint.facts.view import Report, View
from ckpt_lint.model import Page, RuleInfo, Severity

RULE = RuleInfo(
    code="CKP310",
    name="invalid-map-location",
    severity=Severity.ERROR,
    on=True,
    groups=("portability",),
    page=Page(
        summary="A constant `map_location` raises, or matches nothing.",
        why=(
            "`map_location` is a location string (`\"cpu\"`, `\"cuda:1\"`), a `torch.device`, a function, or a dict "
            "from one exact tag to another. An int is called (`TypeError`), `\"cpu:0\"` is no tag "
            "(`RuntimeError: don't know how to restore data location`), and the key `\"cuda\"` matches no storage, for "
            "tags carry an index. `torch.jit.load` takes neither dicts nor functions."
        ),
        bad="""\
import torch

def restore(model, path):
    model.load_state_dict(torch.load(path, map_location=0, weights_only=True))
""",
        good="""\
import torch

def restore(model, path):
    model.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
""",
        silent=("computed values",),
        sources=("https://docs.pytorch.org/docs/stable/generated/torch.load.html",),
    ),
)


def check(view: View) -> Iterator[Report]:
    """Loads to a place that torch does not know."""
    seen: set[int] = set()
    for found, value, location in constant_locations(view, RULE.code):
        if location.invalid is None or value.start in seen:
            continue
        seen.add(value.start)
        message = f"`map_location={view.code(value)}` does not work: {location.invalid}"
        call = found.load.call if found.default is None else None
        yield Report(value, message, call=call, argument="device" if call else None)
