"""Calls in which all processes of a run take part: those that write or read a checkpoint, and what waits for them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ckpt_lint import apis
from ckpt_lint.facts.guards import Test, tests_above
from ckpt_lint.facts.ranks import MAIN, RANK, RANK_VARIABLES, Ranks, starts_program
from ckpt_lint.facts.view import Facts
from ckpt_lint.facts.world import Definition, bind, is_method_call
from ckpt_lint.facts.wrapping import is_sharded
from ckpt_lint.source import flow
from ckpt_lint.source import tree as t
from ckpt_lint.source.module import ModuleFacts, last_name

SYNCING = frozenset({
    "barrier", "broadcast", "all_gather", "all_reduce", "all_gather_object", "gather_object", "broadcast_object_list",
    "reduce_scatter", "scatter_object_list", "gather", "scatter", "all_gather_into_tensor", "monitored_barrier",
})  # fmt: skip
"""Functions of `torch.distributed` that return when every process has called them."""

MPI = frozenset({
    "bcast", "Bcast", "Barrier", "barrier", "gather", "Gather", "allgather", "allreduce", "Allreduce", "scatter",
})  # fmt: skip
ACCELERATE = "wait_for_everyone"
"""The barrier of Accelerate's `Accelerator` and `PartialState`."""

SAVES_OR_LOADS = re.compile(r"save|load|checkpoint|ckpt|snapshot|resum|restor|state_dict", re.IGNORECASE)
"""How functions are called that save or load with all processes."""

_FSDP = "torch.distributed.fsdp.FullyShardedDataParallel"
_FSDP_STATE = frozenset({
    "full_optim_state_dict", "optim_state_dict", "scatter_full_optim_state_dict", "sharded_optim_state_dict",
})  # fmt: skip
_STATE = f"{apis.DCP}.state_dict"
_ENGINES = re.compile(r"^(model_)?engine$|^ds_(engine|model)$|_engine$")
_ENGINE_CALLS = frozenset({"save_checkpoint", "load_checkpoint", "save_16bit_model", "save_fp16_model"})
_LIGHTNING = re.compile(r"^(pytorch_lightning|lightning)\b.*\bTrainer(\.from_argparse_args)?$")
_HOOKED = re.compile(r"^(pytorch_lightning|lightning)\b.*(\.callbacks\.\w+|\.Callback|\.LightningModule)$")
_QUOTED = re.compile(r"^(pl|L|pytorch_lightning|lightning(\.pytorch)?)\.Trainer$")
_SHARDED_WORDS = frozenset({"FSDP", "FullyShardedDataParallel", "fully_shard"})


def _may_guard(module: ModuleFacts) -> bool:
    """Whether anything in a module is named as ranks, and tests for the main process, are."""
    if any(MAIN.search(word) or RANK.search(word) for word in module.keywords):
        return True
    return any(constant.value in RANK_VARIABLES for constant in module.all(t.Constant) if isinstance(constant.value, str))


@dataclass(frozen=True, slots=True)
class Collective:
    """A call that hangs unless every process makes it, and what it is for messages."""

    call: t.Call
    what: str


