"""Objects that are no plain data: instances of project classes, and values whose attributes are read."""

from __future__ import annotations

from collections.abc import Sequence

from ckpt_lint.facts import refusals as r
from ckpt_lint.facts.refusals import Refusal
from ckpt_lint.facts.roles import named_role
from ckpt_lint.facts.values import Values
from ckpt_lint.facts.world import Definition, bind, is_method_call
from ckpt_lint.source import tree as t
from ckpt_lint.source.module import ModuleFacts, bound_target, last_name

_PLAIN_BASES = frozenset({"typing.TypedDict", "typing_extensions.TypedDict"})
_ENUM_BASES = frozenset({"enum.Enum", "enum.IntEnum", "enum.Flag", "enum.IntFlag", "enum.StrEnum"})
_CALLERS = 2


def refused_instance(values: Values, definition: Definition) -> Refusal | None:
    """Why an instance of a project class is refused; None for modules (a rule of their own) and typed dicts."""
    node = definition.node
    if not isinstance(node, t.ClassDef) or values.world.class_kind(definition) is not None:
        return None
    bases = {base for base in values.world.bases(definition) if isinstance(base, str)}
    if bases & _PLAIN_BASES or any(base.startswith("torch.") for base in bases):
        return None
    if bases & _ENUM_BASES:
        return r.ENUM
    if any(last_name(d.func if isinstance(d, t.Call) else d) == "dataclass" for d in node.decorators):
        return Refusal(f"an instance of the dataclass `{node.name}`", "", "", (node.name,), "save `asdict(...)` of it")
    return Refusal(f"an instance of `{node.name}`", "", "", (node.name,), "save its values in a dict")


def is_read_as_object(values: Values, module: ModuleFacts, expr: t.Expr, callers: int = _CALLERS) -> str | None:
    """The attribute by whose reading a variable is seen to be an object with attributes, `lr` of `args.lr`."""
    if named_role(last_name(expr)) is not None or module.names.of(expr):
        return None
    origins = values.origins(module, expr)
    params = [o.node for o in origins if o.how == "param" and isinstance(o.node, t.Parameter)]
    calls = [o for o in origins if o.how == "value" and isinstance(o.node, t.Call)]
    if len(params) + len(calls) != len(origins) or any(p.annotation or p.name in ("self", "cls") for p in params):
        return None
    places = [*module.uses(expr), *(place for param in params for place in _places(module, param))]
    if _is_container(places):
        return None
    read = next((read for place in places if (read := _attribute_read(place)) is not None), None)
    if read is not None or _has_keys(places):
        return read
    return None if calls else _read_in_caller(values, module, params, callers)


def _attribute_read(place: t.Expr) -> str | None:
    """The attribute that is read from a value at a place: a plain one, not called, that only objects have."""
    parent = place.parent
    if not isinstance(parent, t.Attribute) or parent.value is not place or parent.attr in r.PLAIN_ATTRIBUTES:
        return None
    called = isinstance(parent.parent, t.Call) and parent.role == "func"
    if called or parent.attr.startswith("_") or bound_target(parent):
        return None
    return parent.attr


def _places(module: ModuleFacts, param: t.Parameter) -> Sequence[t.Expr]:
    """Where a parameter is used: `settings` of `self.settings = settings`."""
    function = param.parent
    return module.occurrences.get((function.index, param.name), ()) if function is not None else ()


def _has_keys(places: Sequence[t.Expr]) -> bool:
    """Whether a string key is read: with attributes an object that has both, without any of them a dict."""
    return any(isinstance(place.parent, t.Subscript) and place.role == "value" for place in places)


def _is_container(places: Sequence[t.Expr]) -> bool:
    """Whether anything shows a dict, list or tensor: an index that is no string, `.items()`, arithmetic."""
    for place in places:
        parent = place.parent
        if isinstance(parent, t.Subscript) and place.role == "value" and not bound_target(place):
            if not (isinstance(parent.sub, t.Constant) and isinstance(parent.sub.value, str)):
                return True
        if isinstance(parent, t.Attribute) and parent.attr in _CONTAINER_METHODS and isinstance(parent.parent, t.Call):
            return True
        if isinstance(parent, t.BinOp):
            return True
    return False


def _read_in_caller(values: Values, module: ModuleFacts, params: list[t.Parameter], callers: int) -> str | None:
    """The same asked of what every caller hands over."""
    if len(params) != 1 or callers <= 0 or not isinstance(params[0].parent, t.FunctionDef):
        return None
    function = params[0].parent
    sites = values.world.callers(Definition(module, function))
    found: list[str | None] = []
    for site in sites:
        given = bind(site.call, function, instance=is_method_call(site.call, function)).values.get(params[0].name)
        if not isinstance(given, (t.Name, t.Attribute)):
            return None
        found.append(is_read_as_object(values, site.module, given, callers - 1))
    return found[0] if found and all(found) else None


_CONTAINER_METHODS = frozenset({
    "items", "keys", "values", "get", "update", "append", "extend", "pop", "cpu", "cuda", "detach", "item", "backward",
    "size", "view", "numel", "format", "split", "join", "startswith", "endswith", "strip", "lower", "state_dict",
})  # fmt: skip
