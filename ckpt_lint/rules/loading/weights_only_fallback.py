"""CKP312."""

from __future__ import annotations

from collections.abc import Iterator

from ckpt_lint.facts.fallbacks import fallbacks
from ckpt_lint.facts.view import Other, Report, View
from ckpt_lint.model import Page, RuleInfo, Severity

RULE = RuleInfo(
    code="CKP312",
    name="weights-only-fallback",
    severity=Severity.ERROR,
    on=True,
    groups=("security", "torch26"),
    page=Page(
        summary="A load with `weights_only=True` falls back to a load without it.",
        why=(
            "Whoever wants code to run only has to make the first load fail: a crafted file does, and also raises "
            "`TypeError` at will. The right form for old torch is a test of the version before the load."
        ),
        bad="""\
import torch

def restore(path):
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception:
        return torch.load(path, map_location="cpu", weights_only=False)
""",
        good="""\
import torch

def restore(path):
    return torch.load(path, map_location="cpu", weights_only=True)
""",
        silent=(
            "the handler loads in full only where a parameter, an option, the environment or an answer asks for it",
            "a test of torch's version, before the load or in the handler",
            "the handler loads another file, or only raises",
            "a handler without `weights_only` where the project declares torch >= 2.6, whose default is True",
        ),
        sources=("https://docs.pytorch.org/docs/stable/notes/serialization.html",),
    ),
)


def check(view: View) -> Iterator[Report]:
    """Safe loads whose failure is answered by an unsafe one of the same file."""
    for safe, unsafe in fallbacks(view):
        message = (
            "when this load fails, the handler unpickles the same file without `weights_only=True`: a crafted file "
            "makes it fail, and then its code runs"
        )
        other = (Other(unsafe.module, unsafe.call, "the fallback"),)
        yield Report(safe.call, message, others=other, call=safe.call, argument="pickle", over=(unsafe.call,))
