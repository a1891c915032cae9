"""The catalogue: every rule, one row each. A rule is a module with `RULE` (what it is) and `check` (what it sees)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from ckpt_lint.facts.view import Report, View
from ckpt_lint.model import RuleInfo
from ckpt_lint.rules.loading import load_without_map_location, load_without_weights_only
from ckpt_lint.rules.restoring import load_state_dict_result_as_module
from ckpt_lint.rules.saving import whole_module_save


class RuleModule(Protocol):
    """The shape of a rule's module."""

    RULE: RuleInfo

    def check(self, view: View) -> Iterator[Report]:
        """The rule's findings in one module."""
        ...


MODULES: tuple[RuleModule, ...] = (
    whole_module_save,  # type: ignore[assignment]
    load_without_map_location,  # type: ignore[assignment]
    load_without_weights_only,  # type: ignore[assignment]
    load_state_dict_result_as_module,  # type: ignore[assignment]
)
ALL: tuple[RuleInfo, ...] = tuple(module.RULE for module in MODULES)
