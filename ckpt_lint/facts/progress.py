"""Progress counters: the loop counters that a save could name, and those that stand in its path."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ckpt_lint.facts.checkpoints import Checkpoints
from ckpt_lint.facts.in_scope import Subject
from ckpt_lint.facts.saves import Save
from ckpt_lint.facts.states import COUNTER, Entry
from ckpt_lint.facts.values import Values
from ckpt_lint.facts.world import Definition, World, bind, is_method_call
from ckpt_lint.source import flow
from ckpt_lint.source import tree as t
from ckpt_lint.source.module import ModuleFacts, last_name
from ckpt_lint.source.names import path_key, root_name

NAMED = re.compile(
    r"(^|_)(epoch|step|iter|iteration|global_step|global_iter|cur_epoch|current_epoch|itrs?|n_iter|iter_num|num_updates"
    r"|episode|update|total_steps|steps_done|epoch_num|iteration_num|epoch_idx|batches_done)$",
    re.IGNORECASE,
)
_TOTAL = re.compile(
    r"(^|_)(num|max|total|n|all|target)_|(^|_)(epochs|steps|iters|iterations|episodes)$|save_|log_|_per|every|start_"
)
_SETTINGS = frozenset({
    "args", "opt", "opts", "config", "cfg", "hparams", "hps", "FLAGS", "params", "conf", "options", "settings",
})  # fmt: skip
_COUNTING = frozenset({"range", "trange", "count", "enumerate", "xrange", "prange"})
_DEPTH = 4


class Progress:
    """Counters of a world's saves."""

    def __init__(self, world: World, values: Values, checkpoints: Checkpoints) -> None:
        self.world = world
        self.values = values
        self.checkpoints = checkpoints

    def holds(self, entry: Entry) -> bool:
        """Whether an entry is a counter of how far training came, and not how far it was to go."""
        if COUNTER not in self.checkpoints.states(entry):
            return False
        value = entry.value
        if is_loop_counter(entry.module, value):
            return True
        root = root_name(value)
        steps = path_key(value).split(".")[:-1]
        if root is not None and {root.id, *steps} & _SETTINGS and not isinstance(value, t.Name):
            return False
        if entry.module.constant(value) is not None:
            return False
        return not _TOTAL.search(entry.key or "") or bool(NAMED.search(last_name(value)))

    def in_scope(self, module: ModuleFacts, node: t.Node) -> Subject | None:
        """A named counter that a save at `node` could write: of a loop around it, counted up, or a parameter."""
        own = next(self._named(module, node), None)
        if own is not None:
            return Subject(COUNTER, _name(own), module, own)
        return self._of_callers(module, node)

    def _of_callers(self, module: ModuleFacts, node: t.Node) -> Subject | None:
        function = flow.function_of(node)
        if function is None or self.world.partial:
            return None
        sites = self.world.callers(Definition(module, function))
        found = [next(self._named(site.module, site.call), None) for site in sites]
        if not found or any(counter is None for counter in found):
            return None
        first = found[0] or node
        return Subject(COUNTER, _name(first), sites[0].module, first, nameable=False, always=False)

    def _named(self, module: ModuleFacts, node: t.Node) -> Iterator[t.Expr | t.Parameter]:
        for loop in flow.loops_around(node):
            if isinstance(loop, t.For):
                yield from _targets(loop)
        function = flow.function_of(node)
        for param in function.params if function is not None else ():
            if NAMED.search(param.name) and not _TOTAL.search(param.name):
                yield param
        yield from self._counted_up(module, node)

    def _counted_up(self, module: ModuleFacts, node: t.Node) -> Iterator[t.Expr]:
        """Variables named like a counter that `+= 1` counts: of the function, the class, the module."""
        around = {flow.body_of(node), module.root}
        holder = flow.class_of(node)
        for statement in module.nodes:
            if not isinstance(statement, t.AugAssign) or statement.op not in ("Add", "+"):
                continue
            target = statement.target
            if not NAMED.search(last_name(target)) or _TOTAL.search(last_name(target)):
                continue
            if isinstance(target, t.Attribute) and module.names.is_self(target.value):
                if holder is not None and flow.class_of(target) is holder:
                    yield target
            elif isinstance(target, t.Name) and flow.body_of(target) in around:
                yield target

    # -- paths ------------------------------------------------------------------------------------------------------

    def in_path(self, save: Save) -> bool:
        """Whether a counter stands in the path of a save, or in what some caller gives for it."""
        return save.path is not None and self._in(save.path_module, save.path, _DEPTH)

    def _in(self, module: ModuleFacts, expr: t.Expr, depth: int) -> bool:
        for node in t.walk(expr):
            if not isinstance(node, (t.Name, t.Attribute)):
                continue
            if is_loop_counter(module, node) or NAMED.search(last_name(node)) or _counts_up(module, node):
                return True
            if depth > 0 and isinstance(node, t.Name) and self._behind(module, node, depth):
                return True
        return False

    def _behind(self, module: ModuleFacts, name: t.Name, depth: int) -> bool:
        for binding in module.names.bindings(name):
            if binding.how == "param":
                return self._given(module, binding.node, depth)
            followed = binding.how in ("assign", "with", "augment") and binding.value is not None
            if followed and self._in(module, binding.value or name, depth - 1):
                return True
        return False

    def _given(self, module: ModuleFacts, param: t.Node, depth: int) -> bool:
        function = param.parent
        if not isinstance(function, t.FunctionDef) or not isinstance(param, t.Parameter):
            return False
        for site in self.world.callers(Definition(module, function)):
            bound = bind(site.call, function, instance=is_method_call(site.call, function))
            value = bound.values.get(param.name)
            if value is not None and self._in(site.module, value, depth - 2):
                return True
        return False


def _counts_up(module: ModuleFacts, expr: t.Expr) -> bool:
    """Whether a variable is counted up by a number: `train_steps += 1`."""
    counted = (b for b in module.names.bindings(expr) if b.how == "augment" and b.value is not None)
    return any(isinstance(value := module.constant(b.value), t.Constant) and isinstance(value.value, int) for b in counted)


def _name(node: t.Node) -> str:
    return node.name if isinstance(node, t.Parameter) else path_key(node)


def is_loop_counter(module: ModuleFacts, expr: t.Node) -> bool:
    """Whether a name is the counting target of a loop, or derived from one by arithmetic (`epoch + 1`)."""
    if isinstance(expr, t.BinOp):
        return is_loop_counter(module, expr.left) or is_loop_counter(module, expr.right)
    if not isinstance(expr, t.Name):
        return False
    for binding in module.names.bindings(expr):
        loop = binding.node.parent
        while isinstance(loop, t.Sequence):
            loop = loop.parent
        if binding.how == "item" and isinstance(loop, t.For) and any(n is binding.node for n in _targets(loop)):
            return True
    return False


def _targets(loop: t.For) -> Iterator[t.Expr]:
    """The counters among the targets of a loop: of a range, the first of an enumerate, or named like one."""
    iterated = loop.iter
    while isinstance(iterated, t.Call) and last_name(iterated.func) not in _COUNTING and iterated.args:
        iterated = iterated.args[0].value
    counting = last_name(iterated.func) if isinstance(iterated, t.Call) else ""
    targets = loop.target.items if isinstance(loop.target, t.Sequence) else (loop.target,)
    for index, target in enumerate(targets):
        if not isinstance(target, t.Name) or target.id.startswith("_"):
            continue
        if (counting in _COUNTING and index == 0) or NAMED.search(target.id):
            yield target

