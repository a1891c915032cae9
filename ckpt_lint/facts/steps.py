"""Training steps: the calls after which a module's tensors are other ones."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ckpt_lint import apis
from ckpt_lint.facts.roles import role_of
from ckpt_lint.facts.values import Values
from ckpt_lint.source import flow
from ckpt_lint.source import tree as t
from ckpt_lint.source.module import ModuleFacts, last_name

TRAINERS = re.compile(
    r"^_?(do_|run_|one_)?(epoch_|step_)?(train|training|fit|finetune|fine_tune)(_(one|an?))?"
    r"(_(epochs?|steps?|batch|iter|loop|model|net|network|fn|func|val|loader))*$|^run_epoch$|^optimize_parameters$"
)
_MODES = frozenset({"training", "mode", "was_training", "is_training", "training_mode"})
_DEPTH = 2


class Steps:
    """Finds the training steps of a world's functions; what a function does inside is kept."""

    def __init__(self, values: Values) -> None:
        self.values = values
        self._trains: dict[t.Node, bool] = {}
        self._known: dict[t.Call, bool] = {}

    def inside(self, module: ModuleFacts, around: t.Node) -> Iterator[t.Call]:
        """The calls inside of a node that train something, in source order, through project functions two deep.

        Each is asked as it comes up: what a call runs may stand in a file that is not read yet.
        """
        for call in module.calls:
            if around.start <= call.start < around.end:
                known = self._known.get(call)
                if known is None:
                    known = self._known[call] = self.is_step(module, call, _DEPTH)
                if known:
                    yield call

    def is_step(self, module: ModuleFacts, call: t.Call, depth: int = _DEPTH) -> bool:
        """Whether a call is `loss.backward()`, `optimizer.step()`, or runs a function that trains."""
        func = call.func
        if isinstance(func, t.Attribute) and (func.attr == "backward" or self._steps(module, call, func)):
            return True
        name = last_name(call.func)
        if depth:
            found = [(d.module, d.node) for d in self.values.world.callees(module, call)]
            functions = [(where, node) for where, node in found if isinstance(node, t.FunctionDef)]
            if functions:
                return any(self._body_trains(where, node, depth - 1) for where, node in functions)
        return self._named_so(module, call, name)

    def _steps(self, module: ModuleFacts, call: t.Call, func: t.Attribute) -> bool:
        """`optimizer.step()` or `scaler.step(optimizer)`."""
        if func.attr != "step":
            return False
        asked = (func.value, *(arg.value for arg in call.args if not arg.star))
        return any(role_of(self.values, module, value) == apis.OPTIMIZER for value in asked)

    def _named_so(self, module: ModuleFacts, call: t.Call, name: str) -> bool:
        """A function we cannot see, called as functions that train are; `model.train(mode)` only sets a mode."""
        if not TRAINERS.match(name):
            return False
        plain = [a for a in call.args if not _is_mode(a.value)]
        return bool(plain) or name != "train"

    def _body_trains(self, module: ModuleFacts, function: t.FunctionDef, depth: int) -> bool:
        known = self._trains.get(function)
        if known is None:
            self._trains[function] = False
            known = self._trains[function] = any(self.is_step(module, c, depth) for c in calls_in(module, function))
        return known


def _is_mode(value: t.Expr) -> bool:
    """What `Module.train` takes: True, `other.training`, `mode`."""
    if isinstance(value, t.Constant):
        return isinstance(value.value, bool)
    return last_name(value) in _MODES


def calls_in(module: ModuleFacts, function: t.FunctionDef) -> Iterator[t.Call]:
    """The calls in a function's own body."""
    for call in module.calls:
        if function.start <= call.start < function.end and flow.function_of(call) is function:
            yield call
