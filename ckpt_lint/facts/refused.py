"""Values that `weights_only=True` refuses and that can be seen at the save. What counts is in `refusals`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ckpt_lint import apis
from ckpt_lint.facts import refusals as r
from ckpt_lint.facts.command_line import parsed_in
from ckpt_lint.facts.kinds import NUMPY
from ckpt_lint.facts.modules import is_whole_module
from ckpt_lint.facts.objects import is_read_as_object, refused_instance
from ckpt_lint.facts.passing import parameter_of
from ckpt_lint.facts.refusals import Refusal
from ckpt_lint.facts.roles import role_of
from ckpt_lint.facts.saved import Saved, saved_values
from ckpt_lint.facts.saves import Save
from ckpt_lint.facts.states import Entry
from ckpt_lint.facts.values import MAX_RETURNS, Origin, Values
from ckpt_lint.facts.whole import came_whole
from ckpt_lint.source import flow
from ckpt_lint.source import tree as t
from ckpt_lint.source.module import ModuleFacts, last_name

if TYPE_CHECKING:
    from ckpt_lint.facts.view import View

_ROLES = {apis.OPTIMIZER: r.OPTIMIZER, apis.SCHEDULER: r.SCHEDULER, apis.SCALER: r.SCALER}
_STATEFUL_NAME = re.compile(
    r"^(optimi[sz]er|optim|(lr_)?scheduler|(grad_|amp_)?scaler)(_?[a-zA-Z]|_\d)?$|_(optimi[sz]er|optim|scheduler)$"
)
_ITEMWISE = frozenset({"max", "min", "abs", "round"})
_DEPTH = 6


@dataclass(frozen=True, slots=True)
class Refused:
    """An entry whose value the default load refuses: `what` it is, in words.

    `classes` are the last names of the classes that an allow-list would have to name, where they are known.
    """

    entry: Entry
    what: str
    classes: tuple[str, ...] = ()


def refused_values(view: View, save: Save) -> Sequence[Refused]:
    """The entries of a checkpoint that `weights_only=True` refuses."""
    out = []
    for saved, found in refused_in(view, save):
        key = saved.keys[-1] if saved.keys else None
        out.append(Refused(Entry(key, saved.value, saved.module), found.what, found.classes))
    return tuple(out)


def refused_in(view: View, save: Save) -> Iterator[tuple[Saved, Refusal]]:
    """The values in a checkpoint that are refused, and why."""
    for saved in saved_values(view.facts.checkpoints, save):
        found = refusal(view.facts.values, saved.module, saved.value)
        if found is None and came_whole(view.facts.values, view.facts.restores, saved.module, saved.value):
            found = r.MODULE
        found = found or _as_the_saver_says(view.facts.values, saved)
        if found is not None:
            yield saved, found


def _as_the_saver_says(values: Values, saved: Saved) -> Refusal | None:
    """What the annotation of a save wrapper's parameter says of a value of which nothing is known at the call."""
    save, unknown = saved.save, (t.Name, t.Attribute, t.Subscript, t.Call)
    if save.wrapper is None or save.inner is None or saved.keys or not isinstance(saved.value, unknown):
        return None
    function = save.wrapper.node
    if not isinstance(function, t.FunctionDef) or values.kinds(saved.module, saved.value):
        return None
    param = parameter_of(save.wrapper.module, save.inner.value, function)
    return _annotated(values, save.wrapper.module, param) if param is not None else None


def refusal(values: Values, module: ModuleFacts, expr: t.Expr, returns: int = MAX_RETURNS) -> Refusal | None:
    """Why the value of an expression is refused; None where it is plain data, or nobody can tell."""
    if is_whole_module(values, module, expr):
        return r.MODULE
    stateful = _stateful(values, module, expr)
    if stateful is not None:
        return stateful
    found = _of_expression(values, module, expr, returns, _DEPTH)
    return found or _by_use(values, module, expr)


def _stateful(values: Values, module: ModuleFacts, expr: t.Expr) -> Refusal | None:
    """A whole optimizer, scheduler or scaler: by construction, or by a name that means nothing else."""
    role = role_of(values, module, expr)
    if role not in _ROLES:
        return None
    if role in values.kinds(module, expr):
        return _ROLES[role]
    named = isinstance(expr, t.Name) or (isinstance(expr, t.Attribute) and module.names.is_self(expr.value))
    used = any(isinstance(p.parent, t.Attribute) and p.parent.attr in ("step", "zero_grad") for p in module.uses(expr))
    return _ROLES[role] if named and (used or bool(_STATEFUL_NAME.search(last_name(expr)))) else None


