"""Training state that a checkpoint holds and a resume leaves in it."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ckpt_lint import apis
from ckpt_lint.facts.linked import NEAR, acquainted, imported, linked_saves
from ckpt_lint.facts.loads import Load
from ckpt_lint.facts.resume import ResumePath
from ckpt_lint.facts.saves import Save
from ckpt_lint.facts.state_dicts import NAMED
from ckpt_lint.facts.states import COUNTER, RNG, WEIGHTS, Entry
from ckpt_lint.facts.view import View
from ckpt_lint.source import flow
from ckpt_lint.source import tree as t
from ckpt_lint.source.module import ModuleFacts, bound_target, last_name

TRAINS_ON = frozenset({apis.OPTIMIZER, apis.SCHEDULER, apis.SCALER})
VARIABLE = "variable"
STATES = (*apis.TRAINING_STATE_KINDS, RNG, COUNTER)
NAMES = {
    apis.OPTIMIZER: "the optimizer", apis.SCHEDULER: "the scheduler", apis.SCALER: "the gradient scaler",
    apis.EMA: "the EMA weights", RNG: "the RNG state", COUNTER: "the progress counter",
    VARIABLE: "a variable that training changes",
}  # fmt: skip
_METADATA = re.compile(r"arg|cfg|conf|opt(ion)?s$|arch|version|best|acc|loss|metric|date|time|num_|max_|total|history")


_NOT_CARRIED = re.compile(
    r"(^|_)(lr|lrs|learning_rate|log|logs|name|path|patience|wait|size|seen|sum|avg|mean|running)(_|$)"
)
_LOOKS = (t.Subscript, t.Attribute, t.Compare, t.Delete, t.If, t.BoolOp, t.UnaryOp)
_LOOKERS = frozenset({"print", "len", "isinstance", "info", "debug", "type", "list", "sorted"})


@dataclass(frozen=True, slots=True, eq=False)
class Left:
    """A load of a resume path, and the entries of its matching save that hold training state and that nobody reads."""

    load: Load
    save: Save
    entries: tuple[tuple[Entry, str], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Unused:
    """Training state that was read from a checkpoint into a variable which nobody looks at."""

    node: t.Expr
    name: str
    state: str
    load: Load


def left_out(view: View) -> Iterator[Left]:
    """The resume paths of a module that restore some training state and leave some."""
    if not view.loads:
        return
    for path in view.facts.resumes.of(view.module):
        if not _resumes_training(path):
            continue
        for load in view.loads:
            if (flow.function_of(load.call) or view.module.root) is not path.body or _goes_on(view, load):
                continue
            saves = linked_saves(view.facts, load)
            entries = tuple(_forgotten(view, path, load, saves[0])) if saves else ()
            if entries:
                yield Left(load, saves[0], entries)


def _resumes_training(path: ResumePath) -> bool:
    """Whether a path goes on training: it restores optimizer state, or its counter starts a loop."""
    return bool(path.states & TRAINS_ON) or any(counter.reaches == "loop" for counter in path.counters)


def _forgotten(view: View, path: ResumePath, load: Load, save: Save) -> Iterator[tuple[Entry, str]]:
    seen = view.flow(load)
    places = len(view.checkpoint(save).entries)
    read = {read.key for read in seen.reads} | {str(item % places) for item in seen.items if places}
    misspelt = sorted(read - set(view.checkpoint(save).keys))
    for entry in view.checkpoint(save).entries:
        if entry.key is None or entry.key in read or entry.left_out or _METADATA.search(entry.key.lower()):
            continue
        states = view.facts.checkpoints.states(entry)
        state = next((s for s in STATES if s in states), None)
        if not states and changes_in_training(entry):
            state = VARIABLE
        if state is None or (WEIGHTS in states and state != apis.EMA):
            continue
        if state in path.states and not _has_siblings(view, save, state, read):
            continue
        if difflib.get_close_matches(entry.key, misspelt, 1, NEAR):
            continue  # CKP409 says what is wrong
        if not _is_read_elsewhere(view, load, save, entry.key):
            yield entry, state


def changes_in_training(entry: Entry) -> bool:
    """Whether an entry is a variable that a training loop carries on: `beta *= 0.99` beside an optimizer's step."""
    value = entry.value
    if not isinstance(value, (t.Name, t.Attribute)) or entry.module.variable(value) is None:
        return False
    if entry.key is None or _NOT_CARRIED.search(entry.key.lower()):
        return False
    places = (place for place in entry.module.uses(value) if place.role in ("target", "targets"))
    return any(_carries_on(entry.module, place) and _is_trained(entry.module, place) for place in places)


def _carries_on(module: ModuleFacts, place: t.Expr) -> bool:
    """Whether what is bound at a place is made of what was bound before."""
    statement = place.parent
    if isinstance(statement, t.AugAssign):
        return True
    if not isinstance(statement, t.Assign):
        return False
    variable = module.variable(place)
    names = (node for node in t.walk(statement.value) if isinstance(node, (t.Name, t.Attribute)))
    return any(module.variable(node) == variable for node in names)


