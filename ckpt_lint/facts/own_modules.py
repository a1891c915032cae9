"""Modules that the function of a save makes itself, on the CPU, and lets nobody move."""

from __future__ import annotations

from ckpt_lint.facts.moves import Placement, is_move
from ckpt_lint.facts.values import Values
from ckpt_lint.source import flow
from ckpt_lint.source import tree as t
from ckpt_lint.source.module import ModuleFacts, bound_target


def stays_on_cpu(values: Values, module: ModuleFacts, expr: t.Expr, at: t.Node) -> bool:
    """Whether the module that `expr` names is made in the body of `at`, in which nothing moves, and stays in it."""
    body = flow.body_of(at)
    if not isinstance(expr, t.Name) or any(is_move(module, node) for node in t.walk(body)):
        return False
    placement = Placement(values.world, values)
    if not placement.is_left_alone(module) or not placement.starts_on_cpu(module, expr, at):
        return False
    places = (place for place in module.uses(expr) if not bound_target(place) and not _is_given_back(place, at))
    return all(flow.body_of(place) is body and _keeps(values, module, place) for place in places)


def _is_given_back(place: t.Expr, at: t.Node) -> bool:
    """Whether the function gives the module back, after it was saved."""
    return isinstance(place.parent, t.Return) and place.start > at.start


def _keeps(values: Values, module: ModuleFacts, place: t.Expr) -> bool:
    """Whether a place leaves a module where it lies: no part of it is replaced, and it goes to no other code."""
    part = place.parent
    if not isinstance(part, t.Attribute) or place.role != "value" or bound_target(part):
        return False
    call = part.parent
    return not (isinstance(call, t.Call) and part.role == "func" and values.world.callees(module, call))
