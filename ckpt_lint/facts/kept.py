"""State dicts that are kept while the module goes on training: their tensors are the module's own (TORCH_FACTS 6)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ckpt_lint import apis
from ckpt_lint.facts.guards import tests_above
from ckpt_lint.facts.roles import role_of
from ckpt_lint.facts.steps import Steps
from ckpt_lint.facts.values import Values
from ckpt_lint.source import flow
from ckpt_lint.source import tree as t
from ckpt_lint.source.module import ModuleFacts, bound_target, last_name
from ckpt_lint.source.names import path_key, root_name

_NO_COPIES = ("builtins.dict", "collections.OrderedDict", "copy.copy")
_SAME_TENSOR = frozenset({"detach", "cpu", "to", "contiguous", "float", "numpy", "requires_grad_", "view_as"})
_TO_HOST = frozenset({"cpu", "to"})
_KEEPSAKE = re.compile(r"best|snapshot|backup|saved|init|orig|old|prev|start|last_good|before", re.IGNORECASE)
_PROGRESS = re.compile(r"best|improv", re.IGNORECASE)
_STEPS = 4
_LOOKS = frozenset({"keys", "len", "print", "isinstance", "type"})


@dataclass(frozen=True, slots=True, eq=False)
class Kept:
    """`call` is the `x.state_dict()` that is kept, `use` where it is read after the training at `step` (if seen)."""

    module: ModuleFacts
    call: t.Call
    use: t.Expr
    step: t.Call | None


@dataclass(frozen=True, slots=True, eq=False)
class _Held:
    """A reference that a variable or entry holds: what was called on what, and the target it is bound to."""

    module: ModuleFacts
    call: t.Call
    receiver: t.Expr
    target: t.Expr


def kept_references(values: Values, steps: Steps, module: ModuleFacts) -> Iterator[Kept]:
    """Every state dict of a module that is kept across training and used after it, one use each."""
    for call in module.calls_by_name.get("state_dict", ()):
        held = _held(values, module, call)
        if held is None or not _may_be_trained(module, held.receiver):
            continue
        found = next(_late_uses(values, steps, held), None)
        if found is not None:
            yield found


# -- what is kept -----------------------------------------------------------------------------------------------------


def _held(values: Values, module: ModuleFacts, call: t.Call) -> _Held | None:
    func = call.func
    if not isinstance(func, t.Attribute) or isinstance(call.parent, t.ExprStmt):
        return None
    holder = _outermost(module, call)
    target = _target(holder) if holder is not None else None
    if target is None or is_copy(module, func.value):
        return None
    role = role_of(values, module, func.value)
    return _Held(module, call, func.value, target) if role in (apis.MODULE, apis.EMA, apis.OPTIMIZER) else None


def is_copy(module: ModuleFacts, receiver: t.Expr, steps: int = _STEPS) -> bool:
    """`copy.deepcopy(model).state_dict()`, or a variable that is bound to a copy; `self.m = self.m.to(d)` has an end."""
    if isinstance(receiver, t.Call):
        if module.names.is_a(receiver.func, *apis.DEEPCOPY):
            return True
        return isinstance(receiver.func, t.Attribute) and is_copy(module, receiver.func.value, steps)
    if steps > 0 and isinstance(receiver, (t.Name, t.Attribute)):
        bound = module.names.bindings(receiver)
        return any(isinstance(b.value, t.Call) and is_copy(module, b.value, steps - 1) for b in bound)
    return False


def _outermost(module: ModuleFacts, expr: t.Expr) -> t.Expr | None:
    """The expression that still holds the module's tensors: shallow copies, dicts around it; None where it copies."""
    while True:
        up = _step_up(module, expr)
        if up is expr:
            return expr
        if up is None:
            return None
        expr = up


def _step_up(module: ModuleFacts, expr: t.Expr) -> t.Expr | None:
    parent = expr.parent
    if isinstance(parent, t.Argument) and isinstance(parent.parent, t.Call):
        return parent.parent if module.names.is_a(parent.parent.func, *_NO_COPIES) else None
    if isinstance(parent, t.Attribute):
        call = parent.parent
        if not isinstance(call, t.Call) or parent.role != "func":
            return None
        return call if parent.attr == "copy" else _comprehension(module, call) if parent.attr == "items" else None
    if isinstance(parent, (t.Dict, t.IfExp)) and expr.role in ("values", "body", "orelse"):
        return parent
    return expr


