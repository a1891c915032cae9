"""The role that an object plays in training: module, optimizer, scheduler, scaler, EMA. Evidence first, names last."""

from __future__ import annotations

import re

from ckpt_lint import apis
from ckpt_lint.facts.kinds import FOREIGN, LOADED, OBJECT, SCRIPT, STATE_DICT
from ckpt_lint.facts.values import MODULE_METHODS, Origin, Values
from ckpt_lint.source import tree as t
from ckpt_lint.source.module import ModuleFacts, last_name

ROLES = (apis.OPTIMIZER, apis.SCHEDULER, apis.SCALER, apis.EMA, apis.MODULE)
_BY_NAME = (
    (apis.OPTIMIZER, apis.OPTIMIZER_NAMES),
    (apis.SCHEDULER, apis.SCHEDULER_NAMES),
    (apis.SCALER, apis.SCALER_NAMES),
    (apis.EMA, apis.EMA_NAMES),
    (apis.MODULE, apis.MODULE_NAMES),
)
_ONLY_MODULES = MODULE_METHODS - {"state_dict", "load_state_dict", "zero_grad", "train", "eval"} | {"train", "eval"}
_OPTIONS = re.compile(r"opts?$")
_OF_OPTIMIZERS = frozenset({"param_groups", "state", "defaults", "optimizer"})
_NO_SCALER = re.compile(r"(standard|minmax|std|robust|feature|data|target|x|y|_norm)_?scaler$", re.IGNORECASE)


def named_role(name: str) -> str | None:
    """The role that a conventional name promises."""
    for role, pattern in _BY_NAME:
        if pattern.match(name):
            return None if role == apis.SCALER and _NO_SCALER.search(name) else role
    return None


def role_of(values: Values, module: ModuleFacts, expr: t.Expr) -> str | None:
    """The role of the value of an expression; None where nothing, or something else, is known of it."""
    kinds = values.kinds(module, expr)
    for role in ROLES:
        if role in kinds:
            return role
    if kinds & {FOREIGN, STATE_DICT, LOADED, SCRIPT} or kinds - {OBJECT}:
        return None
    if not isinstance(expr, (t.Name, t.Attribute)):
        inner = values.passed_through(module, expr) if isinstance(expr, t.Call) else None
        return role_of(values, module, inner) if inner is not None else None
    promised = named_role(last_name(expr))
    used = _used(module, expr)
    if used is not None:
        return used
    if promised is None:
        return apis.MODULE if values.module_like(module, expr) and not kinds else None
    if promised == apis.MODULE:
        return apis.MODULE if values.module_like(module, expr) else None
    if promised == apis.OPTIMIZER and _holds_options(module, expr):
        return None
    return None if values.opposed(module, expr) else promised


def _used(module: ModuleFacts, expr: t.Expr) -> str | None:
    """The role that the methods called on a variable give away."""
    called = {m for place in module.uses(expr) if (m := called_on(place)) is not None}
    promised = named_role(last_name(expr))
    if called & {"parameters", "named_parameters", "forward", "modules", "named_modules"}:
        return promised if promised == apis.EMA else apis.MODULE
    if "param_groups" in called or "zero_grad" in called and "step" in called:
        return apis.OPTIMIZER
    if called & {"unscale_", "scale"} and called & {"step", "update"}:
        return apis.SCALER
    return None


def _holds_options(module: ModuleFacts, expr: t.Expr) -> bool:
    """Whether a variable called `opt` is read as options are (`opt.lr`), not as an optimizer is."""
    return bool(_OPTIONS.match(last_name(expr))) and any(_reads_option(place) for place in module.uses(expr))


def _reads_option(place: t.Expr) -> bool:
    parent = place.parent
    if not isinstance(parent, t.Attribute) or parent.value is not place or parent.attr in _OF_OPTIMIZERS:
        return False
    return not (parent.role == "func" and isinstance(parent.parent, t.Call))


def called_on(place: t.Expr) -> str | None:
    """The method called on (or the attribute read from) a value at a place."""
    parent = place.parent
    return parent.attr if isinstance(parent, t.Attribute) and parent.value is place else None


def is_parameter(origin: Origin) -> bool:
    """Whether a value came in as a parameter."""
    return isinstance(origin.node, t.Parameter)