def _of_expression(values: Values, module: ModuleFacts, expr: t.Expr, returns: int, depth: int) -> Refusal | None:
    """What is refused of the value of an expression, whatever way it may have come."""
    if depth <= 0:
        return None
    if isinstance(expr, t.BinOp):
        return _of_operation(values, module, expr, returns, depth)
    for name in module.names.of(expr) if isinstance(expr, (t.Name, t.Attribute)) else ():
        if name in r.READ:
            return r.READ[name]
    for origin in values.origins(module, expr):
        found = _of_origin(values, origin, expr, returns, depth - 1)
        if found is not None:
            return found
    return None


def _of_operation(values: Values, module: ModuleFacts, expr: t.BinOp, returns: int, depth: int) -> Refusal | None:
    left = _of_expression(values, module, expr.left, returns, depth - 1)
    right = _of_expression(values, module, expr.right, returns, depth - 1)
    if expr.op == "/" and r.PATH in (left, right):
        return r.PATH
    if r.DATETIME in (left, right):
        return r.DURATION if expr.op == "-" and left is right else r.DATETIME
    sides = [side for side in (left, right) if side is not None and side.classes == r.NUMPY_SCALAR.classes]
    tensors = values.kinds(module, expr.left) | values.kinds(module, expr.right)
    return sides[0] if sides and "tensor" not in tensors else None


def _of_origin(values: Values, origin: Origin, expr: t.Expr, returns: int, depth: int) -> Refusal | None:
    node, module = origin.node, origin.module
    if origin.how == "param" and isinstance(node, t.Parameter):
        return _annotated(values, module, node)
    if origin.how == "def":
        return r.FUNCTION if isinstance(node, t.FunctionDef) and not node.decorators else None
    if origin.how == "class":
        return r.CLASS
    if isinstance(node, t.Call):
        return _of_call(values, origin, node, returns, depth)
    if origin.how == "unbound" and isinstance(node, (t.Attribute, t.Subscript)):
        return _of_part(values, module, node, returns, depth)
    if isinstance(node, t.Lambda):
        return r.FUNCTION
    if isinstance(node, t.BinOp) and origin.how == "value":
        return _of_operation(values, module, node, returns, depth)
    if isinstance(node, t.Sequence) and origin.how == "value" and node.kind == "list":
        return _of_list(values, module, node, expr, returns, depth)
    return None


def _annotated(values: Values, module: ModuleFacts, param: t.Parameter) -> Refusal | None:
    for name in module.names.of(param.annotation):
        if name in r.ANNOTATED:
            return r.ANNOTATED[name]
        found = next((refused_instance(values, d) for d in values.world.definitions(module, name)), None)
        if found is not None:
            return found
    return None


def _of_call(values: Values, origin: Origin, call: t.Call, returns: int, depth: int) -> Refusal | None:
    module = origin.module
    if origin.how == "unpack" and last_name(call.func) == "parse_known_args" and origin.at == (0,):
        return r.NAMESPACE
    if origin.how == "value":
        for name in module.names.of(call.func):
            found = r.MADE.get(name) or _of_numpy(name, call) or (r.PATH if r.PATH_CLASSES.match(name) else None)
            if found is not None:
                return found
        if isinstance(call.func, t.Attribute) and not module.names.of(call.func):
            found = _of_method(values, module, call, call.func, returns, depth)
            if found is not None:
                return found
        if module.names.is_a(call.func, *(f"builtins.{name}" for name in _ITEMWISE)):
            found = next(
                (f for arg in call.args if (f := _of_expression(values, module, arg.value, returns, depth - 1))), None
            )
            return found if found is not None and found.classes == r.NUMPY_SCALAR.classes else None
    return _of_project(values, origin, call, returns) if origin.how in ("value", "unpack") and returns else None


