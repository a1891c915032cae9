"""Code that changes what every load of the process does: the environment variable, a replaced `torch.load`."""

from __future__ import annotations

from collections.abc import Iterator

from ckpt_lint.facts.values import Values
from ckpt_lint.source import flow
from ckpt_lint.source import tree as t
from ckpt_lint.source.module import ModuleFacts, last_name

VARIABLE = "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"
TRUE_TO_TORCH = ("1", "y", "yes", "true")
_SETTERS = frozenset({"setdefault", "putenv", "setenv"})
_ENVIRONMENT = f"setting `{VARIABLE}`"
_PATCH = "replacing `torch.load`"

Place = tuple[t.Node, str]


def disabled_boundaries(values: Values, module: ModuleFacts) -> Iterator[Place]:
    """Writes of the environment variable, and rebindings of `torch.load`, each with what it is in words."""
    for node in sorted([*module.all(t.Assign), *module.all(t.Dict)], key=lambda node: node.index):
        if isinstance(node, t.Assign):
            yield from _of_assignment(values, module, node)
        elif isinstance(node, t.Dict):
            for key, value in zip(node.keys, node.values):
                if key is not None and module.string(key) == VARIABLE and _switches_on(module, value):
                    yield key, _ENVIRONMENT
    for call in module.calls:
        yield from _of_call(values, module, call)


def _of_assignment(values: Values, module: ModuleFacts, node: t.Assign) -> Iterator[Place]:
    for target in node.targets:
        if isinstance(target, t.Subscript):
            if module.string(target.sub) == VARIABLE and _switches_on(module, node.value):
                yield node, _ENVIRONMENT
        elif isinstance(target, t.Attribute) and target.attr == "load" and _is_torch(module, target.value):
            if _may_unpickle(values, module, node.value):
                yield node, _PATCH


def _of_call(values: Values, module: ModuleFacts, call: t.Call) -> Iterator[Place]:
    name, args = last_name(call.func), [arg.value for arg in call.args if arg.keyword is None and not arg.star]
    if name in _SETTERS and len(args) > 1 and module.string(args[0]) == VARIABLE and _switches_on(module, args[1]):
        yield call, _ENVIRONMENT
    elif name == "setattr":
        if len(args) == 3 and module.string(args[1]) == "load" and _is_torch(module, args[0]):
            if _may_unpickle(values, module, args[2]):
                yield call, _PATCH
        elif len(args) == 2 and module.string(args[0]) == "torch.load" and _may_unpickle(values, module, args[1]):
            yield call, _PATCH
    for arg in call.args:
        if arg.keyword == VARIABLE and _switches_on(module, arg.value):
            yield call, _ENVIRONMENT


def _is_torch(module: ModuleFacts, value: t.Expr) -> bool:
    return module.names.is_a(value, "torch", "torch.serialization")


def _switches_on(module: ModuleFacts, value: t.Expr) -> bool:
    """Whether a value is one that torch takes for true; a computed one may put back what was there."""
    constant = module.constant(value)
    return constant is not None and str(constant.value).lower() in TRUE_TO_TORCH


# -- what stands for torch.load ----------------------------------------------------------------------------------------


def _may_unpickle(values: Values, module: ModuleFacts, value: t.Expr) -> bool:
    """Whether what replaces `torch.load` may load with less than it: not the original, nor one that says True."""
    if module.names.is_a(value, "torch.load"):
        return False
    said = [verdict for origin in values.origins(module, value) if (verdict := _says(origin.module, origin.node)) != ""]
    return not said or "unsafe" in said


def _says(module: ModuleFacts, node: t.Node) -> str:
    """"unsafe" or "safe" by what a replacement makes of `weights_only`, "" where it cannot be seen."""
    if isinstance(node, t.Attribute) and module.names.is_a(node, "torch.load"):
        return "safe"
    constants = [c.value for value in _weights_only(module, node) if (c := module.constant(value)) is not None]
    if False in constants:
        return "unsafe"
    if True in constants or _binds_others(module, node):
        return "safe"
    return ""


def _binds_others(module: ModuleFacts, node: t.Node) -> bool:
    """`functools.partial(torch.load, map_location="cpu")` leaves `weights_only` as it is."""
    if not isinstance(node, t.Call) or not module.names.is_a(node.func, "functools.partial") or not node.args:
        return False
    return module.names.is_a(node.args[0].value, "torch.load") and not any(arg.star for arg in node.args)


def _weights_only(module: ModuleFacts, node: t.Node) -> Iterator[t.Expr]:
    """Every value that is given to `weights_only` inside a call, a lambda or a function."""
    for part in t.walk(node):
        if isinstance(part, t.Argument) and part.keyword == "weights_only":
            yield part.value
        elif isinstance(part, t.Assign):
            if any(isinstance(x, t.Subscript) and module.string(x.sub) == "weights_only" for x in part.targets):
                yield part.value
        elif isinstance(part, t.Call) and last_name(part.func) == "setdefault" and len(part.args) == 2:
            if module.string(part.args[0].value) == "weights_only":
                yield part.args[1].value


def unsafe_options(module: ModuleFacts, loader_names: frozenset[str]) -> Iterator[t.Node]:
    """`kwargs["weights_only"] = False` in a function whose `kwargs` a load takes by `**`."""
    for node in module.nodes:
        if isinstance(node, t.Assign) and len(node.targets) == 1:
            target = node.targets[0]
            if not isinstance(target, t.Subscript) or module.string(target.sub) != "weights_only":
                continue
            holder, value = target.value, node.value
        elif isinstance(node, t.Call) and isinstance(node.func, t.Attribute) and node.func.attr == "setdefault":
            if len(node.args) != 2 or module.string(node.args[0].value) != "weights_only":
                continue
            holder, value = node.func.value, node.args[1].value
        else:
            continue
        constant = module.constant(value)
        if constant is not None and constant.value is False and _unpacked_into_load(module, holder, loader_names):
            yield node


def _unpacked_into_load(module: ModuleFacts, holder: t.Expr, loader_names: frozenset[str]) -> bool:
    for place in module.uses(holder):
        arg = place.parent
        if isinstance(arg, t.Argument) and arg.star == "**" and isinstance(arg.parent, t.Call):
            if flow.body_of(arg) is flow.body_of(holder) and set(module.names.of(arg.parent.func)) & loader_names:
                return True
    return False
