"""Reads of checkpoints through pickle and its kin. RULES.md, CKP305."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ckpt_lint import apis
from ckpt_lint.facts.passing import read_arguments
from ckpt_lint.facts.paths import PathFacts, path_facts
from ckpt_lint.facts.values import Values
from ckpt_lint.source import tree as t
from ckpt_lint.source.module import ModuleFacts, bound_target, last_name

SUFFIXES = frozenset({".pt", ".pth", ".ckpt", ".metadata"})
_SAYS_WEIGHTS = re.compile(r"model|weight|checkpoint|ckpt|state", re.IGNORECASE)
_KEEP = frozenset({"item", "copy", "get", "pop", "tolist"})
_TENSORS = tuple(f"torch.{name}" for name in ("tensor", "from_numpy", "as_tensor", "Tensor", "FloatTensor"))
_ARRAYS = "its arrays become the tensors of a state dict"
_STEPS = 6
_LAST_STEPS = 2
"""From the dict that is filled to its restore."""


@dataclass(frozen=True, slots=True)
class PickleLoad:
    """A call that unpickles a checkpoint: through `api`, and by what it is known to be one."""

    call: t.Call
    api: str
    evidence: str
    path: PathFacts


def pickle_loads(values: Values, module: ModuleFacts) -> Iterator[PickleLoad]:
    """The calls of a module that read a checkpoint with pickle, joblib, dill, cloudpickle or np.load."""
    for call in module.calls:
        api = _api(module, call)
        if api is None:
            continue
        source = _source(module, call)
        paths = [path_facts(values, module, one) for one in _path_expressions(module, source)]
        evidence = _by_path(paths, _names_on_the_way(module, source)) or _by_result(module, call, _STEPS)
        if evidence is not None:
            known = next((path for path in paths if path.text), PathFacts(""))
            yield PickleLoad(call, api, evidence, known)


def _api(module: ModuleFacts, call: t.Call) -> str | None:
    for name in module.names.of(call.func):
        if name in apis.PICKLE_LOADS:
            return name
        if name == "numpy.load":
            given, _, _ = read_arguments(module, call.args, ("file", "mmap_mode", "allow_pickle"))
            allowed = given.get("allow_pickle")
            if isinstance(allowed, t.Constant) and allowed.value is True:
                return name
    if isinstance(call.func, t.Attribute) and call.func.attr == "load" and isinstance(call.func.value, t.Call):
        if any(name.endswith("pickle.Unpickler") for name in module.names.of(call.func.value.func)):
            return "pickle.Unpickler.load"
    return None


def _source(module: ModuleFacts, call: t.Call) -> t.Expr | None:
    """What is read: the path of the stream, where the stream was opened under a name or in place."""
    holder = call.func.value if last_name(call.func) == "load" and isinstance(call.func, t.Attribute) else None
    args = holder.args if isinstance(holder, t.Call) and last_name(holder.func) == "Unpickler" else call.args
    return args[0].value if args and not args[0].star else None


def _by_path(paths: Sequence[PathFacts], names: str) -> str | None:
    for candidate in paths:
        if candidate.suffix in SUFFIXES or candidate.last in SUFFIXES:
            return f"`{candidate.last or '*' + candidate.suffix}` is a checkpoint"
        if candidate.suffix == ".bin" and _SAYS_WEIGHTS.search(f"{candidate.words} {names}"):
            return "the path says that it holds weights"
        if candidate.suffix == ".safetensors":
            return "the bytes come from a safetensors file"
    return None


def _path_expressions(module: ModuleFacts, source: t.Expr | None) -> Iterator[t.Expr]:
    """The path that is read, or those of the files in which a stream, or the bytes read from one, were opened."""
    if source is None:
        return
    yield source
    for node in t.walk(source):
        if isinstance(node, t.Call):
            yield from _opened_by(module, node)
        elif isinstance(node, (t.Name, t.Attribute)):
            for binding in module.names.bindings(node):
                if isinstance(binding.value, t.Call) and binding.how in ("with", "assign"):
                    for call in t.walk(binding.value):
                        if isinstance(call, t.Call):
                            yield from _opened_by(module, call)


def _opened_by(module: ModuleFacts, call: t.Call) -> Iterator[t.Expr]:
    """`open(path)`, `path.open()`, `path.read_bytes()`."""
    name = last_name(call.func)
    if name in ("open", "read_bytes") and isinstance(call.func, t.Attribute) and not module.names.of(call.func):
        yield call.func.value
    elif name == "open" and call.args:
        yield call.args[0].value


def _names_on_the_way(module: ModuleFacts, source: t.Expr | None) -> str:
    """The names in the path, and in what it is made of."""
    words: list[str] = []
    for expr in _path_expressions(module, source):
        for node in t.walk(expr):
            words.append(node.id if isinstance(node, t.Name) else last_name(node))
            for binding in module.names.bindings(node) if isinstance(node, (t.Name, t.Attribute)) else ():
                if binding.value is not None and binding.how == "assign":
                    words.extend(last_name(part) for part in t.walk(binding.value))
    return " ".join(words)


def _by_result(module: ModuleFacts, expr: t.Expr, steps: int) -> str | None:
    """Whether a result flows directly into `load_state_dict`, or becomes the tensors of a state dict."""
    if steps <= 0:
        return None
    parent = expr.parent
    if isinstance(parent, t.Argument) and isinstance(parent.parent, t.Call):
        if last_name(parent.parent.func) == "load_state_dict" and isinstance(parent.parent.func, t.Attribute):
            return "it goes into `load_state_dict`"
        if module.names.is_a(parent.parent.func, "builtins.dict", "collections.OrderedDict"):
            return _by_result(module, parent.parent, steps - 1)
        return _by_tensor(module, parent.parent, steps) if module.names.is_a(parent.parent.func, *_TENSORS) else None
    if isinstance(parent, t.Subscript) and expr.role == "value" and not bound_target(parent):
        return _by_result(module, parent, steps - 1)
    if isinstance(parent, t.Attribute) and parent.attr == "items":
        return _rebuilt(module, parent, steps)
    if isinstance(parent, t.Attribute) and parent.attr in _KEEP and isinstance(parent.parent, t.Call):
        return _by_result(module, parent.parent, steps - 1)
    if isinstance(parent, t.Assign) and expr.role == "value" and len(parent.targets) == 1:
        return _by_variable(module, parent.targets[0], expr.start, steps)
    return None


def _by_variable(module: ModuleFacts, target: t.Expr, after: int, steps: int) -> str | None:
    for place in module.uses(target):
        if place.start > after and not bound_target(place) and _still(module, place, target):
            found = _by_result(module, place, steps - 1)
            if found is not None:
                return found
    return None


def _rebuilt(module: ModuleFacts, items: t.Attribute, steps: int) -> str | None:
    """`{k: torch.from_numpy(v) for k, v in data.items()}`, or a loop that says so, that goes into `load_state_dict`."""
    generator = items.parent.parent
    if isinstance(generator, t.Generator) and isinstance(generator.parent, t.Comprehension):
        found = _by_result(module, generator.parent, steps - 1)
        return found and _ARRAYS
    if isinstance(generator, t.For):
        if any(_kept(module, statement, steps) for statement in generator.body):
            return _ARRAYS
    return None


def _by_tensor(module: ModuleFacts, made: t.Expr, steps: int) -> str | None:
    """`state[key] = torch.tensor(data[key]).clone()`, or the same in a comprehension, of what is restored after it."""
    while isinstance(made.parent, t.Attribute) and isinstance(made.parent.parent, t.Call):
        made = made.parent.parent
    holder = made.parent
    if isinstance(holder, t.Comprehension) and holder.kind == "dict" and made.role == "value":
        found = _by_result(module, holder, max(steps, _LAST_STEPS))
        return found and _ARRAYS
    return _ARRAYS if _kept(module, holder, max(steps, _LAST_STEPS)) else None


def _kept(module: ModuleFacts, statement: t.Node, steps: int) -> bool:
    """Whether a statement stores an entry of a dict that goes into `load_state_dict` later."""
    target = statement.targets[0] if isinstance(statement, t.Assign) else None
    if not isinstance(target, t.Subscript) or not isinstance(target.value, (t.Name, t.Attribute)):
        return False
    bindings = module.names.bindings(target.value)
    made = bindings[0].node if bindings else None
    return isinstance(made, t.Expr) and _by_variable(module, made, target.start, steps) is not None


def _still(module: ModuleFacts, place: t.Expr, target: t.Expr) -> bool:
    return any(b.node is target for b in module.names.bindings(place))
