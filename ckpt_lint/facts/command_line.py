"""What a command line parser makes of its arguments."""

from __future__ import annotations

from ckpt_lint.facts.refusals import PATH_CLASSES
from ckpt_lint.facts.values import Values
from ckpt_lint.facts.world import Definition, bind, is_method_call
from ckpt_lint.source import flow
from ckpt_lint.source import tree as t
from ckpt_lint.source.module import ModuleFacts, last_name

PARSES = frozenset({"parse_args", "parse_known_args"})
_CALLERS = 2


def parsed_in(values: Values, module: ModuleFacts, expr: t.Expr, callers: int = _CALLERS) -> tuple[ModuleFacts, ...]:
    """The modules that parse the command line into a value: here, or in every caller that hands it over."""
    out: list[ModuleFacts] = []
    for origin in values.origins(module, expr):
        node = origin.node
        if isinstance(node, t.Call) and last_name(node.func) in PARSES and origin.at in ((), (0,)):
            out.append(origin.module)
        elif isinstance(node, t.Parameter) and isinstance(node.parent, t.FunctionDef) and callers:
            out.extend(_handed_over(values, origin.module, node, node.parent, callers))
        elif isinstance(node, t.Call) and not origin.at and callers:
            found = _given_back(values, origin.module, node, callers)
            if not found:
                return ()
            out.extend(found)
        else:
            return ()
    return tuple(out)


def _given_back(values: Values, module: ModuleFacts, call: t.Call, callers: int) -> list[ModuleFacts]:
    """The same for a project function that gives back what it parsed: `opt = options()`."""
    out: list[ModuleFacts] = []
    for definition in values.world.callees(module, call):
        for value in flow.returned_values(definition.node):
            found = parsed_in(values, definition.module, value, callers - 1)
            if not found:
                return []
            out.extend(found)
    return out


def _handed_over(
    values: Values, module: ModuleFacts, param: t.Parameter, function: t.FunctionDef, callers: int
) -> list[ModuleFacts]:
    out: list[ModuleFacts] = []
    for site in values.world.callers(Definition(module, function)):
        given = bind(site.call, function, instance=is_method_call(site.call, function)).values.get(param.name)
        found = parsed_in(values, site.module, given, callers - 1) if given is not None else ()
        if not found:
            return []
        out.extend(found)
    return out


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
