"""Loaded values that are used as modules: the file holds a pickled module, not its weights."""

from __future__ import annotations

from collections.abc import Iterator

from ckpt_lint import apis
from ckpt_lint.facts.loads import Load
from ckpt_lint.facts.plain_methods import PLAIN_METHODS
from ckpt_lint.facts.reads import SET, TAKEN, Called, Flow, follow, follow_returned
from ckpt_lint.facts.restores import Restores
from ckpt_lint.facts.values import Origin, Values
from ckpt_lint.facts.world import CallSite, Definition, World
from ckpt_lint.source import flow
from ckpt_lint.source import tree as t
from ckpt_lint.source.module import ModuleFacts, last_name

_MODULE_ONLY = frozenset({
    "eval", "train", "parameters", "named_parameters", "state_dict", "load_state_dict", "modules", "named_modules",
    "children", "named_children", "forward", "zero_grad", "register_forward_hook",
})  # fmt: skip
_OF_LAYERS = frozenset({"in_features", "out_features", "in_channels", "out_channels", "weight", "bias"})
_QUESTIONS = frozenset({"isinstance", "hasattr", "type", "issubclass", "callable"})
_MOVES = frozenset({"to", "cuda", "cpu", "half", "float", "double", "bfloat16"})


def module_uses(world: World, restores: Restores, load: Load) -> list[Called]:
    """Where the result of a load, or a part of it, is used as a module, in the order of the text."""
    own = follow(restores, load)
    found = list(_evidence(own))
    if not found and (own.returned or own.returned_part or own.returned_items):
        found = [use for site in _callers(world, restores, load) for use in _evidence(_after(restores, site, own))]
    return sorted(found, key=lambda use: use.node.start)


def came_whole(values: Values, restores: Restores, module: ModuleFacts, expr: t.Expr) -> bool:
    """Whether a value is what a load gave, and is used as a module on its way."""
    origins = values.origins(module, expr)
    return bool(origins) and all(_gave_module(values, restores, origin) for origin in origins)


def _gave_module(values: Values, restores: Restores, origin: Origin) -> bool:
    if not isinstance(origin.node, t.Call) or origin.at:
        return False
    load = restores.load_at(origin.module, origin.node)
    return load is not None and any(not use.part for use in module_uses(values.world, restores, load))


def _callers(world: World, restores: Restores, load: Load) -> Iterator[CallSite]:
    """The calls of the function around a load, those left out that are loads of their own."""
    function = flow.function_of(load.call)
    if function is not None:
        for site in world.callers(Definition(load.module, function)):
            if restores.load_at(site.module, site.call) is None:
                yield site


def _after(restores: Restores, site: CallSite, own: Flow) -> Flow:
    out = Flow(restores, site.module)
    follow_returned(out, site.call, own)
    return out


def _evidence(seen: Flow) -> Iterator[Called]:
    moved = any(use.method in _MOVES for use in seen.called)
    named = any(apis.MODULE_NAMES.match(use.name) or apis.MODULE_NAMES.match(use.key) for use in seen.called)
    return (use for use in seen.called if _is_evidence(use, moved=moved, named=named) and not _asked(use))


def _is_evidence(use: Called, *, moved: bool, named: bool) -> bool:
    """`moved` says that the value is moved somewhere, `named` that some name of it is a module's by convention."""
    head, _, last = use.method.partition(".")
    if use.method == TAKEN:
        return True
    if use.method == "":
        return moved or named
    if use.method in _MODULE_ONLY:
        return not (use.method == "load_state_dict" and _is_argument(use))
    own_name = bool(apis.MODULE_NAMES.match(use.name) or apis.MODULE_NAMES.match(use.key))
    if use.method.startswith(SET):
        return own_name and use.method[1:] not in PLAIN_METHODS
    if last:
        return head not in PLAIN_METHODS and (
            last in _MODULE_ONLY or last == "flatten_parameters" or (own_name and last in _OF_LAYERS)
        )
    return own_name and use.method not in PLAIN_METHODS and not use.method.startswith("__")


def _asked(use: Called) -> bool:
    """Whether a use stands where a test asks what the value is: code that takes several kinds of files."""
    for parent in t.ancestors(use.node):
        if isinstance(parent, (t.If, t.IfExp)) and not _inside(use.node, parent.test):
            calls = (n for n in t.walk(parent.test) if isinstance(n, t.Call))
            if any(last_name(call.func) in _QUESTIONS and _names(call, use.name) for call in calls):
                return True
    return False


def _inside(node: t.Node, other: t.Node) -> bool:
    return other.start <= node.start < other.end


def _names(call: t.Call, name: str) -> bool:
    return any(last_name(part) == name for arg in call.args for part in t.walk(arg.value))


def _is_argument(use: Called) -> bool:
    return isinstance(use.node.parent, t.Argument)


def how_used(use: Called) -> str:
    """A use in words, for messages."""
    if use.method == TAKEN:
        return "given to what takes modules"
    if use.method.startswith(SET):
        return f"`.{use.method[1:]}` is replaced"
    return f"`.{use.method}`" if use.method else "called"
