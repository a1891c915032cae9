"""Epoch loops: where they start, what their counter is, and which save writes it before the epoch is counted."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ckpt_lint.facts.passing import parameter_of
from ckpt_lint.facts.resume import CounterRead
from ckpt_lint.facts.saves import Save
from ckpt_lint.facts.states import COUNTER, Entry
from ckpt_lint.facts.view import Facts
from ckpt_lint.facts.world import Definition, bind, is_method_call
from ckpt_lint.source import flow
from ckpt_lint.source import tree as t
from ckpt_lint.source.module import ModuleFacts, bound_target, last_name

EPOCH = re.compile(r"epoch", re.IGNORECASE)
_TRAINS = re.compile(r"train|run|fit|step|epoch|update|optimi[sz]e|backward|learn", re.IGNORECASE)
_BARS = frozenset({"tqdm", "trange", "track", "tqdm_notebook", "progress_bar"})


@dataclass(frozen=True, slots=True, eq=False)
class Start:
    """A variable that holds a restored counter as it was read: no `+ 1`."""

    module: ModuleFacts
    variable: t.Expr


@dataclass(frozen=True, slots=True, eq=False)
class Repeat:
    """An epoch loop that begins with the epoch which was saved when it was over."""

    module: ModuleFacts
    loop: t.For
    save: Save
    entry: Entry


def repeats(facts: Facts, read: CounterRead) -> Iterator[Repeat]:
    """The epoch loops that start at a counter as it was read, and save their own counter after the epoch."""
    for start in _starts(facts, read):
        for loop in _loops_from(start):
            for save, entry in _saves_in(facts, start.module, loop, read.key):
                yield Repeat(start.module, loop, save, entry)


def _starts(facts: Facts, read: CounterRead) -> Iterator[Start]:
    """The variables that hold what was read, itself: here, or in a caller of the function that returns it."""
    holder = read.node.parent
    if isinstance(holder, t.Argument) and isinstance(holder.parent, t.Call) and last_name(holder.parent.func) == "int":
        holder = holder.parent.parent
    if isinstance(holder, t.Assign):
        for target in holder.targets:
            yield from _kept(facts, read.module, target)
    elif isinstance(holder, t.Return):
        yield from _returned(facts, read.module, holder, ())
    elif isinstance(holder, t.Sequence) and isinstance(holder.parent, t.Return):
        yield from _returned(facts, read.module, holder.parent, (holder.items.index(read.node),))


def _kept(facts: Facts, module: ModuleFacts, target: t.Expr) -> Iterator[Start]:
    if not isinstance(target, (t.Name, t.Attribute)) or _changed(module, target):
        return
    yield Start(module, target)
    for place in module.uses(target):
        if isinstance(place.parent, t.Return):
            yield from _returned(facts, module, place.parent, ())
        elif isinstance(place.parent, t.Sequence) and isinstance(place.parent.parent, t.Return):
            yield from _returned(facts, module, place.parent.parent, (place.parent.items.index(place),))


def _returned(facts: Facts, module: ModuleFacts, node: t.Return, at: tuple[int, ...]) -> Iterator[Start]:
    """The variables of the callers that take what a function returns, at its place in a tuple."""
    function = flow.function_of(node)
    sites = facts.world.callers(Definition(module, function)) if function is not None else ()
    for site in sites:
        statement = site.call.parent
        if not isinstance(statement, t.Assign) or len(statement.targets) != 1:
            continue
        target: t.Expr = statement.targets[0]
        if at and isinstance(target, t.Sequence) and at[0] < len(target.items):
            target = target.items[at[0]]
        elif at or isinstance(target, t.Sequence):
            continue
        if isinstance(target, (t.Name, t.Attribute)) and not _changed(site.module, target):
            yield Start(site.module, target)


def _changed(module: ModuleFacts, variable: t.Expr) -> bool:
    """Whether a variable is counted on anywhere: `start += 1`, `start = start + 1`."""
    for place in module.uses(variable):
        parent = place.parent
        if isinstance(parent, t.AugAssign) and place.role == "target":
            return True
        if isinstance(parent, t.Assign) and place.role == "targets" and isinstance(parent.value, t.BinOp):
            return True
    return False


def _loops_from(start: Start) -> Iterator[t.For]:
    """The loops over `range(start, ...)` whose counter stays as the `for` sets it."""
    variable = start.module.variable(start.variable)
    for place in start.module.uses(start.variable):
        arg = place.parent
        call = arg.parent
        if not isinstance(arg, t.Argument) or not isinstance(call, t.Call) or start.module.variable(place) != variable:
            continue
        if last_name(call.func) not in ("range", "trange") or call.args[0] is not arg or len(call.args) < 2:
            continue
        loop = _loop_over(call)
        if loop is not None and not _changed(start.module, loop.target):
            yield loop


def _loop_over(call: t.Call) -> t.For | None:
    node: t.Node = call
    while isinstance(node.parent, t.Argument) and isinstance(node.parent.parent, t.Call):
        if last_name(node.parent.parent.func) not in _BARS:
            return None
        node = node.parent.parent
    loop = node.parent
    counts = isinstance(loop, t.For) and node.role == "iter" and isinstance(loop.target, (t.Name, t.Attribute))
    return loop if counts and isinstance(loop, t.For) else None


def _saves_in(facts: Facts, module: ModuleFacts, loop: t.For, key: str) -> Iterator[tuple[Save, Entry]]:
    """The saves of the loop's own body, after its training step, that write its counter under `key` and no other."""
    modules = facts.world.modules_of(module.path) or (module,)
    others = {d.module for call in _calls_of(module, loop) for d in facts.world.callees(module, call)}
    for where in sorted({*modules, *others}, key=lambda m: (m.path, m.name)):
        for save in facts.saves.of(where):
            checkpoint = facts.checkpoints.of(save)
            entry = checkpoint.entry(key)
            if entry is None or not _only_counter(facts, save, key):
                continue
            if any(_ends_epoch(module, loop, node) for node in _writes(facts, module, loop, save, entry)):
                yield save, entry