def _comprehension(module: ModuleFacts, items: t.Call) -> t.Expr | None:
    """`{k: v.cpu() for k, v in sd.items()}`, where the values are the same tensors still."""
    generator = items.parent
    whole = generator.parent if isinstance(generator, t.Generator) else None
    if not isinstance(whole, t.Comprehension) or whole.value is None or not isinstance(generator, t.Generator):
        return None
    names = generator.target.items if isinstance(generator.target, t.Sequence) else ()
    value: t.Expr = whole.value
    while True:
        if isinstance(value, t.Call) and isinstance(value.func, t.Attribute) and value.func.attr in _SAME_TENSOR:
            if value.func.attr in _TO_HOST and (_really_copies(value) or _moves_to_device(module)):
                return None
            value = value.func.value
        elif isinstance(value, t.Attribute) and value.attr == "data":
            value = value.value
        else:
            break
    last = names[-1] if names else None
    return whole if isinstance(value, t.Name) and isinstance(last, t.Name) and value.id == last.id else None


def _really_copies(call: t.Call) -> bool:
    """`.to("cpu", copy=True)`, or a move to something other than the CPU."""
    if last_name(call.func) == "cpu":
        return False
    host = any(isinstance(a.value, t.Constant) and a.value.value == "cpu" for a in call.args)
    return not host or any(a.keyword == "copy" for a in call.args)


def _moves_to_device(module: ModuleFacts) -> bool:
    """Whether anything in the file is moved to a device: `.cpu()` is a copy there."""
    if module.calls_by_name.get("cuda"):
        return True
    for call in module.calls_by_name.get("to", ()):
        for arg in call.args[:1]:
            plain = isinstance(arg.value, t.Constant) and arg.value.value == "cpu"
            if not plain and not any(n.startswith("torch.") for n in module.names.of(arg.value)):
                return True
    return False


def _target(holder: t.Expr) -> t.Expr | None:
    """What an expression is bound to, as a whole or as an item of a tuple."""
    parent, node, index = holder.parent, holder, -1
    if isinstance(parent, t.Sequence) and holder.role == "items":
        index, node, parent = parent.items.index(holder), parent, parent.parent
    if isinstance(parent, (t.AnnAssign, t.NamedExpr)) and node.role == "value" and index < 0:
        return parent.target
    if not isinstance(parent, t.Assign) or node.role != "value":
        return None
    target = parent.targets[0]
    if index < 0:
        return target if isinstance(target, (t.Name, t.Attribute, t.Subscript)) else None
    return target.items[index] if isinstance(target, t.Sequence) and index < len(target.items) else None


def _may_be_trained(module: ModuleFacts, receiver: t.Expr) -> bool:
    """False where the function (or class) around shows which modules it optimizes, and this is none of them."""
    if _is_optimizer(receiver):
        return True
    around = _scope(module, receiver)
    optimized = {
        last_name(part)
        for name in ("parameters", "named_parameters")
        for call in module.calls_by_name.get(name, ())
        if isinstance(call.func, t.Attribute) and _scope(module, call.func.value) is around
        for part in t.walk(call.func.value)  # `net.head.parameters()` are some of `net`'s, too
    }
    if not optimized or any(name in optimized for name in _spellings(receiver)):
        return True
    return any(name in optimized for value in named_by(module, receiver) for name in _spellings(value))


def _spellings(receiver: t.Expr) -> tuple[str, ...]:
    """The name of a module, with and without the `.module` of a wrapper."""
    if isinstance(receiver, t.Attribute) and receiver.attr == "module":
        return last_name(receiver.value), "module"
    return (last_name(receiver),)


