"""Arguments as they are passed: by parameter, unpacked from dict literals, handed on from parameter to parameter."""

from __future__ import annotations

from collections.abc import Sequence

from ckpt_lint.source import tree as t
from ckpt_lint.source.module import ModuleFacts


def parameter_of(module: ModuleFacts, expr: t.Expr, function: t.FunctionDef) -> t.Parameter | None:
    """The parameter of `function` that an expression is, passed on as it came in (not rebound on the way)."""
    if isinstance(expr, t.Starred):
        expr = expr.value
    if not isinstance(expr, t.Name):
        return None
    for binding in module.names.bindings(expr):
        if isinstance(binding.node, t.Parameter) and binding.node.parent is function:
            return binding.node
    return None


def read_arguments(
    module: ModuleFacts, args: Sequence[t.Argument], parameters: Sequence[str]
) -> tuple[dict[str, t.Expr], bool, list[t.Expr]]:
    """Arguments by parameter, whether unknown ones may follow, and the values unpacked by `**`.

    A `**name` whose only binding is a dict literal (or `dict(...)`) with constant keys is read.
    """
    given: dict[str, t.Expr] = {}
    doubles: list[t.Expr] = []
    is_open = False
    position = 0
    for arg in args:
        if arg.star == "**":
            entries = literal_entries(module, arg.value)
            if entries is None:
                is_open = True
                doubles.append(arg.value)
            else:
                given.update(entries)
        elif arg.star == "*":
            is_open = True
            position = len(parameters)
        elif arg.keyword is not None:
            given[arg.keyword] = arg.value
        elif position < len(parameters):
            given[parameters[position]] = arg.value
            position += 1
    return given, is_open, doubles


def settled_keys(module: ModuleFacts, call: t.Call) -> frozenset[str]:
    """The keys of a call's `**kwargs` about which its function has a say: `kwargs["k"] = v`, `.setdefault`, `"k" in`."""
    keys: set[str] = set()
    options = [arg.value for arg in call.args if arg.star == "**"]
    for place in (place for option in options for place in module.uses(option)):
        parent = place.parent
        if isinstance(parent, t.Subscript) and place.role == "value":
            keys.add(module.string(parent.sub) or "")
        elif isinstance(parent, t.Compare):
            keys.add(module.string(parent.left) or "")
        elif isinstance(parent, t.Attribute) and isinstance(parent.parent, t.Call) and parent.attr in _SETTLERS:
            keys.update(arg.keyword or module.string(arg.value) or "" for arg in parent.parent.args)
    return frozenset(keys)


_SETTLERS = frozenset({"setdefault", "update", "pop"})


def literal_entries(module: ModuleFacts, expr: t.Expr) -> dict[str, t.Expr] | None:
    """The entries of a dict literal, or of a name bound to one once and not changed; None where unknown."""
    if isinstance(expr, t.Name):
        binding = module.once_bound(expr)
        if binding is None or binding.how != "assign" or binding.value is None or _changed(module, expr):
            return None
        expr = binding.value
    if isinstance(expr, t.Dict):
        out: dict[str, t.Expr] = {}
        for key, value in zip(expr.keys, expr.values, strict=True):
            name = module.string(key)
            if name is None:
                return None
            out[name] = value
        return out
    if isinstance(expr, t.Call) and module.names.is_a(expr.func, "builtins.dict"):
        if all(arg.keyword is not None for arg in expr.args):
            return {arg.keyword or "": arg.value for arg in expr.args}
    return None


def _changed(module: ModuleFacts, name: t.Expr) -> bool:
    for place in module.uses(name):
        parent = place.parent
        if isinstance(parent, t.Subscript) and parent.parent.role == "targets":
            return True
        if isinstance(parent, t.Subscript) and isinstance(parent.parent, (t.Assign, t.AugAssign)) and parent.role != "value":
            return True
        if isinstance(parent, t.Attribute) and parent.attr in ("update", "pop", "setdefault", "clear"):
            return True
    return False
