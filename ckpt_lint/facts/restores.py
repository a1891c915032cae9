"""Restores: calls of the method `load_state_dict`, and what they are given."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ckpt_lint.facts.loads import Load, Loads
from ckpt_lint.facts.roles import role_of
from ckpt_lint.facts.values import Values
from ckpt_lint.facts.world import Definition, World
from ckpt_lint.source import flow
from ckpt_lint.source import tree as t
from ckpt_lint.source.module import ModuleFacts
from ckpt_lint.source.names import LOCAL

MAX_STEPS = 10
_FRAMEWORKS = frozenset({"megengine", "paddle", "mindspore", "oneflow", "jittor", "tinygrad", "chainer", "mlx"})


@dataclass(frozen=True, slots=True)
class Part:
    """A part of what a load gave: `keys` is the way into it. `changed` says that it was rebuilt on the way."""

    load: Load
    keys: tuple[str | int, ...] = ()
    changed: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Restore:
    """`receiver.load_state_dict(state)`; `role` is the receiver's."""

    module: ModuleFacts
    call: t.Call
    receiver: t.Expr
    role: str | None
    state: t.Expr | None
    options: dict[str, t.Expr]
    open: bool

    def option(self, name: str) -> t.Expr | None:
        """A keyword such as `strict`, None where it is absent."""
        return self.options.get(name)


