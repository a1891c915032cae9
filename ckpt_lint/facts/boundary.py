"""Whether `weights_only=True` can stand at a load, and what it is worth on the torch that a project declares."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ckpt_lint import apis
from ckpt_lint.facts.guards import tests_above
from ckpt_lint.facts.loads import Load
from ckpt_lint.facts.paths import path_facts
from ckpt_lint.facts.refused_loads import refused_by
from ckpt_lint.facts.whole import module_uses
from ckpt_lint.source import tree as t

if TYPE_CHECKING:
    from ckpt_lint.facts.view import View

HUB_PARAMETER_SINCE = "2.1"
"""torch 2.0.1 has no `weights_only` for the hub loader, 2.3.1 has it (TORCH_FACTS 13); nothing is known in between."""

_TAKEN_WITH_TRUE = frozenset(
    {"f", "url", "map_location", "mmap", "model_dir", "progress", "check_hash", "file_name", "weights_only"}
)
"""Arguments that go together with `weights_only=True`; all others are the unpickler's, or make it raise."""


def boundary(view: View) -> str:
    """A reminder where the declared torch admits releases whose `weights_only=True` is no boundary."""
    if view.bounds.declared and view.bounds.admits_below("2.10"):
        return " (`weights_only=True` is a boundary against hostile files only from torch 2.10 on)"
    return ""


def trusted(view: View, load: Load) -> bool:
    """Whether the loaded path is a bundled file that the settings trust."""
    text = path_facts(view.facts.values, load.path_module, load.path)
    return text.constant and view.settings.trusted(text.text) is not None


def asked_for_false(load: Load) -> bool:
    """Whether a load runs only where the caller said no: `if not weights_only: return torch.load(path)`."""
    return any(
        not test.outcome and isinstance(test.test, t.Name) and test.test.id == "weights_only"
        for test in tests_above(load.call)
    )


def without_weights_only(view: View, load: Load) -> str | None:
    """Why the argument cannot be given on the declared torch; None where it can."""
    if load.api == apis.HUB_LOAD:
        if view.bounds.declared and view.bounds.admits_below(HUB_PARAMETER_SINCE):
            return "the hub loader of torch 2.0, which the manifest admits, has no `weights_only`"
    elif view.bounds.lacks_weights_only:
        return "`weights_only` exists from torch 1.13 on, and the declared torch admits older releases"
    return None


def withheld_because(view: View, load: Load) -> str | None:
    """Why `weights_only=True` would surely break a load; None where nothing is known against it."""
    absent = without_weights_only(view, load)
    if absent is not None:
        return absent
    if load.has("pickle_module"):
        return "`weights_only=True` together with a `pickle_module` raises"
    other = sorted(set(load.given) - _TAKEN_WITH_TRUE - {"pickle_module"})
    if other:
        return f"`{other[0]}` only works with `weights_only=False`"
    refused = refused_by(view, load)
    if refused is not None:
        return f"the matching save writes {refused.what}, which `weights_only=True` refuses"
    if module_uses(view.facts.world, view.facts.restores, load):
        return "the file holds a pickled module, which `weights_only=True` refuses"
    return None
