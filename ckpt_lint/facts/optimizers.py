"""Optimizers as one function builds them: from which module's parameters, and where their state is restored."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ckpt_lint import apis
from ckpt_lint.facts.passing import parameter_of
from ckpt_lint.facts.roles import named_role
from ckpt_lint.facts.view import View
from ckpt_lint.facts.world import Definition, bind, is_method_call
from ckpt_lint.source import flow
from ckpt_lint.source import tree as t
from ckpt_lint.source.module import ModuleFacts, Variable, last_name

_DEPTH = 3
_PARAMETERS = frozenset({"parameters", "named_parameters"})
_FACTORY = re.compile(r"^(build|create|get|make|init|setup|configure)_?\w*optim", re.IGNORECASE)


@dataclass(frozen=True, slots=True, eq=False)
class Built:
    """`target = Class(parameters of modules, ...)`; `of` are the modules, as the call names them."""

    call: t.Call
    target: t.Expr
    name: str
    of: tuple[t.Expr, ...]


@dataclass(frozen=True, slots=True, eq=False)
class RestorePoint:
    """A place of a function where the state of `receiver` is restored: the call itself, or that of a helper."""

    call: t.Call
    receiver: t.Expr
    helper: Definition | None = None


def built(view: View, kind: str, *, of_project: bool = True, of_modules: bool = False) -> Iterator[Built]:
    """The optimizers or schedulers (as `kind` says) that a module builds and binds to a variable.

    `of_project` asks for those of the project's own classes, too; `of_modules` only for those that are given `m.parameters()`.
    """
    if of_modules and view.module.keywords.isdisjoint(_PARAMETERS):
        return
    for call in view.module.calls:
        statement = call.parent
        if not isinstance(statement, (t.Assign, t.AnnAssign)) or call.role != "value":
            continue
        targets = statement.targets if isinstance(statement, t.Assign) else (statement.target,)
        name = _torch_constructor(view, call, kind) if len(targets) == 1 else None
        if name is None and of_project and len(targets) == 1:  # the dear question last: it may read other files
            if not of_modules or next(_modules(view.module, call), None) is not None:
                name = _project_constructor(view, call, kind)
        if name is not None and view.module.variable(targets[0]) is not None:
            of = tuple(_modules(view.module, call))
            if of or not of_modules:
                yield Built(call, targets[0], name, of)


def _torch_constructor(view: View, call: t.Call, kind: str) -> str | None:
    return next((name for name in view.module.names.of(call.func) if apis.constructs(name) == kind), None)


def _project_constructor(view: View, call: t.Call, kind: str) -> str | None:
    world = view.facts.world
    for name in view.module.names.of(call.func):
        for found in world.definitions(view.module, name):
            if isinstance(found.node, t.ClassDef) and world.class_kind(found) == kind:
                return name
    return None


def _constructor(view: View, call: t.Call, kind: str) -> str | None:
    return _torch_constructor(view, call, kind) or _project_constructor(view, call, kind)


def built_elsewhere(view: View) -> Iterator[Built]:
    """Optimizers that code which we do not see builds: `optimizer = create_optimizer(args, model)`, `cls(m.parameters())`.

    What kind they are is unknown.
    """
    for call in view.module.calls:
        statement = call.parent
        if not isinstance(statement, t.Assign) or call.role != "value" or len(statement.targets) != 1:
            continue
        target = statement.targets[0]
        of = tuple(_modules(view.module, call))
        if named_role(last_name(target)) != apis.OPTIMIZER or (of and _constructor(view, call, apis.OPTIMIZER)):
            continue
        if not of and _FACTORY.search(last_name(call.func)):
            of = tuple(a.value for a in call.args if view.role(a.value) == apis.MODULE)
        if of and view.module.variable(target) is not None:
            yield Built(call, target, "", of)


def _modules(module: ModuleFacts, call: t.Call) -> Iterator[t.Expr]:
    """The `m` of every `m.parameters()` in a call's arguments, a few variables deep."""
    for arg in call.args:
        yield from _parameters_in(module, arg.value, _DEPTH)


def _parameters_in(module: ModuleFacts, root: t.Expr, depth: int) -> Iterator[t.Expr]:
    for node in t.walk(root):
        if isinstance(node, t.Attribute) and node.attr in _PARAMETERS:
            yield node.value
        elif isinstance(node, t.Name) and depth > 0:
            for binding in module.names.bindings(node):
                if binding.how == "assign" and binding.value is not None and binding.value is not root:
                    yield from _parameters_in(module, binding.value, depth - 1)


def restore_points(view: View, role: str) -> Iterator[RestorePoint]:
    """The restores of a role in a module: direct ones, and calls of functions that restore a parameter, one deep."""
    for restore in view.restores:
        if restore.role == role:
            yield RestorePoint(restore.call, restore.receiver)
    for call in view.module.calls:
        if last_name(call.func) == "load_state_dict" or not call.args:
            continue
        for found in view.facts.world.callees_where(view.module, call, view.facts.restores.may_restore):
            receiver = _through(view, call, found, role)
            if receiver is not None:
                yield RestorePoint(call, receiver, found)


def _through(view: View, call: t.Call, found: Definition, role: str) -> t.Expr | None:
    """The argument whose state a called function restores."""
    function = found.node
    if not isinstance(function, t.FunctionDef) or "load_state_dict" not in found.module.calls_by_name:
        return None
    for restore in view.facts.restores.of(found.module):
        if restore.role != role or flow.function_of(restore.call) is not function:
            continue
        param = parameter_of(found.module, restore.receiver, function)
        if param is not None:
            given = bind(call, function, instance=is_method_call(call, function)).values.get(param.name)
            if given is not None:
                return given
    return None


def before(first: t.Node, second: t.Node) -> bool:
    """Whether `first` may have run when `second` runs: both in one body, in this order, on one way through it."""
    return (
        flow.body_of(first) is flow.body_of(second)
        and first.start < second.start
        and not flow.exclusive(first, second)
        and flow.falls_through(first, second)
    )


def same(view: View, one: t.Expr, other: t.Expr) -> Variable | None:
    """The variable that both expressions name, None where they do not name one."""
    variable = view.module.variable(one)
    return variable if variable is not None and variable == view.module.variable(other) else None


def last_built(view: View, made: Sequence[Built], point: RestorePoint) -> Built | None:
    """The construction of what is restored at a point: the last one above it in the same body."""
    own = (b for b in reversed(made) if same(view, b.target, point.receiver) and before(b.call, point.call))
    return next(own, None)
