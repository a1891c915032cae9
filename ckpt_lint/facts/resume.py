"""Resume paths: functions that restore model weights together with other training state, or with a counter that counts.

RULES.md, "Resume path". A function is also credited with what the project functions that it calls restore, one call
deep: `resume()` that calls `load_model()` and `load_optimizer()` is one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ckpt_lint import apis
from ckpt_lint.facts.kinds import LOADED, STATE_DICT
from ckpt_lint.facts.restores import Part, Restore, Restores
from ckpt_lint.facts.roles import named_role, role_of
from ckpt_lint.facts.states import COUNTER, COUNTER_KEY, RNG, WEIGHTS
from ckpt_lint.facts.values import Values
from ckpt_lint.facts.whole import module_uses
from ckpt_lint.facts.world import Definition, World
from ckpt_lint.source import flow
from ckpt_lint.source import tree as t
from ckpt_lint.source.module import ModuleFacts, bound_target, last_name
from ckpt_lint.source.names import path_key, root_name

_RNG_SETTERS = ("set_rng_state", "set_rng_state_all", "setstate", "set_state")
_STEPS = 6


@dataclass(frozen=True, slots=True, eq=False)
class CounterRead:
    """A progress counter read from a checkpoint: `node` reads the key, `reaches` says where the value ends up.

    `reaches` is "loop", "attribute" or "return"; "" where it is only looked at or printed.
    """

    module: ModuleFacts
    node: t.Expr
    key: str
    reaches: str


@dataclass(frozen=True, slots=True, eq=False)
class ResumePath:
    """A function (or module body) that resumes training.

    `restores` are its own calls of `load_state_dict` on what was loaded; `called` those in project functions that it
    calls. `states` are the roles restored by either, WEIGHTS, RNG and COUNTER among them.
    """

    module: ModuleFacts
    body: t.Node
    restores: tuple[Restore, ...]
    called: tuple[Restore, ...]
    counters: tuple[CounterRead, ...]
    states: frozenset[str]

    @property
    def name(self) -> str:
        """How messages call it."""
        return f"`{self.body.name}`" if isinstance(self.body, t.FunctionDef) else "the module's top level"


_RESTORE = "load_state_dict"


class Resumes:
    """The resume paths of a world."""

    def __init__(self, world: World, values: Values, restores: Restores) -> None:
        self.world = world
        self.values = values
        self.restores = restores
        self._of: dict[ModuleFacts, tuple[ResumePath, ...]] = {}
        self._modules: tuple[ModuleFacts, ...] | None = None
        self._helpers: frozenset[str] | None = None

    def of(self, module: ModuleFacts) -> tuple[ResumePath, ...]:
        """The resume paths of a module, in source order."""
        known = self._of.get(module)
        if known is None:
            self._of[module] = ()
            known = self._of[module] = tuple(self._find(module))
        return known

    def at(self, module: ModuleFacts, node: t.Node) -> ResumePath | None:
        """The resume path in whose body a node stands."""
        body = flow.function_of(node) or module.root
        return next((path for path in self.of(module) if path.body is body), None)

    def in_project(self, module: ModuleFacts) -> tuple[ResumePath, ...]:
        """All resume paths of the project, the module's own first."""
        others = (p for m in self._restoring(module) if m is not module for p in self.of(m))
        return (*self.of(module), *others)

    def anywhere(self, module: ModuleFacts) -> bool:
        """Whether anything in the project resumes training, a framework's own restore included."""
        if self.of(module) or any(self.of(m) for m in self._restoring(module)):
            return True
        return any("load_state" in m.calls_by_name for m in self._restoring(module))

    def _restoring(self, module: ModuleFacts) -> tuple[ModuleFacts, ...]:
        """The project's modules that restore something."""
        if self._modules is None:
            paths = self.world.files.mentioning(["load_state_dict", "load_state("])
            found = [m for path in paths for m in self.world.modules_of(path)]
            self._modules = tuple(found)
        own = [m for m in self.world.modules_of(module.path) or (module,) if m not in self._modules]
        return (*own, *self._modules)

    # -- one module -------------------------------------------------------------------------------------------------

    def _find(self, module: ModuleFacts) -> Iterator[ResumePath]:
        bodies: dict[t.Node, list[Restore]] = {}
        for restore in self.of_loads(module):
            bodies.setdefault(flow.function_of(restore.call) or module.root, []).append(restore)
        called = self._called(module)
        for body in sorted({*bodies, *called}, key=lambda n: n.start):
            path = self._path(module, body, bodies.get(body, []), called.get(body, []))
            if path is not None:
                yield path

    def of_loads(self, module: ModuleFacts) -> tuple[Restore, ...]:
        """The restores that are given something from outside, not the state of another live object."""
        return tuple(r for r in self.restores.of(module) if not self._live(r))

    def _live(self, restore: Restore) -> bool:
        if restore.state is None:
            return False
        kinds = self.values.kinds(restore.module, restore.state)
        if STATE_DICT not in kinds or LOADED in kinds or self.restores.parts(restore.module, restore.state):
            return False
        return not _merged(restore)

    def _called(self, module: ModuleFacts) -> dict[t.Node, list[Restore]]:
        """What the functions that a body calls restore, by body."""
        out: dict[t.Node, list[Restore]] = {}
        for name in sorted(self._helper_names(module)):
            for call in module.calls_by_name.get(name, ()):
                if name == _RESTORE and isinstance(call.func, t.Attribute):
                    continue  # the method
                body = flow.function_of(call) or module.root
                for found in self.world.callees_where(module, call, self.restores.may_restore):
                    if found.node is not body:
                        out.setdefault(body, []).extend(self._inside(found))
        return {body: restores for body, restores in out.items() if restores}

    def _helper_names(self, module: ModuleFacts) -> frozenset[str]:
        """The names of functions that restore something: the project's, told from its bytes, and the module's own."""
        if self._helpers is None:
            files = self.world.files
            paths = files.mentioning([_RESTORE])
            self._helpers = frozenset(name for path in paths for name in files.functions_calling(path, _RESTORE))
        functions = (flow.function_of(restore.call) for restore in self.restores.of(module))
        own = frozenset(function.name for function in functions if function is not None)
        return self._helpers | own

    def _inside(self, found: Definition) -> Iterator[Restore]:
        if isinstance(found.node, t.FunctionDef):
            for restore in self.of_loads(found.module):
                if flow.function_of(restore.call) is found.node:
                    yield restore

    def _path(
        self, module: ModuleFacts, body: t.Node, own: Sequence[Restore], called: Sequence[Restore]
    ) -> ResumePath | None:
        counters = tuple(self.counters(module, body))
        states = {role for restore in (*own, *called) for role in self.restored(restore)}
        states |= self._whole_weights(module, body) if states or counters else set()
        if any(counter.reaches for counter in counters):
            states.add(COUNTER)
        if any(_in_body(module, call, body) for name in _RNG_SETTERS for call in module.calls_by_name.get(name, ())):
            states.add(RNG)
        if WEIGHTS not in states or states <= {WEIGHTS, apis.EMA}:
            return None
        return ResumePath(module, body, tuple(own), tuple(called), counters, frozenset(states))

    def restored(self, restore: Restore) -> frozenset[str]:
        """The training state that a restore takes over; WEIGHTS where nothing says otherwise."""
        role = restore.role
        if role is None:
            role = named_role(last_name(restore.receiver))
        if role == apis.EMA:
            return frozenset({WEIGHTS, apis.EMA})
        return frozenset({WEIGHTS if role in (None, apis.MODULE) else role})

    def _whole_weights(self, module: ModuleFacts, body: t.Node) -> set[str]:
        """`net = checkpoint["net"]`, `net = torch.load(path)`: the module itself comes out of the file."""
        for call in module.calls:
            load = self.restores.load_at(module, call)
            if load is None or not _in_body(module, call, body):
                continue
            if isinstance(call.parent, t.Assign) and any(not u.part for u in module_uses(self.world, self.restores, load)):
                return {WEIGHTS}
            for target, part in self._bound_parts(module, call):
                if part.keys and role_of(self.values, module, target) == apis.MODULE:
                    return {WEIGHTS}
                if part.keys and named_role(last_name(target)) == apis.MODULE:
                    return {WEIGHTS}
        return set()

    def _bound_parts(self, module: ModuleFacts, call: t.Call) -> Iterator[tuple[t.Expr, Part]]:
        for node in module.nodes:
            if isinstance(node, t.Assign) and isinstance(node.value, t.Subscript) and node.start >= call.start:
                for part in self.restores.parts(module, node.value, deep=False):
                    if part.load.call is call:
                        for target in node.targets:
                            yield target, part

    # -- counters ---------------------------------------------------------------------------------------------------

    def counters(self, module: ModuleFacts, body: t.Node) -> Iterator[CounterRead]:
        """The progress counters that a body reads from what it loaded, or from what it restores from."""
        sources = self._sources(module, body)
        for node in module.nodes:
            key = _read_key(module, node)
            if key is None or not COUNTER_KEY.search(key) or not _in_body(module, node, body):
                continue
            assert isinstance(node, (t.Subscript, t.Call, t.Attribute))
            base = node.func.value if isinstance(node, t.Call) and isinstance(node.func, t.Attribute) else None
            base = node.value if isinstance(node, (t.Subscript, t.Attribute)) else base
            if base is None or bound_target(node):
                continue
            if path_key(base) in sources or self.restores.parts(module, base):
                yield CounterRead(module, node, key, reaches(module, node))

    def _sources(self, module: ModuleFacts, body: t.Node) -> frozenset[str]:
        """The variables of a body that its restores read from: `ckpt` in `opt.load_state_dict(ckpt["opt"])`."""
        out = set()
        for restore in self.of_loads(module):
            state = restore.state
            if not _in_body(module, restore.call, body):
                continue
            if isinstance(state, t.Call) and isinstance(state.func, t.Attribute) and state.func.attr in ("get", "pop"):
                out.add(path_key(state.func.value))
            elif isinstance(state, (t.Subscript, t.Attribute)) and root_name(state) is not None:
                out.add(path_key(state.value))
        return frozenset(out - {"", "self"})


