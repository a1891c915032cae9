"""Values that `weights_only=True` refuses and that can be seen at the save. The table is TORCH_FACTS 2, run on 2.13."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ckpt_lint import apis
from ckpt_lint.facts.checkpoints import Entry
from ckpt_lint.facts.saves import Save
from ckpt_lint.source import tree as t

if TYPE_CHECKING:
    from ckpt_lint.facts.view import View


@dataclass(frozen=True, slots=True)
class Refused:
    """An entry whose value the default load refuses: `what` it is, in words.

    `classes` are the last names of the classes that an allow-list would have to name, where they are known.
    """

    entry: Entry
    what: str
    classes: tuple[str, ...] = ()


def refused_values(view: View, save: Save) -> Sequence[Refused]:
    """The entries of a checkpoint that `weights_only=True` refuses."""
    return tuple(_refused(view, save))


def _refused(view: View, save: Save) -> Iterator[Refused]:
    for entry in view.checkpoint(save).entries:
        role = view.role(entry.value, entry.module)
        if role == apis.MODULE and not isinstance(entry.value, t.Call):
            yield Refused(entry, "a whole module")
