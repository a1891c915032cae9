"""What a restore speaks to: whether the method is torch's own, and what the receiver is called."""

from __future__ import annotations

from ckpt_lint import apis
from ckpt_lint.facts.restores import Restore
from ckpt_lint.facts.view import View
from ckpt_lint.source import tree as t

STATEFUL = (apis.MODULE, apis.EMA, apis.OPTIMIZER, apis.SCHEDULER, apis.SCALER)
_ANSWERS = {apis.OPTIMIZER: "None", apis.SCHEDULER: "None", apis.SCALER: "None"}


def is_torch_method(view: View, restore: Restore) -> bool:
    """Whether a restore runs torch's method on a stateful object, and no method that the project wrote itself."""
    if restore.role not in STATEFUL:
        return False
    return not any(isinstance(d.node, t.FunctionDef) for d in view.facts.world.callees(view.module, restore.call))


def restores_module(restore: Restore) -> bool:
    """Whether a restore fills a module."""
    return restore.role in (apis.MODULE, apis.EMA)


def answer_of(restore: Restore) -> str:
    """What the method gives back, for messages: a list of keys, or None."""
    return _ANSWERS.get(restore.role or "", "a list of missing and unexpected keys")
