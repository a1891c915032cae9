"""CKP306."""

from __future__ import annotations

from collections.abc import Iterator

from ckpt_lint.edits import replace
from ckpt_lint.facts.locations import constant_locations, needs_cuda
from ckpt_lint.facts.view import Report, View
from ckpt_lint.model import Applicability, Fix, Page, RuleInfo, Severity
from ckpt_lint.source import tree as t
from ckpt_lint.source.scan import tokens

RULE = RuleInfo(
    code="CKP306",
    name="hard-coded-cuda-location",
    severity=Severity.WARNING,
    on=True,
    fix=Applicability.UNSAFE,
    fix_shape="text-replaced",
    groups=("portability",),
    page=Page(
        summary="`map_location` is a constant CUDA device.",
        why=(
            "The load raises on a host without CUDA, whatever device the file was saved on, and puts everything on "
            'one GPU elsewhere. Load to `"cpu"` and move the model; `load_state_dict` copies to where it is.'
        ),
        bad="""\
import torch

def restore(model, path):
    model.load_state_dict(torch.load(path, map_location="cuda:0", weights_only=True))
""",
        good="""\
import torch

def restore(model, path):
    model.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
""",
        silent=(
            "f-strings with a rank, devices and functions with a computed index, and variables",
            "a test of `torch.cuda.is_available()`, or of an option such as `args.cuda`, stands around or before it",
            "the file asserts that CUDA is there, or exits without it",
        ),
        fix_safety="Unsafe: a tensor that is used directly is on the CPU then.",
        sources=("https://docs.pytorch.org/docs/stable/generated/torch.load.html",),
    ),
)


def check(view: View) -> Iterator[Report]:
    """Loads to a CUDA device that may not be there."""
    seen: set[int] = set()
    for found, value, location in constant_locations(view, RULE.code):
        if not location.cuda or value.start in seen or isinstance(value, (t.Name, t.Attribute)):
            continue
        if needs_cuda(found.load.module, found.load.call):
            continue
        seen.add(value.start)
        message = (
            f"`map_location` is {location.text}: the load raises on a host without CUDA; load to `\"cpu\"` and move "
            "the model"
        )
        commented = any(token.kind == "comment" for token in tokens(view.text, value.span.start, value.span.end))
        fix = None if commented else Fix(Applicability.UNSAFE, 'Load to `"cpu"`', replace(value.span, '"cpu"'))
        call = found.load.call if found.default is None else None
        withheld = "a comment stands in it" if commented else None
        yield Report(value, message, fix, call=call, argument="device" if call else None, fix_withheld=withheld)
