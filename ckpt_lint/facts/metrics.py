"""Saves that stand under "the metric improved": `if acc > best_acc:`, `if is_best:`, an early stopping's `else`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ckpt_lint.facts.states import COUNTER_KEY
from ckpt_lint.facts.world import Definition, World, bind, is_method_call
from ckpt_lint.source import flow
from ckpt_lint.source import tree as t
from ckpt_lint.source.module import ModuleFacts, last_name
from ckpt_lint.source.names import path_key

BEST = re.compile(r"best", re.IGNORECASE)
_FLAG = re.compile(r"(^|_)(is_?best|best|improved|new_best|save_best)($|_)", re.IGNORECASE)
_ORDER = frozenset({"<", ">", "<=", ">="})
_CALLS = 2


@dataclass(frozen=True, slots=True, eq=False)
class MetricGuard:
    """A test that a metric improved. `best` is the variable of the best value so far, `other` what it is compared with.

    Both are None where only a flag's name says so (`if is_best:` of a parameter that no caller explains). `node` is the
    guarded statement's expression in `module`: the save, or the call of the function that saves.
    """

    module: ModuleFacts
    node: t.Node
    test: t.Expr
    best: t.Expr | None = None
    other: t.Expr | None = None


def metric_guard(world: World, module: ModuleFacts, node: t.Node, calls: int = _CALLS) -> MetricGuard | None:
    """The "metric improved" under which a node runs, its own or that of every caller of its function."""
    own = own_guard(world, module, node)
    if own is not None or calls <= 0 or world.partial:
        return own
    function = flow.function_of(node)
    if function is None:
        return None
    sites = [s for s in world.callers(Definition(module, function)) if flow.function_of(s.call) is not function]
    guards = [metric_guard(world, site.module, site.call, calls - 1) for site in sites]
    found = [guard for guard in guards if guard is not None]
    return found[0] if found and len(found) == len(guards) else None


def some_guards(world: World, module: ModuleFacts, node: t.Node) -> tuple[MetricGuard, ...]:
    """The "metric improved" of a node, or of any of the calls of its function: `self.save("best")`."""
    own = own_guard(world, module, node)
    function = flow.function_of(node)
    if own is not None or function is None or world.partial:
        return (own,) if own is not None else ()
    guards = (own_guard(world, s.module, s.call) for s in world.callers(Definition(module, function)))
    return tuple(guard for guard in guards if guard is not None)


def own_guard(world: World, module: ModuleFacts, node: t.Node) -> MetricGuard | None:
    """The "metric improved" that stands around a node in its own function."""
    stop = flow.body_of(node)
    current = node
    while current is not stop and current.parent is not current:
        parent = current.parent
        if isinstance(parent, t.If) and current.role in ("body", "orelse"):
            found = _of_test(world, module, node, parent, current.role)
            if found is not None:
                return found
        current = parent
    return _earlier_exit(world, module, node)


def _earlier_exit(world: World, module: ModuleFacts, node: t.Node) -> MetricGuard | None:
    """`if loss >= best: return` above."""
    statement = flow.statement_of(node)
    for earlier in flow.block_of(statement):
        if earlier.start >= statement.start:
            break
        if isinstance(earlier, t.If) and not earlier.orelse and flow.leaves(earlier.body):
            found = _of_test(world, module, node, earlier, "orelse")
            if found is not None and found.best is not None and BEST.search(path_key(found.best)):
                return found
    return None


def _of_test(world: World, module: ModuleFacts, node: t.Node, branch: t.If, role: str) -> MetricGuard | None:
    block = branch.body if role == "body" else branch.orelse
    return _guard_in(world, module, node, branch.test, block, role == "body")


def _guard_in(
    world: World, module: ModuleFacts, node: t.Node, test: t.Expr, block: Sequence[t.Stmt], holds: bool
) -> MetricGuard | None:
    """The improvement that a test stands for. `improved or always` is none: what holds on one side only is no guard."""
    if isinstance(test, t.NamedExpr):
        return _guard_in(world, module, node, test.value, block, holds)
    if isinstance(test, t.BoolOp):
        found = [_guard_in(world, module, node, value, block, holds) for value in test.values]
        guards = [guard for guard in found if guard is not None]
        first_times = sum(_is_first_time(value, guards) for value in test.values)
        needed = 1 if (test.op == "and") is holds else len(found) - first_times
        return guards[-1] if guards and len(guards) >= needed else None
    compared = _comparison(module, test, block)
    if compared is not None:
        return MetricGuard(module, node, test, *compared)
    if holds and isinstance(test, (t.Name, t.Attribute)):
        return _of_flag(world, module, node, test)
    return None


def _is_first_time(test: t.Expr, guards: Sequence[MetricGuard]) -> bool:
    """`lowest is None` beside `loss < lowest`, unless its name alone made it one of the guards."""
    if not isinstance(test, t.Compare) or test.ops != ("is",) or any(guard.test is test for guard in guards):
        return False
    return any(path_key(guard.best) == path_key(test.left) for guard in guards if guard.best is not None)


def _conjuncts(test: t.Expr) -> Iterator[t.Expr]:
    if isinstance(test, t.BoolOp):
        for value in test.values:
            yield from _conjuncts(value)
    elif isinstance(test, t.NamedExpr):
        yield from _conjuncts(test.value)
    else:
        yield test


def _comparison(module: ModuleFacts, test: t.Expr, block: Sequence[t.Stmt]) -> tuple[t.Expr, t.Expr] | None:
    """The best value so far and what it is compared with: by its name, or as the block takes the new value over."""
    if not isinstance(test, t.Compare) or len(test.ops) != 1:
        return None
    if test.ops[0] == "is" and isinstance(test.comparators[0], t.Constant):
        return (test.left, test.comparators[0]) if _named_best(test.left) else None
    if test.ops[0] not in _ORDER:
        return None
    for best, other in ((test.left, test.comparators[0]), (test.comparators[0], test.left)):
        variable = _variable(best)
        if variable is None or _is_progress(variable) or _is_progress(other):
            continue
        if _named_best(variable) or (_assigned(module, variable, block) and not isinstance(other, t.Constant)):
            return variable, other
    return None


def _variable(expr: t.Expr) -> t.Expr | None:
    """The variable in `best`, `best + delta`, `self.best["acc"]`, `max(best)`."""
    if isinstance(expr, t.BinOp):
        return _variable(expr.left)
    if isinstance(expr, t.Call) and last_name(expr.func) in ("max", "min", "abs", "float") and expr.args:
        return _variable(expr.args[0].value)
    return expr if path_key(expr) else None


def _named_best(expr: t.Expr) -> bool:
    return bool(BEST.search(path_key(expr)))


def _is_progress(expr: t.Expr) -> bool:
    name = last_name(expr) or path_key(expr)
    return bool(COUNTER_KEY.search(name)) and not BEST.search(name.replace("epoch", ""))


def _assigned(module: ModuleFacts, variable: t.Expr, block: Sequence[t.Stmt]) -> bool:
    key = path_key(variable)
    for statement in block:
        if isinstance(statement, t.Assign) and any(path_key(target) == key for target in statement.targets):
            return not isinstance(statement.value, t.Constant)
    return False


def _of_flag(world: World, module: ModuleFacts, node: t.Node, flag: t.Expr, calls: int = _CALLS) -> MetricGuard | None:
    """`if is_best:`, where the flag was bound to a comparison here or is given one by a caller."""
    for binding in module.names.bindings(flag):
        if binding.how == "param" and isinstance(binding.node.parent, t.FunctionDef) and calls > 0:
            return _of_parameter(world, module, node, flag, binding.node.parent, calls - 1)
        value = binding.value
        if binding.how == "assign" and value is not None:
            for part in _conjuncts(value):
                compared = _comparison(module, _unwrapped(part), ())
                if compared is not None:
                    return MetricGuard(module, node, part, *compared)
    return MetricGuard(module, node, flag) if _FLAG.search(last_name(flag)) else None


def _of_parameter(
    world: World, module: ModuleFacts, node: t.Node, flag: t.Expr, function: t.FunctionDef, calls: int
) -> MetricGuard | None:
    if not _FLAG.search(last_name(flag)):
        return None
    for site in world.callers(Definition(module, function)):
        value = bind(site.call, function, instance=is_method_call(site.call, function)).values.get(last_name(flag))
        if value is None:
            continue
        compared = _comparison(site.module, _unwrapped(value), ())
        if compared is not None:
            return MetricGuard(site.module, node, value, *compared)
        if isinstance(value, (t.Name, t.Attribute)) and flow.function_of(value) is not function:
            found = _of_flag(world, site.module, site.call, value, calls)
            if found is not None:
                return MetricGuard(found.module, node, found.test, found.best, found.other)
    return MetricGuard(module, node, flag)


def _unwrapped(expr: t.Expr) -> t.Expr:
    while isinstance(expr, t.Call) and last_name(expr.func) in ("bool", "int", "item") and expr.args:
        expr = expr.args[0].value
    return expr
