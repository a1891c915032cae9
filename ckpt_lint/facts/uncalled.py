"""`x.state_dict` without its parentheses: a bound method where a dict was meant."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ckpt_lint import apis
from ckpt_lint.facts.roles import named_role, role_of
from ckpt_lint.facts.saved import saved_values
from ckpt_lint.facts.view import View
from ckpt_lint.facts.world import Definition
from ckpt_lint.source import tree as t
from ckpt_lint.source.module import ModuleFacts, last_name

METHOD = "state_dict"


@dataclass(frozen=True, slots=True, eq=False)
class Uncalled:
    """A method that was not called, and what becomes of it: `call` saves or restores it."""

    module: ModuleFacts
    attribute: t.Attribute
    call: t.Call
    saved: bool


def uncalled(view: View) -> Iterator[Uncalled]:
    """Every `x.state_dict` that reaches a save or a restore of the module as it stands."""
    for save in view.saves:
        for saved in saved_values(view.facts.checkpoints, save):
            for attribute, module in _methods(view, saved.module, saved.value):
                yield Uncalled(module, attribute, save.call, True)
    for restore in view.restores:
        if restore.state is not None:
            for attribute, module in _methods(view, restore.module, restore.state):
                yield Uncalled(module, attribute, restore.call, False)


def _methods(view: View, module: ModuleFacts, value: t.Expr) -> Iterator[tuple[t.Attribute, ModuleFacts]]:
    for origin in view.facts.values.origins(module, value):
        node = origin.node
        if not isinstance(node, t.Attribute) or node.attr != METHOD or origin.how != "unbound":
            continue
        if _has_the_method(view, origin.module, node.value):
            yield node, origin.module


def _has_the_method(view: View, module: ModuleFacts, receiver: t.Expr) -> bool:
    """Whether `.state_dict` of a value is torch's method: `snapshot.state_dict` may be a field."""
    if role_of(view.facts.values, module, receiver) is not None:
        return True
    for holder in view.facts.world.classes_of(module, receiver):
        kind = view.facts.world.class_kind(holder)
        if kind is not None or _defines(view, holder):
            return True
    called = any(_called(place) for place in module.uses(receiver))
    return called or named_role(last_name(receiver)) in apis.TRAINING_STATE_KINDS


def _defines(view: View, holder: Definition) -> bool:
    return bool(view.facts.world.methods(holder, METHOD))


def _called(place: t.Expr) -> bool:
    """`x.state_dict()` or `x.load_state_dict(...)` elsewhere."""
    parent = place.parent
    named = isinstance(parent, t.Attribute) and parent.value is place and parent.attr in (METHOD, "load_state_dict")
    return named and isinstance(parent.parent, t.Call) and parent.role == "func"
