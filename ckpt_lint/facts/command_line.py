"""What a command line parser makes of its arguments."""

from __future__ import annotations

from ckpt_lint.facts.refusals import PATH_CLASSES
from ckpt_lint.facts.values import Values
from ckpt_lint.source import tree as t
from ckpt_lint.source.module import ModuleFacts


def parses_paths(values: Values, module: ModuleFacts) -> bool:
    """Whether some `add_argument` of a module gives a `pathlib.Path`: by its type, or by a default that is one."""
    for call in module.calls_by_name.get("add_argument", ()):
        for arg in call.args:
            if arg.keyword == "type" and any(PATH_CLASSES.match(name) for name in module.names.of(arg.value)):
                return True
            if arg.keyword == "default" and _is_path(values, module, arg.value):
                return True
    return False


def _is_path(values: Values, module: ModuleFacts, value: t.Expr) -> bool:
    if isinstance(value, t.BinOp) and value.op == "/":
        return _is_path(values, module, value.left)
    for origin in values.origins(module, value):
        node = origin.node
        if isinstance(node, t.Call) and any(PATH_CLASSES.match(name) for name in origin.module.names.of(node.func)):
            return True
        if node is not value and isinstance(node, t.BinOp) and _is_path(values, origin.module, node):
            return True
    return False
