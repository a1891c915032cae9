"""Code that changes what every load of the process does."""

from __future__ import annotations

from collections.abc import Iterator

from ckpt_lint.source import tree as t
from ckpt_lint.source.module import ModuleFacts, last_name

VARIABLE = "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"
_SETTERS = frozenset({"setdefault", "putenv", "setenv", "update", "set"})


def disabled_boundaries(module: ModuleFacts) -> Iterator[tuple[t.Node, str]]:
    """Writes of the environment variable, and rebindings of `torch.load`, each with what it is in words."""
    for node in module.nodes:
        if isinstance(node, t.Assign):
            for target in node.targets:
                if isinstance(target, t.Subscript) and module.string(target.sub) == VARIABLE and _switches_on(node.value):
                    yield node, f"setting `{VARIABLE}`"
                elif isinstance(target, t.Attribute) and _is_torch_load(module, target) and not _restores(module, node):
                    yield node, "replacing `torch.load`"
    for call in module.calls:
        name = last_name(call.func)
        if name in _SETTERS and any(_names_variable(module, arg.value) for arg in call.args):
            if len(call.args) < 2 or _switches_on(call.args[1].value):
                yield call, f"setting `{VARIABLE}`"
        elif name == "setattr" and len(call.args) == 3 and module.string(call.args[1].value) == "load":
            if "torch" in module.names.of(call.args[0].value):
                yield call, "replacing `torch.load`"


def _names_variable(module: ModuleFacts, value: t.Expr) -> bool:
    if isinstance(value, t.Dict):
        return any(key is not None and module.string(key) == VARIABLE for key in value.keys)
    return module.string(value) == VARIABLE


def _switches_on(value: t.Expr) -> bool:
    """A constant that is false to torch switches nothing on."""
    if isinstance(value, t.Constant):
        return str(value.value).lower() in ("1", "y", "yes", "true")
    return True


def _is_torch_load(module: ModuleFacts, target: t.Attribute) -> bool:
    return target.attr == "load" and "torch" in module.names.of(target.value)


def _restores(module: ModuleFacts, node: t.Assign) -> bool:
    """`torch.load = original`, where `original` was `torch.load`."""
    return any(name == "torch.load" for name in module.names.of(node.value))