class Collectives:
    """Finds the collective saves and loads of a module that only one process makes."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.ranks = Ranks(facts.values)

    def guarded(self, module: ModuleFacts) -> Iterator[tuple[Collective, Test | None]]:
        """The collective saves and loads under a rank guard, with the guard (None for a decorator)."""
        if not _may_guard(module):
            return
        for call in module.calls:
            what = self._direct(module, call)
            if what is None and not _may_be_helper(module, call):
                continue
            guard = self._guard(module, call)
            what = what or (self._through(module, call) if guard is not None else None)
            if what is not None and guard is not None:
                yield Collective(call, what), guard[0]

    # -- guards -----------------------------------------------------------------------------------------------------

    def _guard(self, module: ModuleFacts, call: t.Call) -> tuple[Test | None] | None:
        """The test or decorator that leaves only the main process of several at a call."""
        for test in tests_above(call):
            if self._only_main(module, test.test, test.outcome) and not _other_branch_calls(test, call):
                return (test,)
        function = flow.function_of(call)
        decorators = [_called(d) for d in function.decorators] if function is not None else []
        if any(MAIN.search(last_name(d)) and not starts_program(d) for d in decorators):
            return (None,)
        return None

    def _only_main(self, module: ModuleFacts, test: t.Expr, outcome: bool) -> bool:
        if isinstance(test, t.BoolOp):
            parts = test.values if test.op == "or" and outcome else ()
            only = any(self._only_main(module, value, True) for value in parts)
            return only and all(self.ranks.is_guard(module, value, True) for value in parts)
        if isinstance(test, t.Compare) and len(test.ops) == 1:
            right = test.comparators[0]
            if not self.ranks.is_rank(module, test.left):
                return False
            zero = isinstance(right, t.Constant) and right.value == 0 and not isinstance(right.value, bool)
            if zero:
                return (test.ops[0] in ("==", "<=")) == outcome and test.ops[0] in ("==", "<=", "!=", ">")
            return test.ops[0] == "in" and outcome and isinstance(right, t.Sequence)
        if not outcome:
            return False
        name = last_name(_called(test))
        if MAIN.search(name) and not re.search(r"local", name) and not _is_of_all(_called(test)):
            return True
        return self._by_name(module, test)

    def _by_name(self, module: ModuleFacts, test: t.Expr) -> bool:
        """A variable bound to such a test: `is_zero = rank == 0`."""
        if not isinstance(test, (t.Name, t.Attribute)):
            return False
        bound = [b.value for b in module.names.bindings(test) if b.how == "assign"]
        return bool(bound) and all(v is not None and self._is_such_test(module, v) for v in bound)

    def _is_such_test(self, module: ModuleFacts, value: t.Expr) -> bool:
        if isinstance(value, t.IfExp):  # `is_main if shared else is_local_main`: the first may be what is asked
            ways = (value.body, value.orelse)
            only = any(self._only_main(module, way, True) for way in ways)
            return only and all(self.ranks.is_guard(module, way, True) for way in ways)
        return isinstance(value, t.Compare) and self._only_main(module, value, True)

    # -- collectives ------------------------------------------------------------------------------------------------

    def _direct(self, module: ModuleFacts, call: t.Call) -> str | None:
        names = set(module.names.of(call.func))
        if names & (apis.DCP_SAVES | apis.DCP_LOADS):
            return None if _says(call, "no_dist", True) else f"`{flow.spelled(call.func)}`"
        if not isinstance(call.func, t.Attribute):
            return self._of_state(module, call, names)
        receiver, method = call.func.value, call.func.attr
        if method in _FSDP_STATE and module.names.is_a(receiver, _FSDP):
            return f"FSDP's `{method}`"
        if method == "state_dict" and not call.args and self._is_full_fsdp(module, call, receiver):
            return "the full state dict of an FSDP module"
        if method in _ENGINE_CALLS and self._is_engine(module, receiver):
            return f"DeepSpeed's `{method}`"
        if method == "save_checkpoint" and self._is_lightning(module, receiver):
            return "`save_checkpoint` of a Lightning trainer"
        return self._of_state(module, call, names)

    def _of_state(self, module: ModuleFacts, call: t.Call, names: set[str]) -> str | None:
        """`get_model_state_dict(...)` and its kin, where something in the file is sharded."""
        if any(name.startswith(f"{_STATE}.") and "state_dict" in name[len(_STATE) :] for name in names):
            if _SHARDED_WORDS & module.keywords:
                return f"`{last_name(call.func)}` of a sharded module"
        return None

    def _is_full_fsdp(self, module: ModuleFacts, call: t.Call, receiver: t.Expr) -> bool:
        for parent in t.ancestors(call):
            if isinstance(parent, t.With):
                if any(last_name(_called(item.value)) == "state_dict_type" for item in parent.items):
                    return True
        if is_sharded(module, receiver):
            return True
        origins = self.facts.values.origins(module, receiver)
        return any(isinstance(o.node, t.Call) and o.module.names.is_a(o.node.func, _FSDP) for o in origins)

    def _is_engine(self, module: ModuleFacts, receiver: t.Expr) -> bool:
        for origin in self.facts.values.origins(module, receiver):
            if isinstance(origin.node, t.Call) and origin.module.names.is_a(origin.node.func, "deepspeed.initialize"):
                return True
        return bool(_ENGINES.search(last_name(receiver))) and "deepspeed" in module.keywords

    def _is_lightning(self, module: ModuleFacts, receiver: t.Expr) -> bool:
        for origin in self.facts.values.origins(module, receiver):
            maker = origin.node.func if isinstance(origin.node, t.Call) else getattr(origin.node, "annotation", None)
            if maker is not None and any(_LIGHTNING.match(name) for name in origin.module.names.of(maker)):
                return True
            if isinstance(maker, t.Constant) and _QUOTED.match(str(maker.value)):
                return True
            if isinstance(origin.node, t.Parameter) and self._is_hook(origin.module, origin.node):
                return True
        own = isinstance(receiver, t.Attribute) and receiver.attr == "trainer" and module.names.is_self(receiver.value)
        return own and self._gets_trainer(module, receiver)

    def _is_hook(self, module: ModuleFacts, param: t.Parameter) -> bool:
        """Whether Lightning hands its trainer to a method under this parameter: `on_train_end(self, trainer, ...)`."""
        return param.name == "trainer" and param.annotation is None and self._gets_trainer(module, param)

    def _gets_trainer(self, module: ModuleFacts, node: t.Node) -> bool:
        """Whether a node stands in a callback or module of Lightning's: they know the trainer that runs them."""
        holder = flow.class_of(node)
        if holder is None:
            return False
        bases = self.facts.world.bases(Definition(module, holder))
        return any(isinstance(base, str) and _HOOKED.match(base) for base in bases)

    # -- helpers ----------------------------------------------------------------------------------------------------

    def _through(self, module: ModuleFacts, call: t.Call) -> str | None:
        """A helper of the project that saves or loads, and in which every process has to take part."""
        for found in self.facts.world.callees(module, call):
            function = found.node
            if not isinstance(function, t.FunctionDef) or not SAVES_OR_LOADS.search(function.name):
                continue
            inner = next(self._syncs_in(found, call), None)
            if inner is not None:
                return f"`{function.name}`, which calls `{flow.spelled(inner.func) or last_name(inner.func)}`,"
        return None

    def _syncs_in(self, found: Definition, call: t.Call) -> Iterator[t.Call]:
        function, module = found.node, found.module
        assert isinstance(function, t.FunctionDef)
        for inner in module.calls:
            if not (function.start <= inner.start < function.end) or flow.function_of(inner) is not function:
                continue
            collective = _is_sync(module, inner) or self._direct(module, inner) is not None
            if collective and not _switched_off(found, call, inner):
                yield inner