def _calls_of(module: ModuleFacts, loop: t.For) -> Iterator[t.Call]:
    for call in module.calls:
        if loop.start <= call.start < loop.end and next(iter(flow.loops_around(call)), None) is loop:
            yield call


def _writes(facts: Facts, module: ModuleFacts, loop: t.For, save: Save, entry: Entry) -> Iterator[t.Node]:
    """The places in the loop's own body at which its counter goes into a save: the save, or a call that leads to it."""
    value = entry.value
    if entry.module is module and _is_counter(module, loop, value):
        yield from _reached(facts, module, loop, save)
        return
    function = flow.function_of(value)
    param = parameter_of(entry.module, value, function) if function is not None else None
    if param is None or function is None:
        return
    for call in _calls_of(module, loop):
        if any(found.node is function for found in facts.world.callees(module, call)):
            given = bind(call, function, instance=is_method_call(call, function)).values.get(param.name)
            if given is not None and _is_counter(module, loop, given):
                yield call


def _reached(facts: Facts, module: ModuleFacts, loop: t.For, save: Save) -> Iterator[t.Node]:
    """The save, or the calls in the loop of the method that saves an attribute."""
    yield save.call
    function = flow.function_of(save.call)
    for call in _calls_of(module, loop):
        if function is not None and any(found.node is function for found in facts.world.callees(module, call)):
            yield call


def _is_counter(module: ModuleFacts, loop: t.For, value: t.Expr) -> bool:
    """Whether a value is the loop's counter, as the `for` set it, or an attribute that holds it unchanged."""
    if isinstance(value, t.Attribute):
        return module.variable(value) is not None and _holds_counter(module, loop, value)
    if not isinstance(value, t.Name) or not isinstance(loop.target, t.Name):
        return False
    return any(binding.node is loop.target for binding in module.names.bindings(value))


def _holds_counter(module: ModuleFacts, loop: t.For, value: t.Attribute) -> bool:
    """`for self.epoch in range(...)`, or `self.epoch = epoch` in the loop; nothing else in the loop binds it."""
    if _changed(module, value):
        return False
    bound = [place for place in module.uses(value) if bound_target(place) and loop.start <= place.start < loop.end]
    if len(bound) != 1 or bound[0] is loop.target:
        return bound == [loop.target]
    statement = bound[0].parent
    kept = statement.value if isinstance(statement, t.Assign) and isinstance(statement.value, t.Name) else None
    return kept is not None and any(b.node is loop.target for b in module.names.bindings(kept))


def _only_counter(facts: Facts, save: Save, key: str) -> bool:
    """Whether a checkpoint counts epochs only: with a step beside, the program may find its place in the epoch."""
    entries = facts.checkpoints.of(save).entries
    return not any(e.key != key and facts.checkpoints.states(e) == {COUNTER} for e in entries)


def _ends_epoch(module: ModuleFacts, loop: t.For, node: t.Node) -> bool:
    """Whether a place of the loop's own body comes after its training step."""
    if next(iter(flow.loops_around(node)), None) is not loop:
        return False
    for statement in loop.body:
        if statement.end > node.start:
            return False
        if any(_trains(part) for part in t.walk(statement)):
            return True
    return False


def _trains(node: t.Node) -> bool:
    return isinstance(node, t.Call) and bool(_TRAINS.search(last_name(node.func)))