def _scope(module: ModuleFacts, receiver: t.Expr) -> t.Node:
    """Where the variable is at home: the class of `self.x`, the function of a local, the module of a global."""
    root = root_name(receiver)
    holder = flow.class_of(receiver) if root is not None and module.names.is_self(root) else None
    if holder is not None:
        return holder
    scope = module.names.scope_of(root) if root is not None else None
    return scope.node if scope is not None else module.root


def _is_optimizer(receiver: t.Expr) -> bool:
    return bool(apis.OPTIMIZER_NAMES.match(last_name(receiver)))


# -- where it is used after training ----------------------------------------------------------------------------------


def _late_uses(values: Values, steps: Steps, held: _Held) -> Iterator[Kept]:
    module = held.module
    body = flow.body_of(held.target)
    trained: list[t.Call] | None = None
    for use in _reads(module, held.target):
        if flow.body_of(use) is body:
            if trained is None:
                inside = (step for step in steps.inside(module, body) if flow.body_of(step) is body)
                trained = [step for step in inside if not _of_another(values, module, step, held)]
            step = _step_between(module, held, use, trained)
            if step is not None:
                yield Kept(module, held.call, use, step)
        elif _kept_by_object(steps, held, use):
            yield Kept(module, held.call, use, None)


def _reads(module: ModuleFacts, target: t.Expr) -> Iterator[t.Expr]:
    """Reads of what a target binds; for an entry `d["k"] = ...` those of `d`."""
    entry = isinstance(target, t.Subscript)
    base: t.Expr = target
    while isinstance(base, t.Subscript):
        base = base.value
    for place in module.uses(base):
        if bound_target(place) or place.start == base.start or _only_looked_at(place):
            continue
        if isinstance(place.parent, t.Subscript) and (bound_target(place.parent) or place.role != "value"):
            continue
        bindings = module.names.bindings(place)
        if entry or not bindings or any(b.node is base for b in bindings):
            yield place


def _only_looked_at(place: t.Expr) -> bool:
    parent = place.parent
    if isinstance(parent, (t.Compare, t.UnaryOp, t.If, t.While, t.BoolOp, t.Assert)):
        return True
    if isinstance(parent, t.Attribute):
        return parent.attr in _LOOKS
    call = parent.parent if isinstance(parent, t.Argument) else None
    return isinstance(call, t.Call) and last_name(call.func) in _LOOKS


def _of_another(values: Values, module: ModuleFacts, step: t.Call, held: _Held) -> bool:
    """Whether a function that trains is given another module and not this one."""
    given = [arg.value for arg in step.args]
    root = root_name(held.receiver)
    if not given or root is None or any(isinstance(n, t.Name) and n.id == root.id for g in given for n in t.walk(g)):
        return False
    return any(role_of(values, module, value) == apis.MODULE for value in given)


def _step_between(module: ModuleFacts, held: _Held, use: t.Expr, steps: Sequence[t.Call]) -> t.Call | None:
    """A training step that may run after the reference was taken and before it is used."""
    bound = flow.statement_of(held.target)
    if isinstance(use.parent, t.Argument) and bound.start <= use.start < bound.end:
        return None
    for step in steps:
        straight = bound.end <= step.start and step.end <= use.start and flow.falls_through(bound, step)
        straight = straight and not (_is_optimizer(held.receiver) and steps[0].start > bound.start)
        if not straight or flow.exclusive(bound, step) or flow.exclusive(step, use):
            continue
        if not made_anew(module, held.receiver, bound.end, step.start):
            return step
    return _step_in_loop(module, held, bound, use, steps)


def _step_in_loop(
    module: ModuleFacts, held: _Held, bound: t.Stmt, use: t.Expr, steps: Sequence[t.Call]
) -> t.Call | None:
    for loop in flow.loops_around(bound):
        if made_anew(module, held.receiver, loop.start, loop.end) or leaves_loop(bound):
            return None
        inside = loop.start <= use.start < loop.end
        if (inside and flow.dominates(bound, use)) or (not inside and use.start < loop.end):
            continue
        if inside and _new_each_round(module, held, loop, use):
            continue
        step = next((s for s in steps if loop.start <= s.start < loop.end), None)
        if step is not None:
            return step
    return None


