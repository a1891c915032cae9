"""Runs that go on training from bare weights: which module is restored and then trained on. RULES.md, CKP209."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ckpt_lint import apis
from ckpt_lint.facts.checkpoints import Checkpoints
from ckpt_lint.facts.loads import Load
from ckpt_lint.facts.restores import Restore, Restores
from ckpt_lint.facts.saves import Save, Saves
from ckpt_lint.facts.states import WEIGHTS
from ckpt_lint.facts.world import Definition, World
from ckpt_lint.source import flow
from ckpt_lint.source import tree as t
from ckpt_lint.source.module import ModuleFacts, last_name
from ckpt_lint.source.names import path_key

RESUME = re.compile(r"resume|continue", re.IGNORECASE)
TUNING = re.compile(
    r"pre_?train|fine_?tun|transfer|warm_?start|backbone|stage|teacher|init_from|distill", re.IGNORECASE
)
_COUNTER = re.compile(
    r"(^|_)(start|resume|resumed|last|init|initial|begin)_?(epoch|iter|iteration|step|itr)s?$", re.IGNORECASE
)
_PARAMETERS = ("parameters", "named_parameters")
_CALLS = 2


@dataclass(frozen=True, slots=True, eq=False)
class WeightsResume:
    """A load of bare weights that training goes on from; `save` writes them, `optimizer` is built over the module."""

    load: Load
    restore: Restore
    save: Save
    optimizer: t.Call


class WeightsResumes:
    """Finds them in the modules of a world."""

    def __init__(self, world: World, saves: Saves, checkpoints: Checkpoints, restores: Restores) -> None:
        self.world = world
        self.saves = saves
        self.checkpoints = checkpoints
        self.restores = restores

    def of(self, module: ModuleFacts) -> Iterator[WeightsResume]:
        """Those of a module, in source order."""
        saves = [save for save in self.saves.of(module) if not self.saves.in_memory(save)]
        if not saves or any(self._may_hold_more(save) for save in saves):
            return
        for restore in self.restores.of(module):
            if restore.role not in (None, apis.MODULE):
                continue
            load = self._bare(restore)
            save = next((s for s in saves if self._saves_weights_of(s, restore.receiver)), None)
            optimizer = self._optimizer(module, restore.receiver)
            if load is None or save is None or optimizer is None or not self._is_a_resume(restore, load):
                continue
            if self._trains_after(module, restore.call, _CALLS):
                yield WeightsResume(load, restore, save, optimizer)

    # -- what is saved and loaded -----------------------------------------------------------------------------------

    def _may_hold_more(self, save: Save) -> bool:
        """Whether a save holds optimizer state, or something that we cannot read."""
        checkpoint = self.checkpoints.of(save)
        states = {s for entry in checkpoint.entries for s in self.checkpoints.states(entry)}
        return apis.OPTIMIZER in states or (checkpoint.shape == "dict" and checkpoint.open)

    def _saves_weights_of(self, save: Save, receiver: t.Expr) -> bool:
        checkpoint = self.checkpoints.of(save)
        if checkpoint.shape != "object" or WEIGHTS not in self.checkpoints.states(checkpoint.entries[0]):
            return False
        value: t.Expr = checkpoint.entries[0].value
        return any(_stem(node) == _stem(receiver) for node in t.walk(value) if isinstance(node, (t.Name, t.Attribute)))

    def _bare(self, restore: Restore) -> Load | None:
        for part in self.restores.parts(restore.module, restore.state):
            if part.keys == () and part.load.module is restore.module:
                return part.load
        return None

    def _optimizer(self, module: ModuleFacts, receiver: t.Expr) -> t.Call | None:
        """The construction of an optimizer over the parameters of a module."""
        for call in module.calls:
            if not any(apis.constructs(name) == apis.OPTIMIZER for name in module.names.of(call.func)):
                continue
            sources = (node for source in _sources(module, call) for node in t.walk(source))
            owners = (n.value for n in sources if isinstance(n, t.Attribute) and n.attr in _PARAMETERS)
            if any(_same_stem(owner, receiver) for owner in owners):
                return call
        return None

    def _is_a_resume(self, restore: Restore, load: Load) -> bool:
        """Whether the program says that it goes on: where it restores, or where it calls the function that does."""
        given = _words(restore.state) if restore.state is not None else ""
        if TUNING.search(" ".join([*_tests_around(restore.call), given, path_key(restore.receiver)])):
            return False
        if _says_resume(restore.call) or _counts_on(restore.module, load):
            return True
        function = flow.function_of(restore.call)
        sites = self.world.callers(Definition(restore.module, function)) if function is not None else ()
        return any(_says_resume(site.call) and not TUNING.search(_words(site.call)) for site in sites)

    # -- training afterwards ----------------------------------------------------------------------------------------

    def _trains_after(self, module: ModuleFacts, node: t.Node, calls: int) -> bool:
        """Whether an optimizer steps once a place has been passed: further down, or in what is called there."""
        body = flow.body_of(node)
        loops = flow.loops_around(node)
        for call in module.calls:
            if flow.body_of(call) is not body or call is node:
                continue
            later = call.start > node.start or any(loop in t.ancestors(call) for loop in loops)
            if later and self._steps(module, call, _CALLS):
                return True
        function = flow.function_of(node)
        if function is None or calls <= 0:
            return False
        if function.name == "__init__" and self._class_steps(module, function):
            return True
        sites = self.world.callers(Definition(module, function))
        return any(self._trains_after(site.module, site.call, calls - 1) for site in sites)

    def _steps(self, module: ModuleFacts, call: t.Call, calls: int) -> bool:
        """Whether a call is an optimizer's step, or runs a project function with one."""
        if isinstance(call.func, t.Attribute) and call.func.attr == "step":
            return _steps_optimizer(call)
        if calls <= 0:
            return False
        for found in self.world.callees(module, call):
            if isinstance(found.node, t.FunctionDef) and found.node is not flow.function_of(call):
                inside = (c for c in found.module.calls if flow.function_of(c) is found.node)
                if any(self._steps(found.module, c, calls - 1) for c in inside):
                    return True
        return False

    def _class_steps(self, module: ModuleFacts, function: t.FunctionDef) -> bool:
        holder = function.parent
        calls = (c for c in module.calls_by_name.get("step", ()) if flow.class_of(c) is holder)
        return any(_steps_optimizer(call) for call in calls)


