"""Best metrics that guard a save and are lost by a resume: neither saved nor restored. RULES.md, CKP210."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ckpt_lint.facts.checkpoints import Checkpoint, Checkpoints
from ckpt_lint.facts.metrics import MetricGuard, own_guard
from ckpt_lint.facts.resume import ResumePath, Resumes
from ckpt_lint.facts.saves import Saves
from ckpt_lint.facts.states import Entry
from ckpt_lint.facts.training import Training, TrainingCheckpoint, mentions
from ckpt_lint.facts.world import CallSite, Definition, World, bind, is_method_call
from ckpt_lint.source import flow
from ckpt_lint.source import tree as t
from ckpt_lint.source.module import ModuleFacts, bound_target, last_name
from ckpt_lint.source.names import path_key
from ckpt_lint.source.scopes import Binding

COPIES = ("copyfile", "copy", "copy2", "move", "rename", "replace", "link", "symlink", "copytree")
_COPIERS = ("shutil.", "os.", "pathlib.")
_STARTS = frozenset({"float", "int", "tensor", "inf", "Inf", "NINF", "maxsize", "nan", "full", "zeros"})


@dataclass(frozen=True, slots=True, eq=False)
class LostBest:
    """A guarded save (or copy) at `node`, its metric, where training resumes, and the checkpoint for that."""

    guard: MetricGuard
    node: t.Call
    path: ResumePath
    checkpoint: TrainingCheckpoint


class BestValues:
    """Finds the lost best metrics of a module."""

    def __init__(
        self, world: World, saves: Saves, checkpoints: Checkpoints, resumes: Resumes, training: Training
    ) -> None:
        self.world = world
        self.saves = saves
        self.checkpoints = checkpoints
        self.resumes = resumes
        self.training = training

    def lost(self, module: ModuleFacts) -> Iterator[LostBest]:
        """The guarded saves of a module whose metric a resumed run does not know, one for each metric."""
        seen: set[tuple[str, str]] = set()
        for node, guard in self._guarded(module):
            key = (guard.module.path, path_key(guard.best) if guard.best is not None else "")
            found = self._lost(module, node, guard) if key not in seen else None
            if found is not None:
                seen.add(key)
                yield found

    def _lost(self, module: ModuleFacts, node: t.Call, guard: MetricGuard) -> LostBest | None:
        if not starts_afresh(guard):
            return None
        modules = self._program(module, node, guard)
        paths = [p for p in self.resumes.in_project(module) if p.module in modules]
        path = min(paths, key=lambda p: not p.restores, default=None)
        checkpoints = [c for m in modules for c in self.training.of(m)]
        if path is None or not checkpoints or self._is_saved(modules, guard) or _set_from_outside(modules, guard):
            return None
        return LostBest(guard, node, path, checkpoints[0])

    # -- guarded saves ----------------------------------------------------------------------------------------------

    def _guarded(self, module: ModuleFacts) -> Iterator[tuple[t.Call, MetricGuard]]:
        """The guarded calls that write a file: saves, project functions that save, copies and renames."""
        saves = {save.call for save in self.saves.of(module) if not self.saves.in_memory(save)}
        for call in module.calls:
            guard = own_guard(self.world, module, call)
            if guard is None or guard.best is None:
                continue
            if call in saves or self._copies(module, call) or self._calls_a_save(module, call):
                yield call, guard

    def _copies(self, module: ModuleFacts, call: t.Call) -> bool:
        names = module.names.of(call.func)
        return last_name(call.func) in COPIES and any(name.startswith(_COPIERS) for name in names)

    def _calls_a_save(self, module: ModuleFacts, call: t.Call) -> bool:
        return any(
            flow.function_of(save.call) is found.node
            for found in self.world.callees(module, call)
            for save in (*self.saves.direct(found.module), *self.saves.of(found.module))
        )

    # -- the program ------------------------------------------------------------------------------------------------

    def _program(self, module: ModuleFacts, node: t.Call, guard: MetricGuard) -> tuple[ModuleFacts, ...]:
        """The modules in which the save and its resume have to be: the guard's, the save's, those that call either."""
        out = {id(m): m for m in (module, guard.module)}
        for place_module, place in ((module, node), (guard.module, guard.test)):
            function = flow.function_of(place)
            if function is not None:
                for site in self.world.callers(Definition(place_module, function)):
                    out.setdefault(id(site.module), site.module)
        for site in self._makers(guard):
            out.setdefault(id(site.module), site.module)
        for found in self.world.callees(module, node):
            out.setdefault(id(found.module), found.module)
        return tuple(out.values())

    def _makers(self, guard: MetricGuard) -> Sequence[CallSite]:
        """Where the class whose attribute the metric is, is made: what runs it may resume there."""
        holder = flow.class_of(guard.best) if isinstance(guard.best, t.Attribute) else None
        body = holder.body if holder is not None else ()
        made = next((node for node in body if isinstance(node, t.FunctionDef) and node.name == "__init__"), None)
        return self.world.callers(Definition(guard.module, made)) if made is not None else ()

    def _is_saved(self, modules: Sequence[ModuleFacts], guard: MetricGuard) -> bool:
        """Whether some checkpoint holds the metric, may hold it, or holds the value that it is compared with."""
        wanted = {path_key(e) for e in (guard.best, guard.other) if e is not None} - {""}
        words = {re.sub(r"[^a-z0-9]", "", last_name(e).lower()) for e in (guard.best, guard.other) if e is not None}
        for module in modules:
            for save in self.saves.of(module):
                checkpoint = self.checkpoints.of(save)
                if checkpoint.shape == "dict" and (checkpoint.open or self._holds(checkpoint, wanted, words - {""})):
                    return True
        return False

    def _holds(self, checkpoint: Checkpoint, wanted: set[str], words: set[str]) -> bool:
        for entry in checkpoint.entries:
            key = re.sub(r"[^a-z0-9]", "", (entry.key or "").lower())
            if "best" in key or any(word == key for word in words):
                return True
            if wanted & set(self._mentions(entry)):
                return True
        return False

    def _mentions(self, entry: Entry) -> Iterator[str]:
        """What an entry is made from, under the names that the callers of its function give it too."""
        own = frozenset(mentions(entry.module, entry.value))
        yield from own
        function = flow.function_of(entry.value)
        for site in self.world.callers(Definition(entry.module, function)) if function is not None else ():
            assert function is not None
            bound = bind(site.call, function, instance=is_method_call(site.call, function))
            for name in sorted(own & set(bound.values)):
                yield from mentions(site.module, bound.values[name])
            if any(param.kind == "double-star" and param.name in own for param in function.params):
                for more in bound.rest:
                    yield from mentions(site.module, more)


def _set_from_outside(modules: Sequence[ModuleFacts], guard: MetricGuard) -> bool:
    """Whether something binds the attribute of an object: `trainer.best_acc = checkpoint["best_acc"]`."""
    if not isinstance(guard.best, t.Attribute):
        return False
    places = (node for module in modules for node in module.all(t.Attribute) if node.attr == guard.best.attr)
    return any(bound_target(node) and last_name(node.value) != "self" for node in places)


def starts_afresh(guard: MetricGuard) -> bool:
    """Whether a run always starts the metric from a constant: every other binding takes over a better value."""
    best = guard.best
    if best is None or not isinstance(best, (t.Name, t.Attribute)):
        return False
    bindings = _all_bindings(guard.module, best)
    starts = [binding for binding in bindings if _is_start(binding)]
    return bool(starts) and all(binding in starts or _is_update(guard, binding) for binding in bindings)


def _all_bindings(module: ModuleFacts, expr: t.Expr) -> Sequence[Binding]:
    if isinstance(expr, t.Attribute):
        holder = flow.class_of(expr)
        if holder is None or not module.names.is_self(expr.value):
            return ()
        return module.names.attribute_bindings(holder, expr.attr)
    assert isinstance(expr, t.Name)
    scope = module.names.scope_of(expr)
    return scope.bindings.get(expr.id, ()) if scope is not None else ()


def _is_start(binding: Binding) -> bool:
    """`0.0`, `-1`, `float("inf")`, `np.inf`, `None`; an unpacked constant (`start, best = 0, 0.0`)."""
    value = binding.value
    for index in binding.at if binding.how == "unpack" else ():
        if not isinstance(value, t.Sequence) or index >= len(value.items):
            return False
        value = value.items[index]
    return binding.how in ("assign", "unpack") and value is not None and _is_first_value(value)


def _is_first_value(value: t.Expr) -> bool:
    if isinstance(value, t.UnaryOp):
        return _is_first_value(value.operand)
    if isinstance(value, t.BinOp):
        return _is_first_value(value.left) and _is_first_value(value.right)
    if isinstance(value, t.Call):
        return last_name(value.func) in _STARTS and all(_is_first_value(arg.value) for arg in value.args)
    return isinstance(value, t.Constant) or (isinstance(value, (t.Name, t.Attribute)) and last_name(value) in _STARTS)


def _is_update(guard: MetricGuard, binding: Binding) -> bool:
    """The new best value: bound under a test that names the metric, or by `best = max(best, value)`."""
    if binding.how == "augment" or binding.value is None:
        return False
    key = path_key(guard.best) if guard.best is not None else ""
    if key in {path_key(node) for node in t.walk(binding.value)}:
        return True
    tests = [parent.test for parent in t.ancestors(binding.node) if isinstance(parent, t.If)]
    named = {path_key(node) for test in tests for node in t.walk(test)}
    if key in named or any(_named_by_flag(guard, test) for test in tests):
        return True
    return guard.other is not None and path_key(binding.value) == path_key(guard.other) != ""


def _named_by_flag(guard: MetricGuard, test: t.Expr) -> bool:
    """`is_best = acc > best` above `if is_best:`."""
    holder = guard.test.parent
    targets = holder.targets if isinstance(holder, t.Assign) else ()
    return any(path_key(target) == path_key(node) != "" for target in targets for node in t.walk(test))
