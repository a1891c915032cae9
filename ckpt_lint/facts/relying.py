"""Restores that rely on a wrapper: they put weights into a module that is wrapped, so its keys must say so."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ckpt_lint.facts.passing import parameter_of
from ckpt_lint.facts.restores import Restore
from ckpt_lint.facts.roles import role_of
from ckpt_lint.facts.world import Definition, bind, is_method_call
from ckpt_lint.facts.wrapping import Wrapped, wrapped
from ckpt_lint.source import flow
from ckpt_lint.source import tree as t
from ckpt_lint.source.names import path_key

if TYPE_CHECKING:
    from ckpt_lint.facts.view import View


def relying(view: View, receiver: t.Expr, found: Wrapped) -> list[Restore]:
    """The restores into a module in the same wrapper: of this module, and of project functions that are handed it.

    Of entries of a dict (`state["model"]`) also those that are spelt like the `receiver` whose state dict is saved.
    """
    entry = path_key(receiver) if isinstance(receiver, t.Subscript) else ""
    own = [r for r in view.restores if _is_in(view, r, found) or (entry and path_key(r.receiver) == entry)]
    return list({restore.call: restore for restore in (*own, *_handed_on(view, found))}.values())


def _is_in(view: View, restore: Restore, found: Wrapped) -> bool:
    values = view.facts.values
    if role_of(values, restore.module, restore.receiver) not in (None, "module"):
        return False
    other = wrapped(values, restore.module, restore.receiver)
    return other is not None and other.prefixes == found.prefixes


def _handed_on(view: View, found: Wrapped) -> Iterator[Restore]:
    """Restores into a parameter for which a call of this module gives the very module that was wrapped."""
    for call in view.module.calls if found.module is view.module else ():
        for callee in view.facts.world.callees(view.module, call):
            yield from _restored_in(view, call, callee, found)


def _restored_in(view: View, call: t.Call, callee: Definition, found: Wrapped) -> Iterator[Restore]:
    function = callee.node
    if not isinstance(function, t.FunctionDef):
        return
    restores = [r for r in view.facts.restores.of(callee.module) if flow.function_of(r.call) is function]
    given = bind(call, function, instance=is_method_call(call, function)).values if restores else {}
    for restore in restores:
        param = parameter_of(callee.module, restore.receiver, function)
        value = given.get(param.name) if param is not None else None
        other = wrapped(view.facts.values, view.module, value) if value is not None else None
        if other is not None and other.call is found.call and other.prefixes == found.prefixes:
            yield restore