def _merged(restore: Restore) -> bool:
    """Whether a module gets its own state dict back with another one put in: `own.update(given)`."""
    module, state = restore.module, restore.state
    if not isinstance(state, t.Name):
        return False
    own = [b.value for b in module.names.bindings(state) if isinstance(b.value, t.Call)]
    takes = (call.func.value for call in own if isinstance(call.func, t.Attribute))
    if path_key(restore.receiver) not in {path_key(owner) for owner in takes}:
        return False
    holders = (place.parent for place in module.uses(state))
    return any(isinstance(holder, t.Attribute) and holder.attr == "update" for holder in holders)


def _in_body(module: ModuleFacts, node: t.Node, body: t.Node) -> bool:
    return (flow.function_of(node) or module.root) is body


def _read_key(module: ModuleFacts, node: t.Node) -> str | None:
    """The key that `d["k"]`, `d.get("k")` or `snapshot.k` reads."""
    if isinstance(node, t.Subscript):
        return module.string(node.sub)
    if isinstance(node, t.Call) and node.args and isinstance(node.func, t.Attribute):
        return module.string(node.args[0].value) if node.func.attr in ("get", "pop") else None
    if isinstance(node, t.Attribute) and not (isinstance(node.parent, t.Call) and node.role == "func"):
        return node.attr
    return None


