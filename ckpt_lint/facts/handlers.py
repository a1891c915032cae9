"""Blocks that only tell people that something went wrong, and what they stand for."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ckpt_lint.facts.answers import is_log_call
from ckpt_lint.facts.reads import Use
from ckpt_lint.facts.view import View
from ckpt_lint.source import flow
from ckpt_lint.source import tree as t
from ckpt_lint.source.module import last_name

LOADERS = re.compile(r"load|resum|restor|ckpt|checkpoint|pretrained", re.IGNORECASE)
_ROOM = frozenset({"mkdir", "makedirs"})
"""A folder for the files of a new run."""
_TELLERS = frozenset({"print_exc", "print_exception", "format_exc", "log_exception", "secho", "add_text", "flush"})


def only_tells(view: View, block: Sequence[t.Stmt], *, counters: bool = False) -> bool:
    """Whether a block only passes and logs; with `counters` it may also set numbers back."""
    return all(_tells(view, statement, counters) for statement in block)


def _tells(view: View, statement: t.Stmt, counters: bool) -> bool:
    if isinstance(statement, t.Jump):
        return statement.kind == "pass"
    if isinstance(statement, t.ExprStmt):
        value = statement.value
        if isinstance(value, t.Constant):
            return True
        return isinstance(value, t.Call) and (_is_teller(value) or _calls_teller(view, value))
    if isinstance(statement, t.Assign) and counters:
        return _is_number(statement.value)
    if isinstance(statement, t.If):
        return all(only_tells(view, block, counters=counters) for block in (statement.body, statement.orelse))
    return isinstance(statement, (t.Import, t.ImportFrom))


def _is_teller(call: t.Call) -> bool:
    return is_log_call(call) or last_name(call.func) in _TELLERS | _ROOM


def _calls_teller(view: View, call: t.Call) -> bool:
    """Whether a call runs a function of the program that does nothing but tell: `def log(text): print(text)`."""
    found = view.facts.world.callees(view.module, call)
    return bool(found) and all(isinstance(d.node, t.FunctionDef) and _is_all_telling(d.node) for d in found)


def _is_all_telling(function: t.FunctionDef) -> bool:
    calls = [s.value for s in function.body if isinstance(s, t.ExprStmt) and isinstance(s.value, t.Call)]
    texts = [s for s in function.body if isinstance(s, t.ExprStmt) and isinstance(s.value, t.Constant)]
    told = all(_is_teller(call) for call in calls)
    return bool(calls) and told and len(calls) + len(texts) == len(function.body)


def _is_number(value: t.Expr) -> bool:
    if isinstance(value, t.UnaryOp):
        value = value.operand
    if isinstance(value, t.Call):  # float("inf")
        return last_name(value.func) == "float"
    return isinstance(value, t.Constant) and isinstance(value.value, (int, float)) and not isinstance(value.value, bool)


def restores_in(view: View, block: Sequence[t.Stmt]) -> t.Call | None:
    """The first call in a block that restores something, or loads what is restored: here, or one call deep."""
    inside = [c for c in view.module.calls if any(s.start <= c.start and c.end <= s.end for s in block)]
    direct = {restore.call for restore in view.restores}
    loads = {load.call: load for load in view.loads}
    for call in inside:
        if call in direct:
            return call
        if call in loads and view.flow(loads[call]).uses & {Use.RESTORED, Use.ASSIGNED}:
            return call
        if LOADERS.search(last_name(call.func)) and _restores_inside(view, call):
            return call
    return None


def _restores_inside(view: View, call: t.Call) -> bool:
    found = [d for d in view.facts.world.callees(view.module, call) if isinstance(d.node, t.FunctionDef)]
    return any(flow.function_of(r.call) is d.node for d in found for r in view.facts.restores.of(d.module))