def _is_trained(module: ModuleFacts, place: t.Expr) -> bool:
    """Whether a loop around a place goes backward or steps an optimizer, in its own text."""
    calls = [call for name in ("backward", "step") for call in module.calls_by_name.get(name, ())]
    return any(loop.start <= call.start < loop.end for loop in flow.loops_around(place) for call in calls)


def _has_siblings(view: View, save: Save, state: str, read: set[str]) -> bool:
    """Whether a save holds several of a kind, and what is restored of it is another one: one counter is enough."""
    keys = [e.key for e in view.checkpoint(save).entries if state in view.facts.checkpoints.states(e)]
    return state != COUNTER and len(keys) > 1 and any(key in read for key in keys)


def _goes_on(view: View, load: Load) -> bool:
    """Whether what was loaded goes where somebody else may restore the rest: returned, kept, given to a function."""
    statement = load.call.parent
    target = statement.targets[0] if isinstance(statement, t.Assign) and len(statement.targets) == 1 else None
    if not isinstance(target, t.Name):
        return True
    return any(_hands_on(place) for place in view.module.uses(target) if _sees(view.module, place, target))


def _sees(module: ModuleFacts, place: t.Expr, target: t.Expr) -> bool:
    return place is not target and any(binding.node is target for binding in module.names.bindings(place))


def _hands_on(place: t.Expr) -> bool:
    parent = place.parent
    if bound_target(place) or isinstance(parent, _LOOKS):
        return False
    if isinstance(parent, t.Argument) and isinstance(parent.parent, t.Call):
        return last_name(parent.parent.func) not in _LOOKERS
    return not isinstance(parent, (t.For, t.Generator, t.IfExp))


def _is_read_elsewhere(view: View, load: Load, save: Save, key: str) -> bool:
    """Whether anything that the two files know reads the key from something like a checkpoint."""
    for module in _near(view, load, save, key):
        if any(_reads(module, node, key) for node in module.nodes):
            if acquainted(view.facts, module, load.module) or acquainted(view.facts, module, save.module):
                return True
    return any(_reads(view.module, node, key) for node in view.module.nodes)


def _near(view: View, load: Load, save: Save, key: str) -> Iterator[ModuleFacts]:
    """The modules that mention a key, and one of the two files by name or are named by them."""
    files = view.facts.world.files
    ends = [load.module.path, save.module.path]
    names = sorted({os.path.splitext(os.path.basename(path))[0] for path in ends})
    near = {*ends, *files.mentioning(names), *(p for m in (load.module, save.module) for p in imported(view.facts, m))}
    for path in files.mentioning([key]):
        if path in near:
            yield from view.facts.world.modules_of(path)


def _reads(module: ModuleFacts, node: t.Node, key: str) -> bool:
    if isinstance(node, t.Subscript):
        return not bound_target(node) and module.string(node.sub) == key and _is_checkpoint(node.value)
    if not isinstance(node, t.Call) or not isinstance(node.func, t.Attribute) or not node.args:
        return False
    gets = node.func.attr in ("get", "pop") and module.string(node.args[0].value) == key
    return gets and _is_checkpoint(node.func.value)


def _is_checkpoint(base: t.Expr) -> bool:
    """Anything may be a checkpoint but what is called a configuration."""
    name = last_name(base.func if isinstance(base, t.Call) else base)
    return not re.search(r"cfg|conf|args|opt(ion)?s?$|param|hparams|environ|kwargs", name) or bool(NAMED.search(name))


def unused(view: View) -> Iterator[Unused]:
    """Training state that is read from a load and then dropped."""
    for load in view.loads:
        for read in view.flow(load).reads:
            state = _state_of_key(read.key)
            target = _bound_to(read.node)
            if state is None or target is None or read.module is not view.module:
                continue
            if not any(not bound_target(place) for place in view.module.uses(target)):
                yield Unused(read.node, last_name(target), state, load)


def _bound_to(node: t.Expr) -> t.Name | None:
    statement = node.parent
    if isinstance(statement, t.Assign) and len(statement.targets) == 1 and isinstance(statement.targets[0], t.Name):
        return statement.targets[0] if statement.targets[0].id != "_" else None
    return None


def _state_of_key(key: str) -> str | None:
    if _METADATA.search(key.lower()) and not re.search(r"optim|sched|scaler", key.lower()):
        return None
    patterns: Sequence[tuple[str, str]] = (
        (apis.SCHEDULER, r"sched"), (apis.SCALER, r"(^|_)scaler|grad_scaler"), (apis.OPTIMIZER, r"optim|(^|_)opt(_|$)"),
    )  # fmt: skip
    return next((state for state, pattern in patterns if re.search(pattern, key.lower())), None)
