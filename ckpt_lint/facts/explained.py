"""The facts behind a line, in words: why something fired there, or stayed silent."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ckpt_lint import apis
from ckpt_lint.facts.loads import Load
from ckpt_lint.facts.restores import Restore
from ckpt_lint.facts.saves import Save
from ckpt_lint.facts.view import View
from ckpt_lint.source import tree as t
from ckpt_lint.source.module import ModuleFacts

Place = Callable[[ModuleFacts, t.Node], str]
"""How a place in another file is named."""


def facts_at(view: View, start: int, end: int, elsewhere: Place) -> Iterator[str]:
    """One line a fact, of the loads, saves and restores that begin or end between two offsets."""
    for load in view.loads:
        if _touches(load.call, start, end):
            yield from _of_load(view, load, elsewhere)
    for save in view.saves:
        if _touches(save.call, start, end):
            yield from _of_save(view, save)
    for save in view.facts.saves.direct(view.module):
        if save.passed and _touches(save.call, start, end):
            yield "save: passes a parameter on, so the function around it is a save wrapper and its calls are judged"
    for restore in view.restores:
        if _touches(restore.call, start, end):
            yield from _of_restore(view, restore, elsewhere)


def _touches(node: t.Node, start: int, end: int) -> bool:
    return node.start < end and start < node.end


def _of_load(view: View, load: Load, elsewhere: Place) -> Iterator[str]:
    through = f", through the load wrapper {_name(load.wrapper.node)}" if load.wrapper is not None else ""
    yield f"load: {load.api}{through}"
    given = ", ".join(sorted(load.given)) or "none"
    yield f"  arguments: {given}{' and perhaps more (**kwargs)' if load.open else ''}"
    if load.forwards:
        yield f"  left to the callers of the function around it: {', '.join(sorted(load.forwards))}"
    if load.api == apis.TORCH_LOAD and not load.has("weights_only") and view.bounds.default_is_safe:
        yield "  `weights_only` is True by default in every torch that is declared"
    match = view.match(load)
    if not match.saves:
        yield "  matching save: none was found"
    for number, save in enumerate(match.saves):
        rank = "the nearest" if number == 0 else "another"
        yield f"  matching save: {rank}, by {match.by}, at {_where(view, save.module, save.call, elsewhere)}"
    flow = view.flow(load)
    if flow.reads:
        yield f"  keys read: {', '.join(dict.fromkeys(read.key for read in flow.reads))}"
    uses = ", ".join(sorted(use.value for use in flow.uses)) or "nothing that is followed"
    yield f"  what becomes of it: {uses}"


def _of_save(view: View, save: Save) -> Iterator[str]:
    through = f", through the save wrapper {_name(save.wrapper.node)}" if save.wrapper is not None else ""
    memory = ", to a buffer in memory" if view.facts.saves.in_memory(save) else ""
    yield f"save: {save.api}{through}{memory}"
    checkpoint = view.checkpoint(save)
    more = ", and perhaps more (not all of it can be read)" if checkpoint.open else ""
    yield f"  what is saved: {checkpoint.shape}, {_entries(len(checkpoint.entries))}{more}"
    for entry in checkpoint.entries:
        states = ", ".join(sorted(view.facts.checkpoints.states(entry))) or "nothing that counts as training state"
        left_out = " (None: left out on purpose)" if entry.left_out else ""
        yield f"    {entry.key if entry.key is not None else '(no key)'}: {states}{left_out}"


def _entries(number: int) -> str:
    return "1 entry" if number == 1 else f"{number} entries"


def _of_restore(view: View, restore: Restore, elsewhere: Place) -> Iterator[str]:
    yield f"restore: the receiver is {restore.role or 'nothing that is known'}"
    parts = view.facts.restores.parts(restore.module, restore.state)
    if not parts:
        yield "  what it is given does not come from a load in reach"
    for part in parts:
        keys = "".join(f"[{key!r}]" for key in part.keys)
        changed = ", changed on the way" if part.changed else ""
        yield f"  it is given the load at {_where(view, part.load.module, part.load.call, elsewhere)}{keys}{changed}"


def _name(node: t.FunctionDef | t.ClassDef) -> str:
    return f"`{node.name}`"


def _where(view: View, module: ModuleFacts, node: t.Node, elsewhere: Place) -> str:
    if module.path == view.module.path:
        place = view.source.location(node.start)
        return f"line {place.row}" if place.cell is None else f"cell {place.cell}, line {place.row}"
    return elsewhere(module, node)