class Restores:
    """The restores of a world's modules, and the loads their arguments come from."""

    def __init__(self, world: World, values: Values, loads: Loads) -> None:
        self.world = world
        self.values = values
        self.loads = loads
        self._of: dict[ModuleFacts, tuple[Restore, ...]] = {}
        self._by_call: dict[ModuleFacts, dict[t.Call, Load]] = {}

    def of(self, module: ModuleFacts) -> tuple[Restore, ...]:
        """The calls of the method in a module, in source order. A bare function of that name never counts."""
        known = self._of.get(module)
        if known is None:
            known = self._of[module] = tuple(self._find(module))
        return known

    def may_restore(self, path: str, name: str) -> bool:
        """Whether a function of a file may restore something, told from the file's bytes."""
        return name in self.world.files.functions_calling(path, "load_state_dict")

    def _find(self, module: ModuleFacts) -> Iterator[Restore]:
        calls = module.calls_by_name.get("load_state_dict", ())
        for call in calls if calls and not _is_another_framework(module) else ():
            func = call.func
            if not isinstance(func, t.Attribute) or self._imported(module, func):
                continue
            args = [a.value for a in call.args if a.keyword is None and not a.star]
            options = {a.keyword: a.value for a in call.args if a.keyword}
            if len(args) > 1:
                options.setdefault("strict", args[1])
            if len(args) > 2:
                options.setdefault("assign", args[2])
            state = args[0] if args else options.get("state_dict")
            is_open = any(a.star for a in call.args)
            role = role_of(self.values, module, func.value)
            yield Restore(module, call, func.value, role, state, options, is_open)

    def _imported(self, module: ModuleFacts, func: t.Attribute) -> bool:
        """`utils.load_state_dict(...)` of an imported module is a function, `super().load_state_dict` a definition."""
        if isinstance(func.value, t.Call) and module.names.is_a(func.value.func, "builtins.super"):
            return True
        names = module.names.of(func.value)
        return bool(names) and not any(name.startswith(LOCAL) for name in names)

    # -- what was loaded --------------------------------------------------------------------------------------------

    def load_at(self, module: ModuleFacts, call: t.Call) -> Load | None:
        """The load that a call is."""
        known = self._by_call.get(module)
        if known is None:
            known = self._by_call[module] = {load.call: load for load in reversed(self.loads.of(module))}
        return known.get(call)

    def parts(self, module: ModuleFacts, expr: t.Expr | None, *, deep: bool = True) -> tuple[Part, ...]:
        """What an expression is of what some load gave: the whole, an entry, an item; () where it is neither.

        `deep` follows project functions that return what they loaded, one call deep.
        """
        if expr is None:
            return ()
        return tuple(self._parts(module, expr, MAX_STEPS, deep))

    def _parts(self, module: ModuleFacts, expr: t.Expr, steps: int, deep: bool) -> Iterator[Part]:
        if steps <= 0:
            return
        if isinstance(expr, t.Call):
            yield from self._of_call(module, expr, steps, deep)
        elif isinstance(expr, t.Subscript):
            yield from self._of_subscript(module, expr, steps, deep)
        elif isinstance(expr, t.IfExp):
            yield from self._parts(module, expr.body, steps - 1, deep)
            yield from self._parts(module, expr.orelse, steps - 1, deep)
        elif isinstance(expr, (t.NamedExpr, t.Await)):
            yield from self._parts(module, expr.value, steps - 1, deep)
        elif isinstance(expr, t.Comprehension) and expr.kind == "dict" and expr.generators:
            yield from self._rebuilt(module, expr.generators[0].iter, steps, deep)
        elif isinstance(expr, (t.Name, t.Attribute)):
            yield from self._of_variable(module, expr, steps, deep)

    def _rebuilt(self, module: ModuleFacts, source: t.Expr, steps: int, deep: bool) -> Iterator[Part]:
        if isinstance(source, t.Call) and isinstance(source.func, t.Attribute) and source.func.attr == "items":
            source = source.func.value
        for part in self._parts(module, source, steps - 1, deep):
            yield Part(part.load, part.keys, True)

    def _of_call(self, module: ModuleFacts, call: t.Call, steps: int, deep: bool) -> Iterator[Part]:
        load = self.load_at(module, call)
        if load is not None:
            yield from self._of_load(module, call, load)
            return
        func = call.func
        if isinstance(func, t.Attribute) and not module.names.of(func):
            if func.attr in ("get", "pop", "setdefault") and call.args:
                key = module.string(call.args[0].value)
                for part in self._parts(module, func.value, steps - 1, deep):
                    yield Part(part.load, (*part.keys, key if key is not None else "?"), part.changed)
                return
            if func.attr in ("float", "to", "cpu", "copy", "half", "cuda", "module"):
                yield from self._parts(module, func.value, steps - 1, deep)
                return
        if module.names.is_a(func, "copy.deepcopy", "copy.copy", "builtins.dict", "collections.OrderedDict"):
            if call.args and not call.args[0].star:
                yield from self._parts(module, call.args[0].value, steps - 1, deep)
            return
        if deep:
            yield from self._returned(module, call)

    def _of_load(self, module: ModuleFacts, call: t.Call, load: Load) -> Iterator[Part]:
        """The whole of a load; through a wrapper, what of it the wrapper gives back."""
        if load.inner is None:
            yield Part(load)
            return
        for part in dict.fromkeys(self._returned(module, call)):
            if part.load.innermost.call is load.innermost.call:
                yield Part(load, part.keys, part.changed)

    def _returned(self, module: ModuleFacts, call: t.Call) -> Iterator[Part]:
        for found in self.world.callees(module, call):
            for value in self._returns(found):
                yield from self._parts(found.module, value, MAX_STEPS // 2, False)

    def _returns(self, definition: Definition) -> tuple[t.Expr, ...]:
        return tuple(flow.returned_values(definition.node))

    def _of_subscript(self, module: ModuleFacts, expr: t.Subscript, steps: int, deep: bool) -> Iterator[Part]:
        bound = [b for b in module.names.bindings(expr) if b.how == "assign" and b.value is not None]
        if bound:
            for binding in bound:
                assert binding.value is not None
                for part in self._parts(module, binding.value, steps - 1, deep):
                    yield Part(part.load, part.keys, True)
            return
        sub = module.constant(expr.sub)
        key = sub.value if sub is not None and isinstance(sub.value, (str, int)) else "?"
        for part in self._parts(module, expr.value, steps - 1, deep):
            yield Part(part.load, (*part.keys, key), part.changed)

    def _of_variable(self, module: ModuleFacts, expr: t.Expr, steps: int, deep: bool) -> Iterator[Part]:
        bindings = module.names.bindings(expr)
        for binding in bindings:
            if binding.value is None or binding.how in ("item", "with", "augment") or binding.value is expr:
                continue
            for part in self._parts(module, binding.value, steps - 1, deep):
                if binding.how == "unpack":
                    yield Part(part.load, (*part.keys, *binding.at), part.changed)
                else:
                    yield part
        if not bindings and isinstance(expr, t.Attribute):
            for part in self._parts(module, expr.value, steps - 1, deep):
                yield Part(part.load, (*part.keys, f".{expr.attr}"), part.changed)


def _is_another_framework(module: ModuleFacts) -> bool:
    """Whether a file knows another framework whose modules have the method, too, and not torch."""
    names = [alias.name for node in module.all(t.Import) for alias in node.names]
    names += [node.module for node in module.all(t.ImportFrom) if not node.level]
    first = {name.partition(".")[0] for name in names}
    return bool(first & _FRAMEWORKS) and not first & {"torch", "torchvision"}
