"""Programs of many processes: which files start or join a process group, and which saves all processes make."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ckpt_lint import apis
from ckpt_lint.facts.command_line import parsed_in
from ckpt_lint.facts.ranks import Ranks, rank_in
from ckpt_lint.facts.saves import Save, Saves
from ckpt_lint.facts.values import Values
from ckpt_lint.facts.world import Definition
from ckpt_lint.source import flow
from ckpt_lint.source import tree as t
from ckpt_lint.source.module import ModuleFacts, last_name

RANK_VARIABLES = frozenset({"RANK", "LOCAL_RANK"})
_STARTERS = frozenset({
    "init_process_group", "DistributedDataParallel", "DDP", "Accelerator", "Fabric", "init_distributed",
})  # fmt: skip
_SHARDED = re.compile(r"^(FullyShardedDataParallel|FSDP|fully_shard|get_model_state_dict|get_optimizer_state_dict)$")
_LAUNCHERS = frozenset({"spawn", "start_processes", "elastic_launch", "launch_agent"})


class Distributed:
    """Asks of saves whether every process of a run makes them."""

    def __init__(self, values: Values, saves: Saves) -> None:
        self.values = values
        self.saves = saves
        self.ranks = Ranks(values)
        self.lenient = Ranks(values, single=lambda module: self.joined_by(module) is None)
        self._files: dict[ModuleFacts, tuple[t.Node, ...]] = {}

    def joined_by(self, module: ModuleFacts) -> t.Node | None:
        """What shows that a module is run by many processes: a call that joins them, a read of RANK; else None."""
        return next(iter(self._joined(module)), None)

    def _joined(self, module: ModuleFacts) -> tuple[t.Node, ...]:
        if module not in self._files:
            self._files[module] = tuple(_joins(module))
        return self._files[module]

    def evidence(self, save: Save) -> tuple[ModuleFacts, t.Node] | None:
        """What shows that many processes make a save: in its own file, or in that of every known caller."""
        own = self.joined_by(save.module)
        function = flow.function_of(save.call)
        if own is not None:
            near = next((node for node in self._joined(save.module) if self._run_together(save, node)), None)
            return (save.module, near) if near is not None else None
        if function is None:
            return None
        sites = self.values.world.callers(Definition(save.module, function))
        found = [(site.module, self.joined_by(site.module)) for site in sites]
        if not found or any(node is None for _, node in found):
            return None
        module, node = found[0]
        assert node is not None
        return module, node

    def _run_together(self, save: Save, joined: t.Node) -> bool:
        """Whether a save runs where its file joins the processes: one function, class or caller (two deep) has both."""
        function = flow.function_of(save.call)
        if function is not None and _knows_its_rank(save.module, function):
            return False
        if function is None or _mentions_ranks(save.module, function):
            return True
        around = self._holders(save.module, save.call, _CALLERS)
        return any(holder in around for holder in self._holders(save.module, joined, _CALLERS))

    def _holders(self, module: ModuleFacts, node: t.Node, callers: int) -> list[t.Node]:
        """The function and class around a node, those of its callers, and the module where that is run itself."""
        function, holder = flow.function_of(node), flow.class_of(node)
        if function is None:
            return [holder or module.root]
        out: list[t.Node] = [function] if holder is None else [function, holder]
        for site in self.values.world.callers(Definition(module, function)) if callers else ():
            out.extend(self._holders(site.module, site.call, callers - 1))
        return out

    def every_rank_saves(self, save: Save) -> bool:
        """Whether no guard stands between the processes and one file."""
        inner: Save | None = save
        while inner is not None:
            # a file that only reads RANK serves programs of one process too
            only_reads = isinstance(self.joined_by(inner.module), t.Constant)
            if (self.lenient if only_reads else self.ranks).guarded(inner.module, inner.call):
                return False
            inner = inner.inner
        if save.api != apis.TORCH_SAVE or save.path is None or self.saves.in_memory(save):
            return False
        return not rank_in(self.values, self.ranks, save.path_module, save.path) and not self._own_items(save)

    def _own_items(self, save: Save) -> bool:
        """A file for each item of a data set: every process has its own items."""
        assert save.path is not None
        for node in t.walk(save.path):
            if not isinstance(node, (t.Name, t.Attribute)):
                continue
            for origin in self.values.origins(save.path_module, node):
                if origin.how != "item" or not isinstance(origin.node, t.Expr):
                    continue
                if not self._same_everywhere(origin.module, origin.node, origin.at):
                    return True
        return False

    def _same_everywhere(self, module: ModuleFacts, items: t.Expr, at: tuple[int, ...]) -> bool:
        """Whether every process goes through the same items: numbers, texts of the program, words of its command line."""
        if isinstance(items, t.Call):
            name = last_name(items.func)
            plain = [arg.value for arg in items.args if not arg.star and arg.keyword is None]
            if name in _COUNTING:
                return True
            if name == "enumerate" and plain:
                return at[:1] == (0,) or self._same_everywhere(module, plain[0], at[1:])
            if name == "zip" and at and 0 <= at[0] < len(plain):
                return self._same_everywhere(module, plain[at[0]], at[1:])
            return name in _ORDERING and bool(plain) and self._same_everywhere(module, plain[0], at)
        if isinstance(items, t.Attribute):
            return bool(parsed_in(self.values, module, items.value))
        return all(
            isinstance(origin.node, t.Sequence) and all(isinstance(item, t.Constant) for item in origin.node.items)
            for origin in self.values.origins(module, items)
        )

    def is_collective(self, save: Save) -> bool:
        """Whether all processes take part in a save on purpose, or only the launcher makes it."""
        if any(_SHARDED.match(word) for word in save.module.keywords):
            return True
        function = flow.function_of(save.call)
        for call in save.module.calls:
            if last_name(call.func) in _LAUNCHERS and flow.function_of(call) is function and function is not None:
                return True
        return False


_CALLERS = 2
_COUNTING = frozenset({"range", "trange", "count", "arange"})
_ORDERING = frozenset({"sorted", "list", "tuple", "reversed", "set", "tqdm"})


def _of_one_rank(call: t.Call) -> bool:
    """`init_process_group(..., rank=0)`: only the process of that rank gets here."""
    return any(arg.keyword == "rank" and isinstance(arg.value, t.Constant) for arg in call.args)


def _one_process(call: t.Call) -> bool:
    """`Fabric(devices=1)`: one device, on one machine."""
    given = {arg.keyword: arg.value for arg in call.args if arg.keyword is not None}
    if any(arg.star for arg in call.args) or "num_nodes" in given:
        return False
    devices = given.get("devices")
    return isinstance(devices, t.Constant) and devices.value in (1, "1")


def _joins(module: ModuleFacts) -> Iterator[t.Node]:
    for word in sorted(_STARTERS & module.calls_by_name.keys()):
        for call in module.calls_by_name[word]:
            if set(module.names.of(call.func)) & apis.PROCESS_GROUP or word == "init_process_group":
                if not _one_process(call) and not _of_one_rank(call):
                    yield call
    if not any(name in module.keywords for name in ("environ", "getenv")):
        return
    for node in module.nodes:
        if isinstance(node, t.Constant) and node.value in RANK_VARIABLES and _reads_environment(node):
            yield node


def _reads_environment(node: t.Constant) -> bool:
    parent = node.parent
    if isinstance(parent, t.Subscript) and last_name(parent.value) == "environ":
        return not isinstance(parent.parent, t.Assign) or parent.role == "value"
    call = parent.parent if isinstance(parent, t.Argument) else None
    return isinstance(call, t.Call) and (
        last_name(call.func) == "getenv"
        or (isinstance(call.func, t.Attribute) and last_name(call.func.value) == "environ")
    )


def _knows_its_rank(module: ModuleFacts, function: t.FunctionDef) -> bool:
    """Whether a function, or the class it belongs to, joins the processes as one certain rank."""
    holder = flow.class_of(function) or function
    calls = module.calls_by_name.get("init_process_group", ())
    return any(_of_one_rank(call) and holder.start <= call.start < holder.end for call in calls)


def _mentions_ranks(module: ModuleFacts, function: t.FunctionDef) -> bool:
    """Whether a function, or the class it belongs to, knows of processes itself."""
    holder = flow.class_of(function) or function
    words = re.compile(r"rank|world_size|is_main|is_master|ddp|distributed", re.IGNORECASE)
    for node in t.walk(holder):
        name = node.name if isinstance(node, t.Parameter) else last_name(node) if isinstance(node, t.Expr) else ""
        if words.search(name):
            return True
    return False