def _new_each_round(module: ModuleFacts, held: _Held, loop: t.Stmt, use: t.Expr) -> bool:
    """Whether `state = {...}` of the same round, or each branch of a test of it, is what a use reads."""
    base: t.Expr = held.target
    while isinstance(base, t.Subscript):
        base = base.value
    places = [place for place in module.uses(base) if bound_target(place) and loop.start <= place.start < use.start]
    for place in places:
        statement = flow.statement_of(place)
        if flow.dominates(statement, use):
            return True
        branch = statement.parent
        if isinstance(branch, t.If) and flow.dominates(branch, use):
            sides = {flow.statement_of(p).role for p in places if flow.statement_of(p).parent is branch}
            if {"body", "orelse"} <= sides:
                return True
    return False


def leaves_loop(bound: t.Stmt) -> bool:
    """Whether the loop ends with the block that keeps the reference."""
    block = flow.block_of(bound)
    last = block[-1] if block else None
    return isinstance(last, (t.Return, t.Raise)) or (isinstance(last, t.Jump) and last.kind == "break")


def made_anew(module: ModuleFacts, receiver: t.Expr, start: int, end: int, steps: int = _STEPS) -> bool:
    """Whether the module is another one each time round: bound, or picked by something bound, inside a stretch.

    `m = model.module if hasattr(model, "module") else model` is a name for the same one each time.
    """
    for node in t.walk(receiver):
        if not isinstance(node, (t.Name, t.Attribute)) or not path_key(node):
            continue
        if not any(bound_target(place) and start <= place.start < end for place in module.uses(node)):
            continue
        named = named_by(module, node) if steps > 0 else ()
        if not named or any(made_anew(module, value, start, end, steps - 1) for value in named):
            return True
    return False


def named_by(module: ModuleFacts, expr: t.Expr) -> Sequence[t.Expr]:
    """What a variable is another name for, the test of a choice left out; () where anything else is bound to it."""
    bound = [binding.value if binding.how == "assign" else None for binding in module.names.bindings(expr)]
    values = [side for value in bound for side in ((value.body, value.orelse) if isinstance(value, t.IfExp) else (value,))]
    named = [value for value in values if isinstance(value, (t.Name, t.Attribute))]
    return named if len(named) == len(values) else ()


def _kept_by_object(steps: Steps, held: _Held, use: t.Expr) -> bool:
    """An attribute that another method reads, kept where training improved, or by a class that trains."""
    target, module = held.target, held.module
    if not isinstance(target, t.Attribute) or not module.names.is_self(target.value):
        return False
    holder, method = flow.class_of(target), flow.function_of(target)
    reader = flow.function_of(use)
    if holder is None or reader is None or flow.class_of(use) is not holder or method is None:
        return False
    if any(last_name(c.func) == reader.name and method.start <= c.start < method.end for c in module.calls):
        return False  # read at once by a method that this one calls
    if _is_optimizer(held.receiver) and method.name == "__init__":
        return False  # no step was made yet: there is no state to share
    if _restored_into_itself(module, held, use):
        return True
    if any(_asks_for_progress(test.test) for test in tests_above(held.target)):
        return True
    return _KEEPSAKE.search(target.attr) is not None and any(True for _ in steps.inside(module, holder))


def _restored_into_itself(module: ModuleFacts, held: _Held, use: t.Expr) -> bool:
    """`x.load_state_dict(self.kept)` of the very module whose references are kept: it changes nothing, ever."""
    call = use.parent.parent if isinstance(use.parent, t.Argument) else None
    if not isinstance(call, t.Call) or not isinstance(call.func, t.Attribute) or call.func.attr != "load_state_dict":
        return False
    taken, given = module.variable(held.receiver), call.func.value
    values = [given, *(b.value for b in module.names.bindings(given) if b.how == "assign" and b.value is not None)]
    return taken is not None and any(module.variable(value) == taken for value in values)


def _asks_for_progress(test: t.Expr) -> bool:
    """`loss < self.best`, `improved`, `self.best is None`."""
    names = [last_name(n) for n in t.walk(test) if isinstance(n, (t.Name, t.Attribute))]
    return any(_PROGRESS.search(name) for name in names)
