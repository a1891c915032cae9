"""Whether a dict is a state dict (or a checkpoint): by where it comes from, where it goes, and what it is called."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ckpt_lint.facts.kinds import LOADED, STATE_DICT
from ckpt_lint.facts.restores import Restores
from ckpt_lint.facts.roles import role_of
from ckpt_lint.facts.saves import Save
from ckpt_lint.facts.values import Values
from ckpt_lint.source import tree as t
from ckpt_lint.source.module import ModuleFacts, last_name

if TYPE_CHECKING:
    from ckpt_lint.facts.view import View

NAMED = re.compile(
    r"state_?dicts?|(^|_)(sd|ckpts?|checkpoints?|ckp)($|_)|checkpoint|(^|_)weights?($|_)|pretrained|_params$|^params$",
    re.IGNORECASE,
)
COPIES = frozenset({
    "list", "sorted", "tuple", "dict", "OrderedDict", "deepcopy", "copy", "reversed", "enumerate", "tqdm",
})  # fmt: skip
"""Functions that hand on the keys or entries of what they are given."""


class StateDicts:
    """Asks of expressions whether they are state dicts."""

    def __init__(self, values: Values, restores: Restores) -> None:
        self.values = values
        self.restores = restores

    def holds(self, module: ModuleFacts, expr: t.Expr) -> bool:
        """Whether an expression is a state dict, or a checkpoint that has one."""
        if self.values.kinds(module, expr) & {STATE_DICT, LOADED} or self.restores.parts(module, expr):
            return True
        return any(NAMED.search(name) for name in _called(expr)) or self._restored(module, expr)

    def _restored(self, module: ModuleFacts, expr: t.Expr) -> bool:
        """Whether a variable is given to `load_state_dict`."""
        calls = (place.parent.parent for place in module.uses(expr) if isinstance(place.parent, t.Argument))
        return any(isinstance(call, t.Call) and last_name(call.func) == "load_state_dict" for call in calls)


def _called(expr: t.Expr) -> list[str]:
    """What a dict is called: a variable, the key of an entry and what holds it, the function that gave it."""
    names: list[str] = []
    while isinstance(expr, t.Subscript):
        if isinstance(expr.sub, t.Constant) and isinstance(expr.sub.value, str):
            names.append(expr.sub.value)
        expr = expr.value
    return [*names, last_name(expr.func if isinstance(expr, t.Call) else expr)]


@dataclass(frozen=True, slots=True, eq=False)
class KeyLoop:
    """The loop or comprehension that a key comes from, and the dict that it goes through."""

    loop: t.For | t.Generator
    source: t.Expr

    @property
    def whole(self) -> t.Node:
        """The whole of the loop: for a generator its comprehension."""
        return self.loop.parent if isinstance(self.loop, t.Generator) else self.loop

    @property
    def by_items(self) -> bool:
        """Whether the loop asks for `.items()` or `.keys()`, as one asks a dict and no list."""
        return any(isinstance(n, t.Attribute) and n.attr in ("items", "keys") for n in t.walk(self.loop.iter))


def key_loop(values: Values, module: ModuleFacts, expr: t.Expr) -> KeyLoop | None:
    """The loop over a dict whose key an expression is, itself; None where it is no such key."""
    for origin in values.origins(module, expr):
        loop = origin.node.parent
        if origin.how != "item" or origin.module is not module or not isinstance(loop, (t.For, t.Generator)):
            continue
        source, place = loop.iter, list(origin.at)
        if isinstance(source, t.Call) and module.names.is_a(source.func, "builtins.enumerate") and place[:1] == [1]:
            source, place = source.args[0].value, place[1:]
        inner, pairs = _unwrapped(source)
        if place == ([0] if pairs else []):
            return KeyLoop(loop, inner)
    return None


def _unwrapped(source: t.Expr) -> tuple[t.Expr, bool]:
    """The dict that is gone through, and whether by pairs."""
    pairs = False
    while isinstance(source, t.Call):
        name = last_name(source.func)
        if isinstance(source.func, t.Attribute) and name in ("keys", "items", "copy") and not source.args:
            pairs = pairs or name == "items"
            source = source.func.value
        elif name in COPIES and source.args and not source.args[0].star:
            source = source.args[0].value
        else:
            break
    return source, pairs


def is_bare_state_dict(view: View, save: Save) -> bool:
    """Whether a save writes a module's state dict and nothing else."""
    checkpoint = view.checkpoint(save)
    if checkpoint.shape != "object" or len(checkpoint.entries) != 1:
        return False
    entry = checkpoint.entries[0]
    value = entry.value
    if isinstance(value, t.Call) and isinstance(value.func, t.Attribute) and value.func.attr == "state_dict":
        return role_of(view.facts.values, entry.module, value.func.value) is not None
    return STATE_DICT in view.facts.values.kinds(entry.module, value)
