"""Casts and moves of a live module: `model.half()` changes the module itself."""

from __future__ import annotations

from ckpt_lint import apis
from ckpt_lint.facts.kept import is_copy, leaves_loop, made_anew
from ckpt_lint.facts.roles import role_of
from ckpt_lint.facts.steps import Steps
from ckpt_lint.facts.values import Values
from ckpt_lint.facts.world import Definition
from ckpt_lint.source import flow
from ckpt_lint.source import tree as t
from ckpt_lint.source.module import ModuleFacts

CASTS = frozenset({"half", "bfloat16", "cpu", "double"})
_NARROW = frozenset({"torch.float16", "torch.half", "torch.bfloat16"})
_BACK = frozenset({"float", "cuda", "to", "double", "half", "bfloat16", "xpu", "type"})
_CALLERS = 2


def live_cast(values: Values, steps: Steps, module: ModuleFacts, call: t.Call) -> tuple[t.Call, t.Call] | None:
    """The cast in `x.half().state_dict()`, and a training step that the cast module goes through after it."""
    receiver = call.func.value if isinstance(call.func, t.Attribute) else call
    cast, base = _cast(module, receiver)
    if cast is None or is_copy(module, base) or role_of(values, module, base) not in (apis.MODULE, apis.EMA):
        return None
    if not isinstance(base, (t.Name, t.Attribute)) or _cast_back(module, base, cast):
        return None
    step = _in_training(values, steps, module, base, cast, _CALLERS)
    return (cast, step) if step is not None else None


def _cast(module: ModuleFacts, receiver: t.Expr) -> tuple[t.Call | None, t.Expr]:
    found: t.Call | None = None
    while isinstance(receiver, t.Call) and isinstance(receiver.func, t.Attribute):
        if receiver.func.attr in CASTS or (receiver.func.attr == "to" and _narrows(module, receiver)):
            found = receiver
        receiver = receiver.func.value
    return found, receiver


def _narrows(module: ModuleFacts, call: t.Call) -> bool:
    """`.to("cpu")`, `.to(torch.float16)`."""
    for arg in call.args:
        if isinstance(arg.value, t.Constant) and arg.value.value == "cpu":
            return True
        if set(module.names.of(arg.value)) & _NARROW:
            return True
    return False


def _cast_back(module: ModuleFacts, base: t.Expr, cast: t.Call) -> bool:
    """Whether the module is cast or moved again in the innermost loop around, or in the rest of the function."""
    loops = flow.loops_around(cast)
    start, end = (loops[0].start, loops[0].end) if loops else (cast.end, flow.body_of(cast).end)
    for place in module.uses(base):
        method = place.parent
        if not isinstance(method, t.Attribute) or method.attr not in _BACK or not start <= place.start < end:
            continue
        again = method.parent
        if isinstance(again, t.Call) and again is not cast and not cast.start <= again.start < cast.end:
            return True
    return False


def _in_training(
    values: Values, steps: Steps, module: ModuleFacts, base: t.Expr, cast: t.Call, callers: int
) -> t.Call | None:
    """A step of a loop around a node, or around every call of its function."""
    statement = flow.statement_of(cast)
    for loop in flow.loops_around(cast):
        if leaves_loop(statement) or made_anew(module, base, loop.start, loop.end):
            return None
        step = next(steps.inside(module, loop), None)
        if step is not None:
            return step
    return _around_callers(values, steps, module, cast, callers)


def _around_callers(values: Values, steps: Steps, module: ModuleFacts, node: t.Node, callers: int) -> t.Call | None:
    function = flow.function_of(node)
    if function is None or not callers:
        return None
    for site in values.world.callers(Definition(module, function)):
        for loop in flow.loops_around(site.call) if site.module is module else ():
            found = next(steps.inside(module, loop), None)
            if found is not None:
                return found
    return None