def reaches(module: ModuleFacts, node: t.Expr, steps: int = _STEPS) -> str:
    """Where a value ends up: in a "loop" bound, an "attribute", a "return" value; "" elsewhere."""
    holder, role = _out_of_arithmetic(node)
    if isinstance(holder, t.Return):
        return "return"
    if (isinstance(holder, (t.For, t.Generator)) and role == "iter") or isinstance(holder, t.While):
        return "loop"
    if isinstance(holder, (t.Assign, t.AnnAssign, t.AugAssign)) and role == "value":
        targets = holder.targets if isinstance(holder, t.Assign) else (holder.target,)
        for target in _flat(targets):
            if isinstance(target, t.Attribute):
                return "attribute"
            if steps > 0 and isinstance(target, (t.Name, t.Subscript)):
                found = _variable_reaches(module, target, steps)
                if found:
                    return found
    if isinstance(holder, t.Argument) and steps > 0:
        return _argument_reaches(module, holder)
    return ""


def _out_of_arithmetic(node: t.Node) -> tuple[t.Node, str]:
    """Climbs through `+ 1`, `int(...)`, `a if b else c`, tuples and `range(...)`."""
    while True:
        parent, role = node.parent, node.role
        passes = isinstance(parent, (t.BinOp, t.BoolOp, t.Sequence, t.Compare, t.UnaryOp, t.Starred))
        passes = passes or (isinstance(parent, t.IfExp) and role != "test")
        call = parent.parent
        if isinstance(parent, t.Argument) and isinstance(call, t.Call) and last_name(call.func) in _TRANSPARENT:
            node = call
        elif passes:
            node = parent
        else:
            return parent, role


_TRANSPARENT = frozenset({"int", "max", "min", "range", "trange", "count", "tqdm", "enumerate", "islice", "item"})
_LOOKERS = frozenset({
    "print", "info", "debug", "warning", "format", "log", "write", "str", "len", "error", "print_log", "isinstance",
})  # fmt: skip


def _flat(targets: Sequence[t.Expr]) -> Iterator[t.Expr]:
    for target in targets:
        if isinstance(target, t.Sequence):
            yield from _flat(target.items)
        else:
            yield target


def _variable_reaches(module: ModuleFacts, target: t.Expr, steps: int) -> str:
    for place in module.uses(target):
        if place is target or bound_target(place) or isinstance(place.parent, (t.If, t.JoinedStr)):
            continue
        found = reaches(module, place, steps - 1)
        if found:
            return found
    return ""


def _argument_reaches(module: ModuleFacts, argument: t.Argument) -> str:
    """A keyword such as `initial=` or `start_epoch=` that hands the counter on to whoever loops."""
    call = argument.parent
    if not isinstance(call, t.Call) or last_name(call.func) in _LOOKERS:
        return ""
    return "loop" if COUNTER_KEY.search(argument.keyword or last_name(argument.value)) else ""


__all__ = ["CounterRead", "ResumePath", "Resumes", "reaches"]