def _of_numpy(name: str, call: t.Call) -> Refusal | None:
    """What a function of NumPy gives: over one axis an array, but a scalar where there is only that one."""
    found = r.of_numpy(name)
    if found not in (r.NUMPY_SCALAR, r.NUMPY_INTEGER):
        return found
    at = r.NUMPY_AXIS.get(name.removeprefix("numpy."))
    axes = [arg.value for i, arg in enumerate(call.args) if (i == at if arg.keyword is None else arg.keyword == "axis")]
    return r.NUMPY_VALUE if any(not _is_none(axis) for axis in axes) else found


def _of_method(
    values: Values, module: ModuleFacts, call: t.Call, func: t.Attribute, returns: int, depth: int
) -> Refusal | None:
    if func.attr == "parse_args":
        return r.NAMESPACE
    if func.attr == "numpy" and not call.args:
        return r.NUMPY_ARRAY
    if func.attr in r.PATH_METHODS:
        inner = _of_expression(values, module, func.value, returns, depth - 1)
        return r.PATH if inner is r.PATH else None
    if NUMPY in values.kinds(module, call) and func.attr not in ("tolist", "item"):
        inner = _of_expression(values, module, func.value, returns, depth - 1)
        return r.NUMPY_VALUE if inner is not None and inner.classes == r.NUMPY_SCALAR.classes else None
    return None


def _of_project(values: Values, origin: Origin, call: t.Call, returns: int) -> Refusal | None:
    """An instance of a project class, or what a project function gives back on every way out."""
    for found in values.world.callees(origin.module, call):
        if isinstance(found.node, t.ClassDef):
            return refused_instance(values, found) if origin.how == "value" else None
        given = flow.returned_values(found.node)
        if origin.at:
            index = origin.at[0]
            given = [v.items[index] for v in given if isinstance(v, t.Sequence) and 0 <= index < len(v.items)]
        verdicts = [refusal(values, found.module, value, returns - 1) for value in given]
        return verdicts[0] if verdicts and all(verdicts) else None
    return None


def _of_part(
    values: Values, module: ModuleFacts, node: t.Attribute | t.Subscript, returns: int, depth: int
) -> Refusal | None:
    """`path.parent`, `Color.RED`, `array[0]`."""
    if isinstance(node, t.Subscript):
        inner = _of_expression(values, module, node.value, returns, depth - 1)
        return r.NUMPY_VALUE if inner in (r.NUMPY_ARRAY, r.NUMPY_VALUE) else None
    if node.attr == "__class__":
        return r.CLASS
    if node.attr == "parent" and _of_expression(values, module, node.value, returns, depth - 1) is r.PATH:
        return r.PATH
    for name in module.names.of(node.value):
        for found in values.world.definitions(module, name):
            if isinstance(found.node, t.ClassDef) and refused_instance(values, found) is r.ENUM:
                return r.ENUM
    return None


def _of_list(
    values: Values, module: ModuleFacts, node: t.Sequence, expr: t.Expr, returns: int, depth: int
) -> Refusal | None:
    """A list with NumPy scalars in it, or to which some are appended."""
    items = list(node.items)
    for place in module.uses(expr):
        method = place.parent
        if isinstance(method, t.Attribute) and method.attr == "append" and isinstance(method.parent, t.Call):
            items.extend(arg.value for arg in method.parent.args)
    found = [_of_expression(values, module, item, returns, depth - 2) for item in items[:8]]
    numpy = any(one is not None and one.classes == r.NUMPY_SCALAR.classes for one in found)
    return r.NUMPY_LIST if numpy else None


def may_be_none(values: Values, module: ModuleFacts, expr: t.Expr) -> bool:
    """Whether a value is None in some runs."""
    return any(_is_none(origin.node) for origin in values.origins(module, expr))


def _is_none(node: t.Node) -> bool:
    return isinstance(node, t.Constant) and node.value is None


def _by_use(values: Values, module: ModuleFacts, expr: t.Expr) -> Refusal | None:
    """An object that is no plain data because attributes are read from it: `args.lr`."""
    if not isinstance(expr, (t.Name, t.Attribute)) or values.kinds(module, expr):
        return None
    if parsed_in(values, module, expr):
        return r.NAMESPACE
    attribute = is_read_as_object(values, module, expr)
    if attribute is None:
        return None
    name = f"{last_name(expr)}.{attribute}"
    return Refusal(f"an object of a class (`{name}` is read), not plain data", "", "", (), "save its values in a dict")
