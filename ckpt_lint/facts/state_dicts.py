"""Whether a dict is a state dict (or a checkpoint): by where it comes from, where it goes, and what it is called."""

from __future__ import annotations

import re

from ckpt_lint.facts.restores import Restores
from ckpt_lint.facts.values import LOADED, STATE_DICT, Values
from ckpt_lint.source import tree as t
from ckpt_lint.source.module import ModuleFacts, last_name

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

    def iterated(self, module: ModuleFacts, source: t.Expr) -> t.Expr | None:
        """The state dict whose keys or items a loop goes through, itself or a copy of them."""
        while isinstance(source, t.Call):
            name = last_name(source.func)
            if isinstance(source.func, t.Attribute) and name in ("keys", "items", "copy") and not source.args:
                source = source.func.value
            elif name in COPIES and source.args and not source.args[0].star:
                source = source.args[0].value
            else:
                break
        return source if self.holds(module, source) else None


def _called(expr: t.Expr) -> list[str]:
    """What a dict is called: a variable, the key of an entry and what holds it, the function that gave it."""
    names: list[str] = []
    while isinstance(expr, t.Subscript):
        if isinstance(expr.sub, t.Constant) and isinstance(expr.sub.value, str):
            names.append(expr.sub.value)
        expr = expr.value
    return [*names, last_name(expr.func if isinstance(expr, t.Call) else expr)]
