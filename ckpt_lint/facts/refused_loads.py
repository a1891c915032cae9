"""Loads that cannot read what the project's own saves write: RULES.md, CKP311."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ckpt_lint import apis
from ckpt_lint.facts.allowlists import allowed_classes
from ckpt_lint.facts.loads import Load
from ckpt_lint.facts.matching import HALF
from ckpt_lint.facts.reads import keys_read
from ckpt_lint.facts.refused import Refused, refused_values

if TYPE_CHECKING:
    from ckpt_lint.facts.view import View

DISTINCTIVE = 3
"""A key of fewer letters than this says nothing about where it comes from."""


def refuses(view: View, load: Load) -> bool:
    """Whether a load has `weights_only=True`, or the default of some allowed torch that is 2.6 or newer."""
    if load.api != apis.TORCH_LOAD or load.open or load.has("pickle_module"):
        return False
    if not load.has("weights_only"):
        return view.bounds.admits_at_least("2.6")
    constant = load.constant("weights_only")
    return constant is not None and constant.value is True


def refused_by(view: View, load: Load) -> Refused | None:
    """The first value that the nearest matching save writes and that `weights_only=True` refuses at this load."""
    match = view.match(load)
    if match.nearest is not None:
        found = [r for r in refused_values(view, match.nearest) if not _allowed(view, load, r)]
        return found[0] if found else None
    return _by_one_key(view, load)


def _by_one_key(view: View, load: Load) -> Refused | None:
    """The load reads one distinctive key, and every save that writes it holds a refused value."""
    keys = [key for key in keys_read(view.facts.restores, load) if key not in HALF and len(key) >= DISTINCTIVE]
    matching = view.facts.matching
    if not keys or matching.leaves_to_framework(load.module):
        return None
    for key in keys:
        saves = [s for s in matching.saves_writing(key, load) if key in view.checkpoint(s).keys]
        refused = [next((r for r in refused_values(view, s) if not _allowed(view, load, r)), None) for s in saves]
        first = refused[0] if refused else None
        if first is not None and all(refused):
            return first
    return None


def _allowed(view: View, load: Load, refused: Refused) -> bool:
    names = allowed_classes(view.facts.world, load.module)
    return bool(names) and (not refused.classes or bool(set(refused.classes) & names))
