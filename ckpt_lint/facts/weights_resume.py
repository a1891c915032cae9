"""Runs that go on training from bare weights: which module is restored and then trained on. RULES.md, CKP209."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass

from ckpt_lint import apis
from ckpt_lint.facts.checkpoints import Checkpoints
from ckpt_lint.facts.loads import Load
from ckpt_lint.facts.restores import Restore, Restores
from ckpt_lint.facts.saves import Save, Saves
from ckpt_lint.facts.states import WEIGHTS
from ckpt_lint.facts.world import Definition, World, bind, is_method_call
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
    """A load of bare weights that training goes on from; `save` writes them, `optimizer` is built over the module.

    `trained` is that module where it is trained, in the file `place`: what the restore stands on, or what a helper
    that restores is given.
    """

    load: Load
    restore: Restore
    save: Save
    optimizer: t.Call
    trained: t.Expr
    place: ModuleFacts


class WeightsResumes:
    """Finds them in the modules of a world."""

    def __init__(self, world: World, saves: Saves, checkpoints: Checkpoints, restores: Restores) -> None:
        self.world = world
        self.saves = saves
        self.checkpoints = checkpoints
        self.restores = restores

    def of(self, module: ModuleFacts) -> Iterator[WeightsResume]:
        """Those of which the load stands in a module, in source order."""
        for restore in self.restores.of(module):
            load = self._bare(restore) if restore.role in (None, apis.MODULE) else None
            if load is None:
                continue
            own = self._found(module, load, restore, restore.receiver)
            if own is not None and self._is_a_resume(restore, load) and self._trains_after(module, restore.call, _CALLS):
                yield own
            elif own is None and not _is_tuning(restore.call, restore.receiver):
                yield from itertools.islice(self._seen_by_callers(restore, load), 1)

    def _seen_by_callers(self, restore: Restore, load: Load) -> Iterator[WeightsResume]:
        """The same where a helper restores what it is given, and the file that calls it builds, trains and saves it."""
        function = flow.function_of(restore.call)
        if function is None or not isinstance(restore.receiver, t.Name):
            return
        for site in self.world.callers(Definition(restore.module, function)):
            given = _given(site.call, function, restore.receiver.id)
            if given is None or site.module is restore.module or _is_tuning(site.call, given):
                continue
            found = self._found(site.module, load, restore, given)
            if found is not None and _says_resume(site.call) and self._trains_after(site.module, site.call, _CALLS):
                yield found

    def _found(self, module: ModuleFacts, load: Load, restore: Restore, trained: t.Expr) -> WeightsResume | None:
        """A module whose weights alone a file saves, and over which it builds an optimizer."""
        saves = [save for save in self.saves.of(module) if not self.saves.in_memory(save)]
        beside = list(self._saved_beside(restore.module, module))
        if any(self._may_hold_more(save) for save in (*saves, *(save for save, _ in beside))):
            return None
        own = (s for s in saves if _speaks_of(self._weights(s), trained))
        handed = (s for s, given in beside if given is not None and _stem(given) == _stem(trained))
        save = next(itertools.chain(own, handed), None)
        optimizer = self._optimizer(module, trained) if save is not None else None
        if save is None or optimizer is None or self._kept_elsewhere(module, optimizer):
            return None
        return WeightsResume(load, restore, save, optimizer, trained, module)

    def _saved_beside(self, restoring: ModuleFacts, module: ModuleFacts) -> Iterator[tuple[Save, t.Expr | None]]:
        """Saves by helpers in the file that restores, called by another: the pair `net.write(p)` and `net.read(p)`.

        With each what the call hands over for the object whose weights it writes.
        """
        for save in self.saves.direct(restoring) if restoring is not module else ():
            function = flow.function_of(save.call)
            owner = _owner(self._weights(save))
            if function is None or save.passed or self.saves.in_memory(save):
                continue
            for site in self.world.callers(Definition(restoring, function)):
                if site.module is module:
                    yield save, _given(site.call, function, owner) if owner else None

    def _kept_elsewhere(self, module: ModuleFacts, optimizer: t.Call) -> bool:
        """Whether the optimizer is handed to a helper that saves it."""
        bound = flow.statement_of(optimizer)
        names = {_stem(target) for target in bound.targets} if isinstance(bound, t.Assign) else set()
        for call in module.calls if names else ():
            if not any(isinstance(a.value, (t.Name, t.Attribute)) and _stem(a.value) in names for a in call.args):
                continue
            for found in self.world.callees(module, call):
                inside = (s for s in self.saves.direct(found.module) if flow.function_of(s.call) is found.node)
                if any(self._may_hold_more(save) for save in inside):
                    return True
        return False

    # -- what is saved and loaded -----------------------------------------------------------------------------------

    def _may_hold_more(self, save: Save) -> bool:
        """Whether a save holds optimizer state, or something that we cannot read."""
        checkpoint = self.checkpoints.of(save)
        states = {s for entry in checkpoint.entries for s in self.checkpoints.states(entry)}
        return apis.OPTIMIZER in states or (checkpoint.shape == "dict" and checkpoint.open)

    def _weights(self, save: Save) -> t.Expr | None:
        """The state dict that a save writes, and nothing else."""
        checkpoint = self.checkpoints.of(save)
        if checkpoint.shape != "object" or WEIGHTS not in self.checkpoints.states(checkpoint.entries[0]):
            return None
        return checkpoint.entries[0].value

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
            if any(_same_module(module, whole, receiver) for owner in owners for whole in _wholes(owner)):
                return call
        return None

    def _is_a_resume(self, restore: Restore, load: Load) -> bool:
        """Whether the program says that it goes on: where it restores, or where it calls the function that does."""
        if _is_tuning(restore.call, restore.receiver):
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


def _is_tuning(call: t.Call, receiver: t.Expr) -> bool:
    """Whether a place that restores, or calls what does, speaks of a stage of fine-tuning."""
    given = " ".join(_words(arg.value) for arg in call.args)
    return bool(TUNING.search(" ".join([*_tests_around(call), given, path_key(receiver)])))


def _given(call: t.Call, function: t.FunctionDef, name: str) -> t.Expr | None:
    """What a call hands over for a parameter; `self` is what the method is called on."""
    method = is_method_call(call, function)
    if method and function.params and function.params[0].name == name:
        return call.func.value if isinstance(call.func, t.Attribute) else None
    return bind(call, function, instance=method).values.get(name)


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


def _sources(module: ModuleFacts, call: t.Call) -> Iterator[t.Node]:
    """What the arguments of a call are made from: a list that is filled in a loop is made from what that runs over."""
    yield call
    for arg in call.args:
        for place in module.uses(arg.value) if isinstance(arg.value, t.Name) else ():
            statement = flow.statement_of(place)
            if isinstance(statement, t.Assign) and place in statement.targets:
                yield statement.value
            elif isinstance(statement, t.AugAssign) or _fills(place):
                yield statement
                yield from (loop.iter for loop in flow.loops_around(place) if isinstance(loop, t.For))


def _wholes(owner: t.Expr) -> Iterator[t.Expr]:
    """A module whose parameters are asked for, and what it is a part of: `net.trunk`, `getattr(net, "head")`, `net[0]`."""
    whole: t.Expr | None = owner
    while whole is not None:
        yield whole
        if isinstance(whole, (t.Attribute, t.Subscript)):
            whole = whole.value
        elif isinstance(whole, t.Call) and last_name(whole.func) == "getattr" and whole.args:
            whole = whole.args[0].value
        else:
            whole = None


def _fills(place: t.Node) -> bool:
    return isinstance(place.parent, t.Attribute) and place.parent.attr in ("append", "extend", "insert")


def _words(expr: t.Expr) -> str:
    names = [last_name(node) for node in t.walk(expr) if isinstance(node, (t.Name, t.Attribute))]
    texts = [str(node.value) for node in t.walk(expr) if isinstance(node, t.Constant)]
    return " ".join([*names, *texts])


def _stem(expr: t.Expr) -> str:
    """The name of a module without what wraps it: "net" for `net.module` and `self.net`."""
    return path_key(expr).removesuffix(".module").rpartition(".")[2]


def _same_module(module: ModuleFacts, one: t.Expr, other: t.Expr) -> bool:
    """Whether two names mean one module: the same, or one that was bound to the other or to a wrapper around it."""
    bound = (b.value for b in module.names.bindings(one) if b.how == "assign")
    wrapped = [_wrapped(value) for value in bound if value is not None]
    return any(_stem(node) == _stem(other) != "" and _is_part(node) == _is_part(other) for node in (one, *wrapped))


def _is_part(expr: t.Expr) -> bool:
    """Whether a name is an attribute of something else than the object at hand: `critic.net`, not `self.net`."""
    key = path_key(expr).removesuffix(".module")
    return "." in key.removeprefix("self.")


def _speaks_of(value: t.Expr | None, trained: t.Expr) -> bool:
    """Whether a module is named in a value that is saved."""
    names = (node for node in t.walk(value) if isinstance(node, (t.Name, t.Attribute))) if value is not None else ()
    return any(_stem(node) == _stem(trained) for node in names)


def _owner(value: t.Expr | None) -> str:
    """The variable whose state a value is: "self" for `self.state_dict()`; "" where it is anything else."""
    func = value.func if isinstance(value, t.Call) else None
    if isinstance(func, t.Attribute) and func.attr == "state_dict" and isinstance(func.value, t.Name):
        return func.value.id
    return ""


def _wrapped(value: t.Expr) -> t.Expr:
    return value.args[0].value if isinstance(value, t.Call) and len(value.args) > 0 else value
