"""Places that cut a prefix off the keys of a state dict, and whether they make sure that it is there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ckpt_lint.facts.state_dicts import KeyLoop, StateDicts, key_loop
from ckpt_lint.source import flow
from ckpt_lint.source import tree as t
from ckpt_lint.source.module import ModuleFacts, last_name

PREFIX = re.compile(r"^[A-Za-z]\w*(\.\w+)*\.$")
"""A name before its last dot."""

WRAPPERS = ("module.", "_orig_mod.")
"""Prefixes that wrappers of torch put on every key: evidence enough for a state dict."""

STRIPPERS = frozenset({"replace", "lstrip", "strip", "split"})
INFIXES = ("default.",)
"""Names that stand inside keys only: peft's adapter in `lora_A.default.weight`."""

_CHANGERS = frozenset({"replace", "lstrip", "strip", "sub", "split", "removeprefix", "rsplit", "partition"})


@dataclass(frozen=True, slots=True, eq=False)
class Strip:
    """`node` cuts `prefix` (None where only a number says how much) off the keys of `loop`; `how` is the method."""

    node: t.Expr
    how: str
    prefix: str | None
    loop: KeyLoop


def strips(states: StateDicts, module: ModuleFacts) -> Iterator[Strip]:
    """The places of a module that cut a constant prefix off a state dict's keys, unguarded."""
    for found in _candidates(states, module):
        if not _is_state(states, module, found) or _renames(module, found) or _guarded(module, found.node):
            continue
        yield found


def _candidates(states: StateDicts, module: ModuleFacts) -> Iterator[Strip]:
    for method in sorted(STRIPPERS):
        for call in module.calls_by_name.get(method, ()):
            prefix = _stripped(module, call)
            if prefix is None or not isinstance(call.func, t.Attribute):
                continue
            loop = key_loop(states.values, module, call.func.value)
            if loop is not None and not (method == "split" and _picks_a_part(module, call, prefix)):
                node: t.Expr = call.parent if method == "split" and isinstance(call.parent, t.Subscript) else call
                yield Strip(node, method, prefix, loop)
    for place in module.all(t.Subscript):
        if isinstance(place.sub, t.Slice):
            amount, prefix = _cut(module, place.sub)
            loop = key_loop(states.values, module, place.value) if amount else None
            if loop is not None:
                yield Strip(place, "slice", prefix, loop)


def _picks_a_part(module: ModuleFacts, call: t.Call, prefix: str) -> bool:
    """Whether a `split` takes a name out of the keys that have it: asked for with `in`, and no wrapper's prefix."""
    if prefix in WRAPPERS:
        return False
    for parent in t.ancestors(call):
        tests = [parent.test] if isinstance(parent, (t.If, t.IfExp)) else []
        if isinstance(parent, t.Comprehension):
            tests = [test for generator in parent.generators for test in generator.ifs]
        for node in (n for test in tests for n in t.walk(test)):
            if isinstance(node, t.Compare) and node.ops[0] == "in" and module.string(node.left) == prefix:
                return True
    return False


def _stripped(module: ModuleFacts, call: t.Call) -> str | None:
    """The constant that a call takes off, where it is a prefix by its looks."""
    args = [arg.value for arg in call.args if arg.keyword is None and not arg.star]
    if not args or len(args) != len(call.args):
        return None
    prefix = module.string(args[0])
    if prefix is None or prefix in INFIXES or not (PREFIX.match(prefix) or prefix == "_orig_mod."):
        return None
    if last_name(call.func) == "replace":
        return prefix if len(args) >= 2 and module.string(args[1]) == "" else None
    if last_name(call.func) == "split":
        return prefix if isinstance(call.parent, t.Subscript) and call.role == "value" else None
    return prefix


def _cut(module: ModuleFacts, part: t.Slice) -> tuple[int, str | None]:
    """How many characters `[7:]` or `[len("module."):]` takes off, and the prefix where it is named."""
    if part.upper is not None or part.step is not None or part.lower is None:
        return 0, None
    if isinstance(part.lower, t.Call) and module.names.is_a(part.lower.func, "builtins.len") and part.lower.args:
        prefix = module.string(part.lower.args[0].value)
        return (len(prefix), prefix) if prefix and (PREFIX.match(prefix) or prefix in WRAPPERS) else (0, None)
    amount = module.constant(part.lower)
    if amount is not None and isinstance(amount.value, int) and amount.value >= 3:
        return amount.value, None
    return 0, None


def _is_state(states: StateDicts, module: ModuleFacts, found: Strip) -> bool:
    if found.prefix in WRAPPERS:
        return True
    if found.prefix is None and not found.loop.by_items:
        return False
    return states.holds(module, found.loop.source)


def _renames(module: ModuleFacts, found: Strip) -> bool:
    """Whether the loop changes its keys in two or more different ways: it renames, on purpose."""
    whole = found.loop.whole
    seen = set()
    for name in sorted(_CHANGERS):
        for call in module.calls_by_name.get(name, ()):
            if whole.start <= call.start and call.end <= whole.end and call.args:
                first = call.args[0].value
                text = module.string(first)
                seen.add(text if text is not None else f"@{first.start}")
    if found.how == "slice":
        seen.add("[]")
    return len(seen) > 1


def _guarded(module: ModuleFacts, node: t.Expr) -> bool:
    """Whether a test of the prefix's place (`startswith`, a slice compared, a match) stands around or before."""
    current: t.Node = node
    while current.parent is not current:
        parent = current.parent
        if isinstance(parent, (t.If, t.IfExp, t.While)) and current.role != "test" and _tests(module, parent.test):
            return True
        filters = [test for g in parent.generators for test in g.ifs] if isinstance(parent, t.Comprehension) else []
        if any(_tests(module, test) for test in filters):
            return True
        if isinstance(current, t.Stmt) and _left_before(module, current):
            return True
        if isinstance(current, t.FunctionDef):
            return False
        current = parent
    return False


def _left_before(module: ModuleFacts, statement: t.Stmt) -> bool:
    for earlier in flow.block_of(statement):
        if earlier.start >= statement.start:
            return False
        if isinstance(earlier, t.Assert) and _tests(module, earlier.test):
            return True
        if isinstance(earlier, t.If) and flow.leaves(earlier.body) and _tests(module, earlier.test):
            return True
    return False


def _tests(module: ModuleFacts, test: t.Expr, steps: int = 2) -> bool:
    for node in t.walk(test):
        if isinstance(node, t.Call) and last_name(node.func) in ("startswith", "match", "fullmatch"):
            return True
        if isinstance(node, t.Compare) and any(isinstance(n, t.Slice) and n.lower is None for n in t.walk(node)):
            return True
        if isinstance(node, t.Name) and steps:
            bound = module.names.bindings(node)
            if any(b.how == "assign" and b.value is not None and _tests(module, b.value, steps - 1) for b in bound):
                return True
    return False
