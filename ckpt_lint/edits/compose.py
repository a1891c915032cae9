"""Which fixes go into a text together.

A fix goes in whole or waits for the next round, when the text has been read again. Fixes are taken in source order;
an edit that another fix makes just so is made once. Two fixes stand in each other's way where their edits overlap, and
where they insert at one point or at the rim of what the other replaces: `)` and `()` in either order give different
programs. Further items of a list and whole lines are the exception: their order changes nothing.
"""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ckpt_lint.model import Edit, Fix, Span

_ITEM_STARTS = (",", ";", "\n")
_ITEM_ENDS = ("\n", "; ")


@dataclass(frozen=True, slots=True)
class Composition:
    """The edits of one round, in the order of the text, and the indices of the fixes that are in it or not.

    `broken` fixes can never be applied: their own edits overlap.
    """

    edits: tuple[Edit, ...]
    taken: tuple[int, ...]
    waiting: tuple[int, ...]
    broken: tuple[int, ...]


def compose(fixes: Sequence[Fix]) -> Composition:
    """Choose the fixes of one round. The result does not depend on the order of `fixes`, but for the indices."""
    edits: list[Edit] = []
    known: set[Edit] = set()
    taken: list[int] = []
    waiting: list[int] = []
    broken: list[int] = []
    for index in sorted(range(len(fixes)), key=lambda index: _order(fixes[index])):
        own = dict.fromkeys(fixes[index].edits)
        if _overlap(tuple(own)):
            broken.append(index)
            continue
        new = [edit for edit in own if edit not in known]
        if any(other not in own and _conflict(edit, other) for edit in new for other in _touching(edits, edit)):
            waiting.append(index)
            continue
        for edit in new:
            bisect.insort_right(edits, edit, key=_place)
        known.update(new)
        taken.append(index)
    return Composition(tuple(edits), tuple(sorted(taken)), tuple(sorted(waiting)), tuple(sorted(broken)))


def _place(edit: Edit) -> tuple[Span, int]:
    """By span; at one point, whole lines go before what belongs to the expression there, or behind it."""
    rank = 0 if edit.text.endswith("\n") else 2 if edit.text.startswith((";", "\n")) else 1
    return (edit.span, rank)


def _order(fix: Fix) -> tuple[Edit, ...]:
    return tuple(sorted(fix.edits, key=lambda edit: edit.span))


def _overlap(edits: tuple[Edit, ...]) -> bool:
    ordered = sorted(edits, key=lambda edit: edit.span)
    return any(after.span.start < before.span.end for before, after in itertools.pairwise(ordered))


def _touching(edits: list[Edit], edit: Edit) -> Iterator[Edit]:
    """Those of the ordered `edits`, none of which overlap, that share a place or a border with `edit`."""
    first = bisect.bisect_left(edits, edit.span.start, key=lambda other: other.span.end)
    return itertools.takewhile(lambda other: other.span.start <= edit.span.end, itertools.islice(edits, first, None))


def _conflict(one: Edit, other: Edit) -> bool:
    """Whether two different edits of different fixes cannot go into one round."""
    first, second = sorted((one, other), key=lambda edit: edit.span)
    if second.span.start < first.span.end:
        return True
    if second.span.start > first.span.end:
        return False
    inserts = [edit for edit in (first, second) if edit.span.start == edit.span.end]
    return bool(inserts) and not (
        all(edit.text.startswith(_ITEM_STARTS) for edit in inserts)
        or all(edit.text.endswith(_ITEM_ENDS) for edit in inserts)
    )
