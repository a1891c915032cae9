"""The training state that the entries of a checkpoint hold, told by value, else by key."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ckpt_lint import apis
from ckpt_lint.facts.kinds import STATE_DICT
from ckpt_lint.facts.roles import named_role, role_of
from ckpt_lint.facts.values import Values
from ckpt_lint.source import flow
from ckpt_lint.source import tree as t
from ckpt_lint.source.module import ModuleFacts, last_name
from ckpt_lint.source.scopes import Binding

RNG = "rng"
COUNTER = "counter"
METRIC = "metric"
VERSION = "version"
WEIGHTS = "weights"
_DEPTH = 5

COUNTER_KEY = re.compile(
    r"(^|_)(epochs?|steps?|iters?|iterations?|global_?step|n_?iters?|start_?epoch|cur_?epoch|num_updates|updates|t_total"
    r"|epochs?_run|batch(es)?_seen|n_?epochs?|episode|episodes|it|itrs?|counter|round|global_?steps?)($|_)",
    re.IGNORECASE,
)
_STATE_KEYS = (
    (apis.OPTIMIZER, re.compile(r"optim|(^|_)opt(_|$|s$)|(^|_)opt[GD]?$", re.IGNORECASE)),
    (apis.SCHEDULER, re.compile(r"sched", re.IGNORECASE)),
    (apis.SCALER, re.compile(r"scaler|(^|_)amp(_|$)", re.IGNORECASE)),
    (apis.EMA, re.compile(r"(^|_)ema(_|$)|averaged|(^|_)swa(_|$)", re.IGNORECASE)),
    (RNG, re.compile(r"rng|random_?state|(^|_)seed_state", re.IGNORECASE)),
    (VERSION, re.compile(r"(torch|pytorch)_?version", re.IGNORECASE)),
)
_WEIGHT_KEY = re.compile(
    r"(^|_)(model|net|netG|netD|network|state_?dict|weights?|params|encoder|decoder|generator|discriminator|backbone|g|d"
    r"|policy|actor|critic|module)(_|$)|state_dict$",
    re.IGNORECASE,
)


_OPTIONS = re.compile(
    r"_?(args?|arguments|opts?|options?|cfg|conf|config|configs|hparams|hps|flags|params|parameters|settings)$"
    r"|.*_(args|opts|options|config|cfg)$",
    re.IGNORECASE,
)
"""Names under which programs keep what their command line says."""

_WHOLE_KEY = re.compile(
    r"(^|_)(model|net|netG|netD|network|state_?dict|weights|params|module)(_|$)|state_dict$", re.IGNORECASE
)


def names_whole_weights(key: str) -> bool:
    """Whether a key is one under which checkpoints hold the weights of a model."""
    return bool(_WHOLE_KEY.search(key))


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """One entry of a checkpoint. `key` is None where it is computed, an index text ("0") in a list or tuple."""

    key: str | None
    value: t.Expr
    module: ModuleFacts

    @property
    def left_out(self) -> bool:
        """A literal None is left out on purpose."""
        return isinstance(self.value, t.Constant) and self.value.value is None


class States:
    """Tells what the entries of a world's checkpoints hold."""

    def __init__(self, values: Values) -> None:
        self.values = values

    def of(self, entry: Entry) -> frozenset[str]:
        """The training state that an entry holds: roles, RNG, COUNTER, VERSION, WEIGHTS. By value, else by key."""
        if entry.left_out:
            return frozenset(_states_of_key(entry.key)) - {WEIGHTS}
        by_value = self._by_value(entry.module, entry.value)
        by_key = _states_of_key(entry.key)
        if entry.key in ("opt", "opts") and _speaks_of_options(entry.value):
            by_key -= {apis.OPTIMIZER}
        if by_value & {WEIGHTS, *apis.TRAINING_STATE_KINDS}:
            keyed = by_key & {apis.EMA}
            return frozenset(by_value | keyed)
        if not by_value and not by_key and _is_state_dict(entry.value):
            return frozenset({WEIGHTS})
        return frozenset(by_value | by_key)

    def _by_value(self, module: ModuleFacts, value: t.Expr, depth: int = _DEPTH) -> set[str]:
        if isinstance(value, t.Call) and isinstance(value.func, t.Attribute) and value.func.attr == "state_dict":
            return self._of_state_dict(module, value.func.value)
        if isinstance(value, t.Attribute) and value.attr == "state_dict":
            return self._of_state_dict(module, value.value)
        if isinstance(value, (t.Comprehension, t.Sequence, t.Dict, t.IfExp)) and depth > 0:
            return self._inside(module, value, depth)
        if isinstance(value, t.Call):
            found = self._of_value_call(module, value, depth)
            if found:
                return found
        role = role_of(self.values, module, value)
        if role is not None:
            return {WEIGHTS, apis.EMA} if role == apis.EMA else {WEIGHTS if role == apis.MODULE else role}
        if isinstance(value, (t.Name, t.Attribute)):
            return self._of_variable_value(module, value, depth)
        if isinstance(value, t.BinOp):
            return self._by_value(module, value.left, 0) & {COUNTER}
        return set()

    def _of_value_call(self, module: ModuleFacts, value: t.Call, depth: int) -> set[str]:
        names = module.names.of(value.func)
        if any(re.search(r"get_rng_state|random\.getstate|random\.get_state|initial_seed", name) for name in names):
            return {RNG}
        if last_name(value.func) in ("get_state_dict", "get_model_state_dict"):
            return {WEIGHTS}
        if last_name(value.func) == "get_optimizer_state_dict":
            return {apis.OPTIMIZER}
        if any(name in apis.DEEPCOPY or name in ("copy.copy", "builtins.dict") for name in names) and value.args:
            return self._by_value(module, value.args[0].value, depth - 1) if depth else set()
        if any(name.endswith("amp.state_dict") for name in names):
            return {apis.SCALER}
        return self._of_returned(module, value, depth)

    def _of_returned(self, module: ModuleFacts, call: t.Call, depth: int) -> set[str]:
        """What a project function gives back: `weights_of(model)`."""
        out: set[str] = set()
        for found in self.values.world.callees(module, call) if depth > 0 else ():
            if isinstance(found.node, t.FunctionDef):
                for value in flow.returned_values(found.node):
                    out |= self._by_value(found.module, value, depth - 1)
        return out & {WEIGHTS, *apis.TRAINING_STATE_KINDS}

    def _of_state_dict(self, module: ModuleFacts, receiver: t.Expr) -> set[str]:
        if any(name.endswith("apex.amp") or name == "amp" for name in module.names.of(receiver)):
            return {apis.SCALER}
        role = role_of(self.values, module, receiver)
        if role == apis.EMA:
            return {WEIGHTS, apis.EMA}
        if role is not None and role != apis.MODULE:
            return {role}
        if role == apis.MODULE:
            return {WEIGHTS}
        named = named_role(last_name(receiver.value if isinstance(receiver, t.Subscript) else receiver))
        if named is None:
            return set()  # the key has to say what it is
        return {WEIGHTS if named == apis.MODULE else named}

    def _inside(self, module: ModuleFacts, value: t.Expr, depth: int) -> set[str]:
        out: set[str] = set()
        if isinstance(value, t.Comprehension):
            parts: Sequence[t.Expr | None] = (value.value or value.element,)
        elif isinstance(value, t.IfExp):
            parts = (value.body, value.orelse)
        else:
            parts = value.items if isinstance(value, t.Sequence) else getattr(value, "values", ())
        for part in parts:
            if part is not None:
                out |= self._by_value(module, part, depth - 1)
        if not out and isinstance(value, t.Comprehension):
            out = self._of_items(module, value, depth)
        return out - {COUNTER} if not isinstance(value, t.IfExp) else out

    def _of_items(self, module: ModuleFacts, value: t.Comprehension, depth: int) -> set[str]:
        """What is made of `m.state_dict().items()` one by one, as in `{k: v.cpu() for ...}`, holds what it is made of."""
        source = value.generators[0].iter if value.generators else None
        func = source.func if isinstance(source, t.Call) else None
        if not isinstance(func, t.Attribute) or func.attr != "items":
            return set()
        if not _is_state_dict(func.value) and STATE_DICT not in self.values.kinds(module, func.value):
            return set()
        return self._by_value(module, func.value, depth - 1)

    def _of_variable_value(self, module: ModuleFacts, value: t.Expr, depth: int) -> set[str]:
        kinds = self.values.kinds(module, value)
        out: set[str] = set()
        if depth > 0:
            for binding in module.names.bindings(value):
                bound = _bound_value(binding)
                if bound is not None and bound is not value and not isinstance(bound, (t.Name, t.BinOp, t.Constant)):
                    out |= self._by_value(module, bound, depth - 1)
        if not out and STATE_DICT in kinds:
            named = named_role(last_name(value).removesuffix("_state_dict").removesuffix("_state"))
            out.add(named if named not in (None, apis.MODULE) else WEIGHTS)
        if is_counter(module, value):
            out.add(COUNTER)
        return out


