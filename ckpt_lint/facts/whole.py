"""Loaded values that are used as modules: the file holds a pickled module, not its weights."""

from __future__ import annotations

from collections.abc import Iterator

from ckpt_lint import apis
from ckpt_lint.facts.loads import Load
from ckpt_lint.facts.reads import Called, Flow, follow
from ckpt_lint.facts.restores import Restores
from ckpt_lint.facts.world import CallSite, Definition, World
from ckpt_lint.source import flow
from ckpt_lint.source import tree as t

_MODULE_ONLY = frozenset({
    "eval", "train", "parameters", "named_parameters", "state_dict", "load_state_dict", "modules", "named_modules",
    "children", "named_children", "forward", "zero_grad", "register_forward_hook",
})  # fmt: skip
_PLAIN_METHODS = frozenset({
    "items", "keys", "values", "get", "pop", "update", "copy", "setdefault", "clear", "append", "extend", "index",
    "count", "sort", "reverse", "insert", "remove", "split", "strip", "startswith", "endswith", "format", "join",
    "replace", "lower", "upper", "numpy", "item", "tolist", "cpu", "cuda", "to", "float", "half", "double", "long",
    "int", "bool", "detach", "clone", "view", "reshape", "size", "dim", "mean", "sum", "max", "min", "unsqueeze",
    "squeeze", "transpose", "permute", "contiguous", "expand", "repeat", "type", "requires_grad_", "numel", "t",
    "astype", "flatten", "std", "abs", "sqrt", "exp", "log", "backward", "add_", "mul_", "fill_", "zero_", "matmul",
    "mm", "bmm", "nonzero", "any", "all", "argmax", "argmin", "norm", "chunk", "split", "unbind", "gather", "cumsum",
    "topk", "round", "clamp", "softmax", "bfloat16", "data_ptr", "element_size", "share_memory_", "pin_memory",
})  # fmt: skip
_MOVES = frozenset({"to", "cuda", "cpu", "half", "float", "double", "bfloat16"})


def module_uses(world: World, restores: Restores, load: Load) -> list[Called]:
    """Where the result of a load, or a part of it, is used as a module, in the order of the text."""
    own = follow(restores, load)
    found = list(_evidence(own))
    if not found and own.returned:
        found = [use for site in _callers(world, load) for use in _evidence(_after(restores, site))]
    return sorted(found, key=lambda use: use.node.start)


def _callers(world: World, load: Load) -> Iterator[CallSite]:
    function = flow.function_of(load.call)
    if function is not None:
        yield from world.callers(Definition(load.module, function))


def _after(restores: Restores, site: CallSite) -> Flow:
    out = Flow(restores, site.module)
    out.follow(site.call)
    return out


def _evidence(seen: Flow) -> Iterator[Called]:
    moved = any(use.method in _MOVES for use in seen.called)
    conventional = any(apis.MODULE_NAMES.match(use.name) for use in seen.called)
    for use in seen.called:
        head, _, last = use.method.partition(".")
        if use.method in _MODULE_ONLY and not (use.method == "load_state_dict" and _is_argument(use)):
            yield use
        elif use.method == "" and (moved or conventional):
            yield use
        elif last and head not in _PLAIN_METHODS and (last in _MODULE_ONLY or last == "flatten_parameters"):
            yield use
        elif not last and use.method and use.method not in _PLAIN_METHODS and apis.MODULE_NAMES.match(use.name):
            if not use.method.startswith("__"):
                yield use


def _is_argument(use: Called) -> bool:
    return isinstance(use.node.parent, t.Argument)
