"""Modules in wrappers: what DataParallel, DDP and torch.compile put in front of the keys of a state dict.

`module.` for DataParallel and DDP, `_orig_mod.` for torch.compile (run on 2.13). `Module.compile()` works in place
and adds none; FSDP takes its own prefixes off.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, replace

from ckpt_lint import apis
from ckpt_lint.facts.entries import ways_to_entry
from ckpt_lint.facts.guards import same_test, tests_above
from ckpt_lint.facts.unwrapping import MODULE_ATTRIBUTES, taken_attribute, unwrapped_argument
from ckpt_lint.facts.values import Values
from ckpt_lint.facts.world import Definition, bind, is_method_call
from ckpt_lint.source import flow
from ckpt_lint.source import tree as t
from ckpt_lint.source.module import ModuleFacts, last_name
from ckpt_lint.source.names import path_key
from ckpt_lint.source.scopes import Binding

PREFIXES = {apis.DATA_PARALLEL: "module.", apis.DDP: "module.", apis.COMPILE: "_orig_mod."}
ATTRIBUTES = {"module.": "module", "_orig_mod.": "_orig_mod"}
FSDP = frozenset({
    "torch.distributed.fsdp.FullyShardedDataParallel",
    "torch.distributed.fsdp.fully_sharded_data_parallel.FullyShardedDataParallel",
})  # fmt: skip
_MAX_STEPS = 10
_CALLER_STEPS = 4


@dataclass(frozen=True, slots=True)
class Wrapped:
    """A value in wrappers: `prefixes` from the outermost in, the call that wraps it, and whether only some ways lead
    through that call.
    """

    prefixes: tuple[str, ...]
    module: ModuleFacts
    call: t.Call
    conditional: bool = False

    @property
    def prefix(self) -> str:
        """What stands in front of every key."""
        return "".join(self.prefixes)


def wrapped(values: Values, module: ModuleFacts, expr: t.Expr) -> Wrapped | None:
    """The wrappers that a value is in, where it is read; None where it is in none, or nobody can tell."""
    return _wrapped(values, module, expr, _MAX_STEPS)


def _wrapped(values: Values, module: ModuleFacts, expr: t.Expr, steps: int) -> Wrapped | None:
    if steps <= 0:
        return None
    if isinstance(expr, t.Attribute) and expr.attr in MODULE_ATTRIBUTES:
        return taken_off(_wrapped(values, module, expr.value, steps - 1), expr.attr)
    if isinstance(expr, t.Call):
        return _of_call(values, module, expr, steps)
    if isinstance(expr, t.IfExp):
        return _joined([_wrapped(values, module, branch, steps - 1) for branch in (expr.body, expr.orelse)])
    if isinstance(expr, (t.Name, t.Attribute, t.Subscript)) and (
        settled_by_branch(module, expr) or is_sharded(module, expr)
    ):
        return None
    if isinstance(expr, (t.Name, t.Attribute)):
        return _of_variable(values, module, expr, steps)
    if isinstance(expr, t.Subscript):
        ways = [_wrapped(values, place, way, steps - 1) for place, way in ways_to_entry(values.world, module, expr)]
        return _joined(ways) if all(ways) else None
    return None


def taken_off(found: Wrapped | None, attr: str) -> Wrapped | None:
    """What is left when `.module` or `._orig_mod` is read: a compiled module hands `.module` on to what it wraps."""
    if found is None:
        return None
    prefix = f"{attr}."
    if prefix not in found.prefixes or (attr == "_orig_mod" and found.prefixes[0] != prefix):
        return None
    rest = found.prefixes[found.prefixes.index(prefix) + 1 :]
    return replace(found, prefixes=rest) if rest else None


def _of_call(values: Values, module: ModuleFacts, call: t.Call, steps: int) -> Wrapped | None:
    prefix = next((PREFIXES[name] for name in module.names.of(call.func) if name in PREFIXES), None)
    prefix = prefix or _prefix_of_class(values, module, call)
    if prefix is not None:
        inner = _wrapped(values, module, call.args[0].value, steps - 1) if call.args and not call.args[0].star else None
        return Wrapped((prefix, *(inner.prefixes if inner is not None else ())), module, call)
    attr = taken_attribute(module, call)
    if attr is not None:
        return taken_off(_wrapped(values, module, call.args[0].value, steps - 1), attr)
    if unwrapped_argument(values.world, module, call) is not None:
        return None
    inner_value = values.passed_through(module, call)
    if inner_value is not None:
        return None if values.prepares(module, call) else _wrapped(values, module, inner_value, steps - 1)
    return _returned(values, module, call, steps)


def _prefix_of_class(values: Values, module: ModuleFacts, call: t.Call) -> str | None:
    """What a project class puts there that derives from a wrapper and leaves `state_dict` as it is."""
    for found in values.world.callees(module, call):
        if isinstance(found.node, t.ClassDef) and not values.world.methods(found, "state_dict"):
            bases = [base for base in values.world.bases(found) if isinstance(base, str)]
            return next((PREFIXES[base] for base in bases if base in PREFIXES), None)
    return None


def _returned(values: Values, module: ModuleFacts, call: t.Call, steps: int) -> Wrapped | None:
    """What a project function returns: wrapped on every way out, or (said so) on some."""
    for found in values.world.callees(module, call):
        if isinstance(found.node, t.FunctionDef):
            return _joined([_wrapped(values, found.module, value, steps // 2) for value in flow.returned_values(found.node)])
    return None


def _of_variable(values: Values, module: ModuleFacts, expr: t.Name | t.Attribute, steps: int) -> Wrapped | None:
    found: list[Wrapped | None] = []
    for binding in in_force(module.names.bindings(expr), expr):
        if isinstance(binding.node, t.Parameter):
            found.append(_of_parameter(values, module, binding.node, steps))
        elif binding.how == "assign" and binding.value is not None and binding.value is not expr:
            if excluded_by_test(binding.node, expr):
                continue
            found.append(_wrapped(values, module, binding.value, steps - 1))
            if _unwraps(values, module, binding.value):
                break  # whatever was bound before is unwrapped here where it was wrapped
        elif binding.how == "unpack" and binding.value is not None:
            found.append(_unpacked(values, module, binding, steps))
        elif binding.how not in ("augment", "delete"):
            found.append(None)
    return _joined(found)


def _unpacked(values: Values, module: ModuleFacts, binding: Binding, steps: int) -> Wrapped | None:
    """`a, b = DDP(a), DDP(b)`, and `a, b = build()` where `build` returns such a pair."""
    value = binding.value
    if value is None or len(binding.at) != 1:
        return None
    if not isinstance(value, t.Call):
        return _item(values, module, value, binding.at[0], steps - 1)
    for found in values.world.callees(module, value):
        if isinstance(found.node, t.FunctionDef):
            ways = flow.returned_values(found.node)
            return _joined([_item(values, found.module, way, binding.at[0], steps // 2) for way in ways])
    return None


def _item(values: Values, module: ModuleFacts, value: t.Expr, at: int, steps: int) -> Wrapped | None:
    if isinstance(value, t.Sequence) and 0 <= at < len(value.items):
        return _wrapped(values, module, value.items[at], steps)
    return None


def _joined(found: Sequence[Wrapped | None]) -> Wrapped | None:
    """Several ways to a value: wrapped where one is; only on some ways where another is not."""
    first = next((item for item in found if item is not None), None)
    if first is None:
        return None
    differ = any(item is None or item.prefixes != first.prefixes for item in found)
    return replace(first, conditional=first.conditional or differ)


def _of_parameter(values: Values, module: ModuleFacts, param: t.Parameter, steps: int) -> Wrapped | None:
    """A parameter is in a wrapper where every known caller hands it over in one."""
    function = param.parent
    if not isinstance(function, t.FunctionDef) or steps < _CALLER_STEPS:
        return None
    sites = values.world.callers(Definition(module, function))
    found: list[Wrapped] = []
    for site in sites:
        bound = bind(site.call, function, instance=is_method_call(site.call, function))
        given = bound.values.get(param.name)
        one = _wrapped(values, site.module, given, steps // 2) if given is not None else None
        if one is None:
            return None
        found.append(one)
    return _joined(found)


def _unwraps(values: Values, module: ModuleFacts, value: t.Expr) -> bool:
    if isinstance(value, t.IfExp):
        return _unwraps(values, module, value.body) or _unwraps(values, module, value.orelse)
    if isinstance(value, t.Attribute):
        return value.attr in MODULE_ATTRIBUTES
    return isinstance(value, t.Call) and unwrapped_argument(values.world, module, value) is not None


def in_force(bindings: Sequence[Binding], use: t.Expr) -> list[Binding]:
    """Of bindings in other bodies (a class's attributes, globals) those that no later one in the same body undoes."""
    out: list[Binding] = []
    final: set[t.Node] = set()
    for binding in sorted(bindings, key=lambda b: b.start, reverse=True):
        body = flow.body_of(binding.node)
        if body is flow.body_of(use):
            out.append(binding)
        elif body not in final:
            out.append(binding)
            if binding.how in ("assign", "unpack") and not flow.path_to(binding.node):
                final.add(body)
    return out


# -- branches ---------------------------------------------------------------------------------------------------------


def settled_by_branch(module: ModuleFacts, expr: t.Expr) -> bool:
    """Whether an expression stands where it is known to be in no wrapper: the other branch unwraps it (`m.module if ...
    else m`, `try: m.module ...`), or it was asked whether it is a wrapper, and it is none.
    """
    key = path_key(expr)
    if any(_takes_module(other, key) for other in _other_ways(expr)):
        return True
    return any(not test.outcome and _asks_for_wrapper(module, test.test, key) for test in tests_above(expr))


def _asks_for_wrapper(
    module: ModuleFacts, test: t.Expr, key: str, wrappers: Container[str] = frozenset(PREFIXES)
) -> bool:
    """`isinstance(model, nn.DataParallel)`."""
    if not isinstance(test, t.Call) or not module.names.is_a(test.func, "builtins.isinstance") or len(test.args) != 2:
        return False
    kinds = test.args[1].value
    listed = kinds.items if isinstance(kinds, t.Sequence) else (kinds,)
    known = any(name in wrappers for kind in listed for name in module.names.of(kind))
    return known and path_key(test.args[0].value) == key


def is_sharded(module: ModuleFacts, expr: t.Expr) -> bool:
    """Whether FSDP was asked on the way here for the state of this module: its state dict has the plain keys.

    `FSDP.set_state_dict_type(model, ...)` above, `with FSDP.state_dict_type(model, ...)` or `isinstance(model, FSDP)`
    around.
    """
    key = path_key(expr)
    if any(test.outcome and _asks_for_wrapper(module, test.test, key, FSDP) for test in tests_above(expr)):
        return True
    return any(_sets_state_of(call, key) for call in _run_before(expr))


def _run_before(expr: t.Expr) -> Iterator[t.Expr]:
    """What surely ran before a place in its function, as a statement of its own or at the head of a `with` around."""
    for parent in t.ancestors(expr):
        if isinstance(parent, t.With):
            yield from (item.value for item in parent.items)
        if isinstance(parent, t.Stmt):
            for earlier in flow.block_of(parent):
                if earlier is parent:
                    break
                if isinstance(earlier, t.ExprStmt):
                    yield earlier.value
        if isinstance(parent, (t.FunctionDef, t.ClassDef)):
            return


def _sets_state_of(call: t.Expr, key: str) -> bool:
    if not isinstance(call, t.Call) or last_name(call.func) not in ("set_state_dict_type", "state_dict_type"):
        return False
    return bool(call.args) and path_key(call.args[0].value) == key


def _other_ways(expr: t.Expr) -> Iterator[t.Node]:
    """What runs instead of the branch that an expression stands in."""
    child: t.Node = expr
    while child.parent is not child:
        parent = child.parent
        if isinstance(parent, (t.If, t.IfExp)) and child.role in ("body", "orelse"):
            other = parent.orelse if child.role == "body" else parent.body
            yield from other if isinstance(other, tuple) else (other,)
        elif isinstance(parent, t.Try) and child.role == "handlers":
            yield from parent.body
        if isinstance(child, t.Stmt):
            yield from _left_before(child)
        if isinstance(parent, (t.FunctionDef, t.ClassDef, t.Lambda)):
            return
        child = parent


def _left_before(statement: t.Stmt) -> Iterator[t.Node]:
    """Earlier `if` blocks of the same block that leave it."""
    for earlier in flow.block_of(statement):
        if earlier is statement:
            return
        if isinstance(earlier, t.If) and flow.leaves(earlier.body):
            yield from earlier.body


def _takes_module(root: t.Node, key: str) -> bool:
    for node in t.walk(root):
        if isinstance(node, t.Attribute) and node.attr in MODULE_ATTRIBUTES and path_key(node.value) == key:
            return True
    return False


def excluded_by_test(binding: t.Node, use: t.Node) -> bool:
    """Whether a binding under a test is read only where the same test came out the other way."""
    return any(
        same_test(one.test, other.test) and one.outcome != other.outcome
        for one in tests_above(binding)
        for other in tests_above(use)
        if one.node is not other.node
    )


def is_stripped(module: ModuleFacts, call: t.Call) -> bool:
    """Whether the prefix is taken off the keys of a kept state dict, in place, before it is used."""
    target = call.parent.targets[0] if isinstance(call.parent, t.Assign) else None
    if not isinstance(target, (t.Name, t.Attribute)):
        return False
    for place in module.uses(target):
        user = place.parent.parent if isinstance(place.parent, t.Argument) else None
        if isinstance(user, t.Call) and "prefix" in last_name(user.func):
            return True
        pop = place.parent
        if isinstance(pop, t.Attribute) and pop.attr == "pop" and flow.loops_around(place):
            return True
    return False
