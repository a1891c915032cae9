"""Entries of a dict that goes from hand to hand: `state["model"]` of `state = dict(model=model, optimizer=optimizer)`."""

from __future__ import annotations

from collections.abc import Sequence

from ckpt_lint.facts.passing import literal_entries, parameter_of
from ckpt_lint.facts.world import Definition, World, bind, is_method_call
from ckpt_lint.source import flow
from ckpt_lint.source import tree as t
from ckpt_lint.source.module import ModuleFacts
from ckpt_lint.source.scopes import Binding

_STEPS = 5
"""Names, callers and functions through which a dict is followed."""

Ways = Sequence[tuple[ModuleFacts, t.Expr]]


def ways_to_entry(world: World, module: ModuleFacts, expr: t.Subscript) -> Ways:
    """What an entry may be, one expression a way; () where a way cannot be followed, or the entry is set later."""
    key = module.string(expr.sub)
    return (_ways(world, module, expr.value, key, _STEPS, set()) or ()) if key is not None else ()


def _ways(
    world: World, module: ModuleFacts, holder: t.Expr, key: str, steps: int, seen: set[Binding]
) -> Ways | None:
    """None where a way cannot be followed; () where all lead back to names that are followed already."""
    if steps <= 0:
        return None
    if isinstance(holder, t.Name):
        return None if _sets_entry(module, holder, key) else _of_name(world, module, holder, key, steps - 1, seen)
    entries = literal_entries(module, holder)
    if entries is not None:
        return ((module, entries[key]),) if key in entries else None
    given = _given_back(world, module, holder, key) if isinstance(holder, t.Call) else None
    return _ways(world, module, given, key, steps - 1, seen) if given is not None else None


def _of_name(world: World, module: ModuleFacts, name: t.Name, key: str, steps: int, seen: set[Binding]) -> Ways | None:
    holders: list[tuple[ModuleFacts, t.Expr]] = []
    for binding in module.names.bindings(name):
        if isinstance(binding.node, t.Parameter):
            given = _given_by_callers(world, module, binding.node)
            if not given:
                return None
            holders.extend(given)
        elif binding.how != "assign" or binding.value is None:
            return None
        elif binding not in seen:  # `state = restore(path, state)` in a loop
            seen.add(binding)
            holders.append((module, binding.value))
    out: list[tuple[ModuleFacts, t.Expr]] = []
    for place, holder in holders:
        found = _ways(world, place, holder, key, steps, seen)
        if found is None:
            return None
        out.extend(found)
    return out


def _given_by_callers(world: World, module: ModuleFacts, param: t.Parameter) -> Ways:
    """What every known caller hands over for a parameter; () where one hands over nothing."""
    function = param.parent
    if not isinstance(function, t.FunctionDef):
        return ()
    out: list[tuple[ModuleFacts, t.Expr]] = []
    for site in world.callers(Definition(module, function)):
        given = bind(site.call, function, instance=is_method_call(site.call, function)).values.get(param.name)
        if given is None:
            return ()
        out.append((site.module, given))
    return out


def _given_back(world: World, module: ModuleFacts, call: t.Call, key: str) -> t.Expr | None:
    """The argument that a project function returns on every way out, and of which it leaves the entry alone."""
    for found in world.callees(module, call):
        function = found.node
        if not isinstance(function, t.FunctionDef):
            return None
        ways = flow.returned_values(function)
        params = {parameter_of(found.module, way, function) for way in ways}
        param = params.pop() if len(params) == 1 else None
        if param is None or any(_sets_entry(found.module, way, key) for way in ways if isinstance(way, t.Name)):
            return None
        return bind(call, function, instance=is_method_call(call, function)).values.get(param.name)
    return None


def _sets_entry(module: ModuleFacts, name: t.Name, key: str) -> bool:
    """Whether an entry of a dict is set where the dict has this name, or nobody knows which (`update`)."""
    for place in module.uses(name):
        parent = place.parent
        if isinstance(parent, t.Subscript) and place.role == "value" and parent.role == "targets":
            if module.string(parent.sub) in (key, None):
                return True
        if isinstance(parent, t.Attribute) and parent.attr == "update":
            return True
    return False
