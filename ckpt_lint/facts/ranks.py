"""Rank guards: whether a node runs in one process only, whatever many processes a run has."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from ckpt_lint.facts.guards import tests_above
from ckpt_lint.facts.values import Values
from ckpt_lint.facts.world import Definition
from ckpt_lint.source import flow
from ckpt_lint.source import tree as t
from ckpt_lint.source.module import ModuleFacts, last_name

RANK = re.compile(
    r"(^|_)(global_?|local_?|world_?|node_?|dp_|tp_|pp_)?ranks?($|_)|^(gpu|gpu_id|proc_id)$"
    r"|(^|_)(process|proc|worker|replica)_(index|id|idx|rank)$|_rank$|^rank_id$|ordinal",
    re.IGNORECASE,
)
"""Names that hold the number of a process."""

RANK_VARIABLES = ("RANK", "LOCAL_RANK", "SLURM_PROCID", "NODE_RANK")
"""Environment variables that hold the number of a process."""

MAIN = re.compile(
    r"(is|on|if)_?(local_?|global_?|world_?)?(main|master|primary|chief|root|leader|zero|first)"
    r"($|_(process|proc|rank|worker|node|gpu|device|replica|ordinal))"
    r"|(main|master|primary|root|first|zero|chief)_(process|proc|rank|worker|replica)|rank_?(zero|0)|global_zero"
    r"|process_zero|(master|main)_only|^(master|primary|chief|main)$|should_save|save_on_this|is_saver|on_(main|master)",
    re.IGNORECASE,
)
"""Names that are true in one process: `is_main_process()`, `args.master`, `rank_zero_only`."""

SPREAD = re.compile(
    r"^(is_|use_)?(dist|distributed|ddp|multi_?gpu|multiprocessing_distributed|parallel)$|^is_(dist|ddp)"
    r"|^is_(available|initialized)$"
)
"""Names that are true where several processes run."""

LAUNCHER = re.compile(r"(^|_)(fabric|accelerator|process_group)$", re.IGNORECASE)
"""Names of what joins the processes of a run: where there is none, one process runs."""

_STEPS = 4
_CALLERS = 2


def starts_program(decorator: t.Expr) -> bool:
    """`@hydra.main(...)`: what makes a program of a function runs it in every process."""
    return last_name(decorator) == "main"


class Ranks:
    """Asks of nodes whether a rank guard stands on the way to them.

    `single` says of a module that one process runs it: a caller there needs no guard.
    """

    def __init__(self, values: Values, single: Callable[[ModuleFacts], bool] = lambda module: False) -> None:
        self.values = values
        self.single = single
        self._guarded: dict[t.Node, bool] = {}

    def guarded(self, module: ModuleFacts, node: t.Node, callers: int = _CALLERS) -> bool:
        """Whether a node runs under a rank guard: here, by a decorator, or in every known caller (two deep)."""
        known = self._guarded.get(node)
        if known is None or callers != _CALLERS:
            known = self.guarded_here(module, node) or (callers > 0 and self._by_callers(module, node, callers))
            self._guarded[node] = known
        return known

    def guarded_here(self, module: ModuleFacts, node: t.Node) -> bool:
        """The same inside the functions around the node, callers left out."""
        current = node
        while True:
            if any(self.is_guard(module, test.test, test.outcome) for test in tests_above(current)):
                return True
            if self._handed_to_guard(module, current):
                return True
            function = flow.function_of(current)
            if function is None:
                return False
            if any(self._decorates(module, decorator) for decorator in function.decorators):
                return True
            current = function

    def _by_callers(self, module: ModuleFacts, node: t.Node, callers: int) -> bool:
        function = flow.function_of(node)
        if function is None:
            return False
        sites = [
            site
            for site in self.values.world.callers(Definition(module, function))
            if flow.function_of(site.call) is not function
        ]
        return bool(sites) and all(
            self.single(site.module) or self.guarded(site.module, site.call, callers - 1) for site in sites
        )

    def _decorates(self, module: ModuleFacts, decorator: t.Expr) -> bool:
        func = decorator.func if isinstance(decorator, t.Call) else decorator
        return self._named(module, func) and not starts_program(func)

    def _named(self, module: ModuleFacts, func: t.Expr) -> bool:
        names = module.names.of(func)
        if any(name.lstrip(":.") in self.values.world.api.rank_guards for name in names):
            return True
        return bool(MAIN.search(last_name(func)))

    def _handed_to_guard(self, module: ModuleFacts, node: t.Node) -> bool:
        """`run_on_main(torch.save, ...)`: a call whose name says that one process runs what it is given."""
        for parent in t.ancestors(node):
            if isinstance(parent, (t.Stmt, t.Module)):
                return False
            runs = isinstance(parent, t.Call) and bool(re.match(r"run|call|do", last_name(parent.func)))
            if runs and isinstance(parent, t.Call) and self._named(module, parent.func):
                return True
        return False

    # -- tests ------------------------------------------------------------------------------------------------------

    def is_guard(self, module: ModuleFacts, test: t.Expr, outcome: bool, steps: int = _STEPS) -> bool:
        """Whether a test that came out so leaves one process: by rank, by a name, or because only one process runs."""
        if steps <= 0:
            return False
        while isinstance(test, t.UnaryOp) and test.op == "not":
            test, outcome = test.operand, not outcome
        if isinstance(test, t.BoolOp):
            return any(self.is_guard(module, value, outcome, steps - 1) for value in test.values)
        if isinstance(test, t.Compare):
            return self._compares(module, test, outcome, steps)
        if isinstance(test, t.IfExp):
            return any(self.is_guard(module, part, outcome, steps - 1) for part in (test.body, test.test))
        name = last_name(test.func) if isinstance(test, t.Call) else last_name(test)
        if isinstance(test, t.Call) and test.args and name in ("bool", "int", "any", "all"):
            return self.is_guard(module, test.args[0].value, outcome, steps - 1)
        if self._by_name(module, test, name, outcome):
            return True
        return self._by_binding(module, test, outcome, steps)

    def _by_name(self, module: ModuleFacts, test: t.Expr, name: str, outcome: bool) -> bool:
        func = test.func if isinstance(test, t.Call) else test
        if any(n.lstrip(":.") in self.values.world.api.rank_guards for n in module.names.of(func)):
            return True
        if MAIN.search(name):
            return True
        if not outcome:
            return bool(RANK.search(name) or SPREAD.search(name) or LAUNCHER.search(name))
        return False

    def _compares(self, module: ModuleFacts, test: t.Compare, outcome: bool, steps: int) -> bool:
        sides = (test.left, *test.comparators)
        if any(self.is_rank(module, side) for side in sides):
            return not _any_rank(test, outcome)
        if any(_counts_processes(side) for side in sides):
            return _one_process(test, outcome)
        if any(isinstance(side, t.Constant) and side.value is None for side in sides):
            if LAUNCHER.search(last_name(test.left)) and (test.ops[0] in ("is", "==")) == outcome:
                return True
            return self._exists_once(module, test.left, steps)
        return False

    def _by_binding(self, module: ModuleFacts, test: t.Expr, outcome: bool, steps: int) -> bool:
        """A variable that holds such a test, or an object that exists in one process only."""
        if isinstance(test, t.Call):
            return self._by_helper(module, test, outcome, steps)
        if not isinstance(test, (t.Name, t.Attribute)):
            return False
        for binding in module.names.bindings(test):
            value = binding.value
            if binding.how != "assign" or value is None or value is test:
                continue
            asks = isinstance(value, (t.Compare, t.BoolOp, t.UnaryOp, t.Call, t.Attribute, t.Name))
            if asks and self.is_guard(module, value, outcome, steps - 1):
                return True
            if isinstance(value, t.IfExp) and self._chosen(module, value, outcome, steps - 1):
                return True
        return self._exists_once(module, test, steps)

    def _chosen(self, module: ModuleFacts, value: t.IfExp, outcome: bool, steps: int) -> bool:
        """`is_main if shared else is_local_main`: whichever it is, it leaves one process."""
        return all(self.is_guard(module, part, outcome, steps) for part in (value.body, value.orelse))

    def _by_helper(self, module: ModuleFacts, call: t.Call, outcome: bool, steps: int) -> bool:
        """A project function that returns such a test."""
        for found in self.values.world.callees(module, call):
            if not isinstance(found.node, t.FunctionDef):
                continue
            returns = [n.value for n in t.walk(found.node) if isinstance(n, t.Return) and n.value is not None]
            if any(self.is_guard(found.module, value, outcome, steps - 2) for value in returns):
                return True
        return False

    def _exists_once(self, module: ModuleFacts, expr: t.Expr, steps: int) -> bool:
        """`if writer:` where only one process made a writer."""
        if not isinstance(expr, (t.Name, t.Attribute)):
            return False
        made = [b for b in module.names.bindings(expr) if b.how == "assign" and not _is_nothing(b.value)]
        if not made:
            return False
        for binding in made:
            value = binding.value
            if isinstance(value, t.IfExp) and self.is_guard(module, value.test, not _is_nothing(value.body), steps - 1):
                continue
            here = any(self.is_guard(module, test.test, test.outcome, steps - 2) for test in tests_above(binding.node))
            if not here:
                return False
        return True

    def is_rank(self, module: ModuleFacts, expr: t.Expr) -> bool:
        """Whether an expression is, or is computed from, the number of a process."""
        for node in t.walk(expr):
            if isinstance(node, (t.Name, t.Attribute)) and RANK.search(last_name(node)):
                return True
            if isinstance(node, t.Constant) and node.value in RANK_VARIABLES:
                return True
        return False


def _any_rank(test: t.Compare, outcome: bool) -> bool:
    """A comparison that several ranks pass: `rank != -1`, `rank >= 0`, `rank is not None`."""
    right, op = test.comparators[0], test.ops[0]
    if isinstance(right, t.Constant) and right.value is None:
        return (op in ("is not", "!=")) == outcome
    minus = isinstance(right, t.UnaryOp) and right.op == "-"
    zero = isinstance(right, t.Constant) and right.value == 0
    if op in ("!=", "==", ">", "<="):
        passes_many = op in ("!=", ">")
        return (minus or (zero and op in ("!=", "=="))) and passes_many == outcome
    return (minus or zero) and op in (">=", "<") and (op == ">=") == outcome


def _counts_processes(expr: t.Expr) -> bool:
    name = last_name(expr.func if isinstance(expr, t.Call) else expr)
    return bool(re.search(r"world_size|num_processes|nprocs|n_?gpus?$|num_gpus|device_count|nproc", name))


def _one_process(test: t.Compare, outcome: bool) -> bool:
    op = test.ops[0]
    return (op in ("==", "<=", "<")) == outcome if op in ("==", "<=", "<", ">", ">=", "!=") else False


def _is_nothing(value: t.Expr | None) -> bool:
    return value is None or (isinstance(value, t.Constant) and value.value in (None, False, ""))


def rank_in(values: Values, ranks: Ranks, module: ModuleFacts, expr: t.Expr, steps: int = _STEPS) -> bool:
    """Whether a path differs between processes: a rank, a process id, a random or temporary name is in it."""
    if steps <= 0:
        return False
    if ranks.is_rank(module, expr):
        return True
    for node in t.walk(expr):
        if isinstance(node, t.Call) and _UNIQUE.search(last_name(node.func)):
            return True
        if isinstance(node, (t.Name, t.Attribute)):
            for value in _bound_values(module, node):
                if value is not expr and rank_in(values, ranks, module, value, steps - 1):
                    return True
    return False


def _bound_values(module: ModuleFacts, node: t.Expr) -> Iterator[t.Expr]:
    for binding in module.names.bindings(node):
        if binding.how in ("assign", "with", "unpack") and binding.value is not None:
            yield binding.value


_UNIQUE = re.compile(
    r"^(getpid|uuid\d|mkdtemp|mkstemp|TemporaryDirectory|NamedTemporaryFile|gettempdir|gethostname|token_hex)$"
)
