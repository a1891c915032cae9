"""What training state a save could name: optimizers, schedulers, gradient scalers, EMA models. RULES.md, "In scope".

An object counts by construction or annotation, or by a conventional name together with use (`scheduler.step()`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ckpt_lint import apis
from ckpt_lint.facts.kinds import FOREIGN, OBJECT
from ckpt_lint.facts.roles import called_on, named_role
from ckpt_lint.facts.states import is_counter
from ckpt_lint.facts.values import Values
from ckpt_lint.facts.world import Definition, World, bind, is_method_call
from ckpt_lint.source import flow
from ckpt_lint.source import tree as t
from ckpt_lint.source.module import ModuleFacts, bound_target, last_name
from ckpt_lint.source.scopes import Binding

STATES = (apis.OPTIMIZER, apis.SCHEDULER, apis.SCALER, apis.EMA)

_USES = {
    apis.OPTIMIZER: frozenset({"step", "zero_grad", "param_groups", "state_dict", "load_state_dict"}),
    apis.SCHEDULER: frozenset({"step", "state_dict", "load_state_dict", "get_last_lr", "get_lr", "step_update"}),
    apis.SCALER: frozenset({"scale", "unscale_", "update", "state_dict", "load_state_dict"}),
    apis.EMA: frozenset({
        "update", "state_dict", "load_state_dict", "parameters", "eval", "update_parameters", "apply_shadow", "copy_to",
    }),
}  # fmt: skip
_NO_LR_SCHEDULE = re.compile(
    r"noise|diffusion|ddpm|ddim|sampl|beta|temperature|task|job|kl_|weight|loss|momentum|wd_|mask"
)
_APEX = ("apex.amp.initialize", "amp.initialize")


@dataclass(frozen=True, slots=True, eq=False)
class Subject:
    """An object with training state. `name` is how the code writes it; `place` one place that names it.

    `nameable` says that the save itself can name it, not only its callers. `certain` says that it surely has a
    `state_dict` method; `always` that it is bound on every way to the save, and never None.
    """

    role: str
    name: str
    module: ModuleFacts
    place: t.Node
    nameable: bool = True
    certain: bool = True
    always: bool = True
    optional: bool = False


class InScope:
    """Finds what is in scope at a place."""

    def __init__(self, world: World, values: Values) -> None:
        self.world = world
        self.values = values
        self._subjects: dict[tuple[ModuleFacts, int, str], Subject | None] = {}

    def at(self, module: ModuleFacts, node: t.Node) -> tuple[Subject, ...]:
        """The subjects that code at `node` can name, and those that every caller of its function can."""
        own = self.named_at(module, node)
        roles = {subject.role for subject in own}
        return (*own, *(s for s in self._of_callers(module, node) if s.role not in roles))

    def named_at(self, module: ModuleFacts, node: t.Node) -> tuple[Subject, ...]:
        """The subjects that code at `node` can name."""
        out: dict[tuple[str, str], Subject] = {}
        for place_module, scope, names in self._visible(module, node):
            for name in names:
                subject = self._subject(place_module, scope, name)
                if subject is not None and self._in_force(subject, place_module, scope, name, node):
                    bound = self._bound(subject, place_module, scope, name, node)
                    out.setdefault((subject.role, name), bound)
        out.update({(s.role, s.name): s for s in self._apex(module, node)})
        return tuple(out.values())

    # -- visible variables ------------------------------------------------------------------------------------------

    def _visible(self, module: ModuleFacts, node: t.Node) -> Iterator[tuple[ModuleFacts, t.Node, Sequence[str]]]:
        """The scopes around a node (functions, the class for `self.x`, the module), and the variables in each."""
        for parent in [*t.ancestors(node), module.root]:
            if isinstance(parent, (t.FunctionDef, t.Module, t.ClassDef)):
                yield module, parent, _variables(module, parent)
        holder = flow.class_of(node)
        if holder is not None:
            for base in self.world.bases(Definition(module, holder)):
                if isinstance(base, Definition):
                    yield base.module, base.node, _variables(base.module, base.node)

    def _subject(self, module: ModuleFacts, scope: t.Node, name: str) -> Subject | None:
        key = (module, scope.index, name)
        if key not in self._subjects:
            self._subjects[key] = None
            self._subjects[key] = self._judge(module, scope, name)
        return self._subjects[key]

    def _judge(self, module: ModuleFacts, scope: t.Node, name: str) -> Subject | None:
        places = [p for p in module.occurrences.get((scope.index, name), ()) if not bound_target(p)]
        made = [b.value for b in _bindings(module, scope, name) if b.how == "assign" and b.value is not None]
        if not places and not made:
            return None
        role, certain = self._role(module, places, made)
        places = places or made
        if role is None or self._is_none_of_it(module, places, role):
            return None
        used = any(called_on(place) in ("state_dict", "load_state_dict") for place in places)
        return Subject(role, name, module, places[0], certain=certain or used)

    def _role(
        self, module: ModuleFacts, places: Sequence[t.Expr], made: Sequence[t.Expr]
    ) -> tuple[str | None, bool]:
        kinds: set[str] = set()
        for place in (*places[:6], *made):
            kinds |= self.values.kinds(module, place)
        for role in STATES:
            if role in kinds:
                return role, role != apis.EMA or OBJECT not in kinds
        promised = named_role(last_name(places[0])) if places else None
        if promised == apis.EMA and apis.MODULE in kinds:
            return promised, True
        if promised not in STATES or kinds - {OBJECT} or FOREIGN in kinds:
            return None, False
        if not any(_used_as(place, promised) or self._used_by_callee(module, place, promised) for place in places):
            return None, False
        return promised, OBJECT not in kinds

    def _used_by_callee(self, module: ModuleFacts, place: t.Expr, role: str) -> bool:
        """Whether a project function that is given a variable uses it as its name promises."""
        argument = place.parent
        call = argument.parent
        if not isinstance(argument, t.Argument) or not isinstance(call, t.Call) or argument.star:
            return False
        for found in self.world.callees(module, call):
            if not isinstance(found.node, t.FunctionDef):
                continue
            values = bind(call, found.node, instance=is_method_call(call, found.node)).values
            names = [name for name, value in values.items() if value is place]
            inside = (found.module.occurrences.get((found.node.index, name), ()) for name in names)
            if any(_used_as(use, role) for uses in inside for use in uses):
                return True
        return False

    def _is_none_of_it(self, module: ModuleFacts, places: Sequence[t.Expr], role: str) -> bool:
        """Objects that hold no state: a disabled scaler, a noise scheduler, a class of the project without one."""
        if role == apis.SCALER:
            return any(self._disabled(module, place) for place in places[:1])
        if role == apis.SCHEDULER and _NO_LR_SCHEDULE.search(last_name(places[0]).lower()):
            return True
        if role in (apis.SCHEDULER, apis.SCALER) and not any(called_on(p) == "state_dict" for p in places):
            holders = self.world.classes_of(module, places[-1])
            return bool(holders) and all(self._stateless(holder) for holder in holders)
        return False

    def sets_itself(self, subject: Subject) -> bool:
        """Whether a scheduler class of the project finds its own place, as in `self.last_epoch = group["step"]`."""
        places = [subject.place, *subject.module.uses(subject.place)]
        holders = [h for place in places if isinstance(place, t.Expr) for h in self._classes(subject.module, place)]
        for holder in holders:
            for base in (holder, *self.world.bases(holder)):
                if isinstance(base, Definition) and isinstance(base.node, t.ClassDef):
                    bound = base.module.names.attribute_bindings(base.node, "last_epoch")
                    if any(getattr(flow.function_of(b.node), "name", "") not in ("", "__init__") for b in bound):
                        return True
        return False

    def made_where_it_was(self, subject: Subject) -> bool:
        """Whether a project function makes the schedule from the step that a call gives it, for `last_epoch=`."""
        place, module = subject.place, subject.module
        statements = (p.parent for p in (module.uses(place) if isinstance(place, t.Expr) else ()) if bound_target(p))
        calls = [s.value for s in statements if isinstance(s, t.Assign) and isinstance(s.value, t.Call)]
        return any(self._told_last_epoch(module, call) for call in calls)

    def _told_last_epoch(self, module: ModuleFacts, call: t.Call) -> bool:
        for found in self.world.callees(module, call):
            if not isinstance(found.node, t.FunctionDef):
                continue
            given = bind(call, found.node, instance=is_method_call(call, found.node)).values
            for made in found.module.calls:
                if flow.function_of(made) is found.node and _constructs_schedule(found.module, made):
                    values = (arg.value for arg in made.args if arg.keyword == "last_epoch")
                    if any(isinstance(value, t.Name) and value.id in given for value in values):
                        return True
        return False

    def _classes(self, module: ModuleFacts, place: t.Expr) -> Sequence[Definition]:
        """The project classes that a value is made from, also where a function returns it among others."""
        out: list[Definition] = []
        for origin in self.values.origins(module, place):
            if not isinstance(origin.node, t.Call):
                continue
            out.extend(self.world.classes_of(origin.module, origin.node))
            for found in self.world.callees(origin.module, origin.node):
                for value in flow.returned_values(found.node):
                    at = origin.at[0] if origin.at else -1
                    item = value.items[at] if isinstance(value, t.Sequence) and 0 <= at < len(value.items) else value
                    out.extend(self.world.classes_of(found.module, item))
        return out

    def _stateless(self, holder: Definition) -> bool:
        return self.world.class_kind(holder) is None and not self.world.methods(holder, "state_dict")

    def _disabled(self, module: ModuleFacts, place: t.Expr) -> bool:
        for origin in self.values.origins(module, place):
            if isinstance(origin.node, t.Call):
                for arg in origin.node.args:
                    if arg.keyword == "enabled" and isinstance(arg.value, t.Constant) and arg.value.value is False:
                        return True
        return False

    # -- order ------------------------------------------------------------------------------------------------------

    def _in_force(self, subject: Subject, module: ModuleFacts, scope: t.Node, name: str, node: t.Node) -> bool:
        """Whether a local variable is bound before the node, on a way that leads there."""
        if flow.body_of(node) is not scope or isinstance(scope, t.ClassDef):
            return True
        bindings = _bindings(module, scope, name)
        if not bindings:
            return True
        return any(b.how == "param" or _reaches(b, node) for b in bindings)

    def _bound(self, subject: Subject, module: ModuleFacts, scope: t.Node, name: str, node: t.Node) -> Subject:
        bindings = [b for b in _bindings(module, scope, name) if b.how != "augment"]
        optional = any(_may_be_none(b.value) for b in bindings) or any(_none_default(b) for b in bindings)
        always = not bindings or flow.body_of(node) is not scope or any(
            b.how == "param" or flow.dominates(b.node, node) for b in bindings
        )
        if isinstance(scope, t.ClassDef):
            always = any(_in_constructor(b) for b in bindings)
        return replace(subject, always=always, optional=optional)

    # -- callers ----------------------------------------------------------------------------------------------------

    def _of_callers(self, module: ModuleFacts, node: t.Node) -> Iterator[Subject]:
        """Subjects of the roles that every caller of the function around has in scope."""
        function = flow.function_of(node)
        if function is None or self.world.partial:
            return
        callers = self.world.callers(Definition(module, function))
        sites = [site for site in callers if flow.function_of(site.call) is not function]
        found = [self.named_at(site.module, site.call) for site in sites]
        for role in STATES:
            if found and all(any(s.role == role for s in subjects) for subjects in found):
                for subject in found[0]:
                    if subject.role == role:
                        yield replace(subject, nameable=False, always=False)

    # -- apex -------------------------------------------------------------------------------------------------------

    def _apex(self, module: ModuleFacts, node: t.Node) -> Iterator[Subject]:
        """`amp.initialize(...)` of apex: the state of its loss scalers is `amp.state_dict()`."""
        for call in module.calls_by_name.get("initialize", ()):
            if not any(name.endswith(_APEX) for name in module.names.of(call.func)):
                continue
            body = flow.body_of(call)
            near = body in (flow.body_of(node), *t.ancestors(node)) or flow.class_of(call) is not None
            if near and flow.class_of(call) in (None, flow.class_of(node)):
                assert isinstance(call.func, t.Attribute)
                yield Subject(apis.SCALER, flow.spelled(call.func.value), module, call)


def _variables(module: ModuleFacts, scope: t.Node) -> Sequence[str]:
    """The variables of a scope worth a look: plain names, `self.x` of a class, `a.b` with a conventional last name."""
    known = _by_scope(module).get(scope.index, ())
    return [key for key in known if _worth(key, scope)]


def _by_scope(module: ModuleFacts) -> dict[int, list[str]]:
    out: dict[int, list[str]] = {}
    for index, key in module.occurrences:
        out.setdefault(index, []).append(key)
    return out


def _worth(key: str, scope: t.Node) -> bool:
    if "[" in key:
        return False
    depth = key.count(".")
    if isinstance(scope, t.ClassDef):
        return depth == 1 or (depth > 1 and named_role(key.rpartition(".")[2]) in STATES)
    return depth == 0 or (depth == 1 and not key.startswith("self.") and named_role(key.rpartition(".")[2]) in STATES)


def _bindings(module: ModuleFacts, scope: t.Node, name: str) -> Sequence[Binding]:
    if isinstance(scope, t.ClassDef):
        return module.names.attribute_bindings(scope, name.removeprefix("self."))
    return module.scopes.opened_by(scope).bindings.get(name, ())


def _reaches(binding: Binding, node: t.Node) -> bool:
    if flow.exclusive(binding.node, node):
        return False
    if binding.start < node.start:
        return True
    return any(loop in t.ancestors(binding.node) for loop in flow.loops_around(node))


def _may_be_none(value: t.Expr | None) -> bool:
    if isinstance(value, t.Constant):
        return value.value is None
    return isinstance(value, t.IfExp) and (_may_be_none(value.body) or _may_be_none(value.orelse))


def _none_default(binding: Binding) -> bool:
    return isinstance(binding.node, t.Parameter) and _may_be_none(binding.node.default)


def _in_constructor(binding: Binding) -> bool:
    function = flow.function_of(binding.node)
    if function is None or function.name != "__init__":
        return False
    return flow.statement_of(binding.node) in function.body


def _used_as(place: t.Expr, role: str) -> bool:
    """Whether a place uses a variable as its name promises."""
    method = called_on(place)
    if method in _USES[role]:
        call = place.parent.parent
        if role == apis.SCHEDULER and method == "step" and isinstance(call, t.Call):
            return len(call.args) <= 1
        return True
    if role == apis.SCALER and isinstance(place.parent, t.Call) and place.role == "func":
        return len(place.parent.args) > 1  # `loss_scaler(loss, optimizer)`; what is given one thing scales data
    argument = place.parent
    if role == apis.OPTIMIZER and isinstance(argument, t.Argument) and isinstance(argument.parent, t.Call):
        func = argument.parent.func
        return isinstance(func, t.Attribute) and func.attr == "step"
    return False


# -- schedules that are made again -------------------------------------------------------------------------------------


def is_rebuilt(subject: Subject) -> bool:
    """Whether a schedule is set to where it was by other means than its state.

    `last_epoch=...` at construction, `.last_epoch = ...`, steps that are given the epoch, or a loop that
    does nothing but step.
    """
    module = subject.module
    places = module.uses(subject.place) if isinstance(subject.place, t.Expr) else ()
    if any(_sets_last_epoch(place) or _fast_forward(place) for place in places):
        return True
    if any(_given_last_epoch(call) for call in module.calls if _constructs_schedule(module, call)):
        return True
    steps = [p.parent.parent for p in places if called_on(p) in ("step", "step_update")]
    calls = [call for call in steps if isinstance(call, t.Call)]
    return bool(calls) and all(call.args and _counts(module, call.args[0].value) for call in calls)


def _counts(module: ModuleFacts, expr: t.Expr) -> bool:
    return any(is_counter(module, node) for node in t.walk(expr) if isinstance(node, (t.Name, t.Attribute)))


def _sets_last_epoch(place: t.Expr) -> bool:
    parent = place.parent
    return isinstance(parent, t.Attribute) and parent.attr in ("last_epoch", "_step_count") and bound_target(parent)


def _fast_forward(place: t.Expr) -> bool:
    statement = flow.statement_of(place)
    loop = statement.parent
    if called_on(place) != "step" or not isinstance(loop, t.For):
        return False
    return len(loop.body) == 1 or all(_only_steps(each) for each in loop.body)


def _only_steps(statement: t.Stmt) -> bool:
    """Whether a statement moves a schedule on: `scheduler.step()`, `next(momentum)`; a step of an optimizer trains."""
    call = statement.value if isinstance(statement, t.ExprStmt) else None
    if not isinstance(call, t.Call):
        return False
    if isinstance(call.func, t.Attribute):
        return call.func.attr in ("step", "step_update") and named_role(last_name(call.func.value)) != apis.OPTIMIZER
    return last_name(call.func) == "next"


def _constructs_schedule(module: ModuleFacts, call: t.Call) -> bool:
    return any(apis.constructs(name) == apis.SCHEDULER for name in module.names.of(call.func)) or bool(
        re.search(r"sched|LR$", last_name(call.func))
    )


def _given_last_epoch(call: t.Call) -> bool:
    for arg in call.args:
        if arg.keyword == "last_epoch":
            return not (isinstance(arg.value, t.UnaryOp) and isinstance(arg.value.operand, t.Constant))
    return False


__all__ = ["STATES", "InScope", "Subject", "is_rebuilt"]
