"""What becomes of the list of missing and unexpected keys that a module's `load_state_dict` gives back."""

from __future__ import annotations

import enum
from collections.abc import Iterator

from ckpt_lint.facts.restores import Restore
from ckpt_lint.facts.view import View
from ckpt_lint.source import tree as t
from ckpt_lint.source.module import ModuleFacts, bound_target, last_name

LOGGERS = frozenset({
    "print", "info", "debug", "warning", "warn", "error", "log", "critical", "exception", "pprint", "write", "echo",
    "print_rank_0", "rank0_print", "print_log", "log_info", "msg", "rprint",
})  # fmt: skip
"""Last names of functions that only tell people."""

_STEPS = 4


class Answer(enum.IntEnum):
    """How closely the answer is looked at; the closest look counts."""

    DROPPED = 0
    LOGGED = 1
    USED = 2


def answer_to(view: View, restore: Restore) -> Answer:
    """What becomes of the result of a restore."""
    found = _becomes(view.module, restore.call, _STEPS)
    return Answer.LOGGED if found is Answer.DROPPED and _displayed(view, restore.call) else found


def is_log_call(call: t.Node) -> bool:
    """Whether a call only tells people."""
    return isinstance(call, t.Call) and last_name(call.func) in LOGGERS


def _becomes(module: ModuleFacts, expr: t.Expr, steps: int) -> Answer:
    parent = expr.parent
    if isinstance(parent, t.ExprStmt):
        return Answer.DROPPED
    if isinstance(parent, (t.Assign, t.AnnAssign)) and expr.role == "value":
        targets = parent.targets if isinstance(parent, t.Assign) else (parent.target,)
        return max((_bound(module, target, steps) for target in targets), default=Answer.USED)
    if _is_told(expr):
        return Answer.LOGGED
    if isinstance(parent, (t.Attribute, t.Subscript)) and expr.role == "value" and steps > 0:
        return _becomes(module, parent, steps - 1)
    return Answer.USED


def _bound(module: ModuleFacts, target: t.Expr, steps: int) -> Answer:
    if isinstance(target, t.Sequence):
        return max((_bound(module, item, steps) for item in target.items), default=Answer.DROPPED)
    if not isinstance(target, t.Name) or steps <= 0:
        return Answer.USED
    places = _readers(module, target)
    return max((_becomes(module, place, steps - 1) for place in places), default=Answer.DROPPED)


def _readers(module: ModuleFacts, target: t.Name) -> Iterator[t.Expr]:
    for place in module.uses(target):
        if not bound_target(place) and any(b.node is target for b in module.names.bindings(place)):
            yield place


def _is_told(expr: t.Expr) -> bool:
    """Whether an expression ends up in the text of a message: `print(msg)`, `log.info(f"... {len(missing)}")`."""
    current: t.Node = expr
    while isinstance(current.parent, (t.Argument, t.JoinedStr, t.BinOp, t.Call, t.Attribute, t.Sequence)):
        current = current.parent
        if isinstance(current, t.Call) and current is not expr:
            if is_log_call(current):
                return True
            if last_name(current.func) not in ("len", "str", "repr", "format", "join", "list", "sorted", "set"):
                return False
    return False


def _is_hushed(text: str, call: t.Call) -> bool:
    """Whether a `;` ends the statement, with which a notebook shows nothing."""
    return text[call.end :].lstrip(" \t)").startswith(";")


def _displayed(view: View, call: t.Call) -> bool:
    """Whether a notebook shows the result: an expression, no assignment, that is the last of its cell, without a `;`."""
    cell = view.source.location(call.start).cell
    if cell is None or not isinstance(call.parent, t.ExprStmt) or not isinstance(call.parent.parent, t.Module):
        return False
    if _is_hushed(view.text, call):
        return False
    later = [s for s in view.module.root.body if s.start > call.start]
    return not later or view.source.location(later[0].start).cell != cell