def _bound_value(binding: Binding) -> t.Expr | None:
    """What a binding gives its name, also as an item of a tuple (`a, b = x, y`)."""
    value = binding.value
    for index in binding.at if binding.how == "unpack" else ():
        inside = isinstance(value, t.Sequence) and 0 <= index < len(value.items)
        value = value.items[index] if inside and isinstance(value, t.Sequence) else None
    return value if binding.how in ("assign", "unpack") else None


def _is_state_dict(value: t.Expr) -> bool:
    """`x.state_dict()`, or the method itself: of a module, where nothing says otherwise."""
    func = value.func if isinstance(value, t.Call) else value
    return isinstance(func, t.Attribute) and func.attr == "state_dict"


def _speaks_of_options(value: t.Expr) -> bool:
    """Whether a value is made of the options of the command line: `args`, `vars(opt)`, `self.args.__dict__`."""
    names = [last_name(node) for node in t.walk(value) if isinstance(node, (t.Name, t.Attribute))]
    return any(_OPTIONS.match(name) for name in names) and not any(name.endswith("state_dict") for name in names)


def is_counter(module: ModuleFacts, value: t.Expr) -> bool:
    """Whether a name is a progress counter: of an epoch or step loop, or named so and counted up."""
    name = last_name(value)
    if not isinstance(value, (t.Name, t.Attribute)):
        return False
    for binding in module.names.bindings(value):
        if binding.how == "item" and isinstance(binding.node, t.Name) and COUNTER_KEY.search(binding.name):
            return True
    return bool(COUNTER_KEY.search(name)) and not re.search(
        r"time|loss|acc|per_|every|freq|interval|max_|num_epochs", name
    )


def _states_of_key(key: str | None) -> set[str]:
    if key is None:
        return set()
    found = {state for state, pattern in _STATE_KEYS if pattern.search(key)}
    if found - {apis.EMA}:
        return found
    if COUNTER_KEY.search(key) and not re.search(r"time|loss|per_|every|freq|interval", key):
        return found | {COUNTER}
    return found | ({WEIGHTS} if _WEIGHT_KEY.search(key) else set())