def _steps_optimizer(call: t.Call) -> bool:
    """`optimizer.step()`, `scaler.step(optimizer)`; not `scheduler.step()`."""
    assert isinstance(call.func, t.Attribute)
    name = last_name(call.func.value)
    if apis.OPTIMIZER_NAMES.match(name):
        return True
    return any(apis.OPTIMIZER_NAMES.match(last_name(arg.value)) for arg in call.args)


def _says_resume(node: t.Node) -> bool:
    """Whether a place stands under an option called resume, or beside a counter that is taken over."""
    if any(RESUME.search(text) for text in _tests_around(node)):
        return True
    return any(_takes_counter(statement) for statement in flow.block_of(flow.statement_of(node)))


def _tests_around(node: t.Node) -> list[str]:
    return [_words(parent.test) for parent in t.ancestors(node) if isinstance(parent, t.If)]


def _takes_counter(statement: t.Stmt) -> bool:
    if not isinstance(statement, t.Assign) or isinstance(statement.value, t.Constant):
        return False
    return any(_COUNTER.search(last_name(target)) for target in statement.targets)


def _counts_on(module: ModuleFacts, load: Load) -> bool:
    """Whether a counter is read off the name of the file: `start_step = int(args.weights.split("_")[-1])`."""
    key = path_key(load.path) if load.path is not None else ""
    for node in module.nodes if key else ():
        if isinstance(node, t.Assign) and _takes_counter(node) and flow.body_of(node) is flow.body_of(load.call):
            if any(path_key(part) == key for part in t.walk(node.value)):
                return True
    return False


def _sources(module: ModuleFacts, call: t.Call) -> Iterator[t.Expr]:
    """What the arguments of a call are made from: a list that is filled in a loop is made from what that runs over."""
    yield call
    for arg in call.args:
        for place in module.uses(arg.value) if isinstance(arg.value, t.Name) else ():
            statement = flow.statement_of(place)
            if isinstance(statement, t.Assign) and place in statement.targets:
                yield statement.value
            elif isinstance(statement, t.AugAssign) or _fills(place):
                yield from (loop.iter for loop in flow.loops_around(place) if isinstance(loop, t.For))


def _fills(place: t.Node) -> bool:
    return isinstance(place.parent, t.Attribute) and place.parent.attr in ("append", "extend", "insert")


def _words(expr: t.Expr) -> str:
    names = [last_name(node) for node in t.walk(expr) if isinstance(node, (t.Name, t.Attribute))]
    texts = [str(node.value) for node in t.walk(expr) if isinstance(node, t.Constant)]
    return " ".join([*names, *texts])


def _stem(expr: t.Expr) -> str:
    """The name of a module without what wraps it: "net" for `net.module` and `self.net`."""
    return path_key(expr).removesuffix(".module").rpartition(".")[2]


def _same_stem(one: t.Expr, other: t.Expr) -> bool:
    return _stem(one) == _stem(other) != ""