def _may_be_helper(module: ModuleFacts, call: t.Call) -> bool:
    """Whether a call may be of a function named as those that save or load, under that name or another."""
    name = last_name(call.func)
    return any(SAVES_OR_LOADS.search(one) for one in (name, *module.names.of(call.func)))


def _is_sync(module: ModuleFacts, call: t.Call) -> bool:
    names = module.names.of(call.func)
    if any(n.startswith("torch.distributed.") and n.rpartition(".")[2] in SYNCING for n in names):
        return True
    if not isinstance(call.func, t.Attribute):
        return False
    if call.func.attr == ACCELERATE:
        return True
    if call.func.attr not in MPI:
        return False
    text = " ".join((flow.spelled(call.func.value), *module.names.of(call.func.value)))
    return bool(re.search(r"\bMPI\b|COMM_WORLD|\bcomm\b|mpi4py", text))


def _switched_off(found: Definition, call: t.Call, inner: t.Call) -> bool:
    """Whether an argument of the call keeps its helper from reaching a collective, or may: nobody knows its value."""
    function = found.node
    assert isinstance(function, t.FunctionDef)
    bound = bind(call, function, instance=is_method_call(call, function))
    parameters = {p.name for p in function.params}
    defaults = {p.name: p.default for p in function.params if p.default is not None}
    for test in tests_above(inner):
        if isinstance(test.test, t.Name):
            if test.test.id not in parameters:
                continue
            value = bound.values.get(test.test.id, defaults.get(test.test.id))
            if not isinstance(value, t.Constant) or bool(value.value) != test.outcome:
                return True
    return False


def _other_branch_calls(test: Test, call: t.Call) -> bool:
    """Whether the other processes make the same call in the other branch."""
    node = test.node
    if not isinstance(node, (t.If, t.IfExp)):
        return False
    name = last_name(call.func)
    return any(
        isinstance(n, t.Call) and n is not call and last_name(n.func) == name and flow.exclusive(n, call)
        for n in t.walk(node)
    )


def _says(call: t.Call, keyword: str, value: bool) -> bool:
    return any(a.keyword == keyword and isinstance(a.value, t.Constant) and a.value.value is value for a in call.args)


def _is_of_all(test: t.Expr) -> bool:
    """`control.should_save` of the HF Trainer is set on every process, and `should_save_on_...` asks for no rank."""
    name = last_name(test)
    if "should_save" not in name:
        return False
    return name != "should_save" or (isinstance(test, t.Attribute) and last_name(test.value) == "control")


def _called(expr: t.Expr) -> t.Expr:
    return expr.func if isinstance(expr, t.Call) else expr
