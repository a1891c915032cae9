"""Saves: every call that hands a value to torch.save, directly or through a save wrapper of the project."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ckpt_lint import apis
from ckpt_lint.facts.passing import parameter_of, read_arguments
from ckpt_lint.facts.reach import Wrappers, may_call
from ckpt_lint.facts.values import Values
from ckpt_lint.facts.world import Definition, World, bind, is_method_call
from ckpt_lint.source import flow
from ckpt_lint.source import tree as t
from ckpt_lint.source.module import ModuleFacts

WRAPPER_DEPTH = 2
SAVER_RECEIVERS = frozenset({"accelerator", "fabric", "xm"})
SAVER_CONSTRUCTORS = frozenset({
    "accelerate.Accelerator", "lightning.Fabric", "lightning.fabric.Fabric", "lightning_fabric.Fabric",
})  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Save:
    """One save. `value` is what is saved, an expression of `module`; so is `path` unless `path_module` says else.

    `wrapper` is the project function through which `call` saves, `inner` the save in it; `passed` says that this save
    only passes a parameter on, so that its function is a save wrapper and its callers are judged instead.
    """

    module: ModuleFacts
    call: t.Call
    value: t.Expr
    path: t.Expr | None
    path_module: ModuleFacts
    api: str
    options: dict[str, t.Expr]
    open: bool = False
    wrapper: Definition | None = None
    inner: Save | None = None
    passed: bool = False

    @property
    def innermost(self) -> Save:
        """The save that torch sees."""
        return self.inner.innermost if self.inner is not None else self


class Saves:
    """The saves of a world's modules."""

    def __init__(self, world: World, values: Values) -> None:
        self.world = world
        self.values = values
        self._direct: dict[ModuleFacts, tuple[Save, ...]] = {}
        self._of: dict[ModuleFacts, tuple[Save, ...]] = {}
        self._inside: dict[t.Node, tuple[Save, ...]] = {}
        self._ways: dict[Save, tuple[Save, ...]] = {}
        self._callable: dict[ModuleFacts, frozenset[str]] = {}
        self.wrappers = Wrappers(world, "save", self.wrapping)

    def of(self, module: ModuleFacts) -> tuple[Save, ...]:
        """The saves to judge in a module: direct ones that are no wrapper's inside, and calls of wrappers."""
        known = self._of.get(module)
        if known is None:
            self._of[module] = ()
            found = [save for save in self.direct(module) if not save.passed]
            for call in module.calls:
                found.extend(s for s in self._through(module, call, WRAPPER_DEPTH) if not s.passed)
            known = self._of[module] = tuple(sorted(found, key=lambda s: s.call.start))
        return known

    def direct(self, module: ModuleFacts) -> tuple[Save, ...]:
        """The calls of savers in a module, the insides of wrappers among them."""
        known = self._direct.get(module)
        if known is None:
            known = self._direct[module] = tuple(self._find(module))
        return known

    def saver(self, module: ModuleFacts, func: t.Expr) -> str | None:
        """The saver that an expression stands for."""
        for name in module.names.of(func):
            if name in apis.SAVERS or name in self.world.api.savers or name.lstrip(":.") in self.world.api.savers:
                return name if name in apis.SAVERS else apis.TORCH_SAVE
        if isinstance(func, t.Attribute) and func.attr == "save" and not module.names.of(func):
            if self._is_saver_object(module, func.value):
                return "accelerator.save"
        return None

    def _is_saver_object(self, module: ModuleFacts, expr: t.Expr) -> bool:
        for origin in self.values.origins(module, expr):
            if isinstance(origin.node, t.Call):
                if set(origin.module.names.of(origin.node.func)) & SAVER_CONSTRUCTORS:
                    return True
            elif isinstance(origin.node, t.Parameter):
                return origin.node.name in SAVER_RECEIVERS
        return isinstance(expr, t.Attribute) and expr.attr in SAVER_RECEIVERS

    def _find(self, module: ModuleFacts) -> Iterator[Save]:
        for call in module.calls:
            api = self.saver(module, call.func)
            if api is None:
                continue
            save = self._save(module, call, api)
            if save is not None:
                yield save

    def _save(self, module: ModuleFacts, call: t.Call, api: str) -> Save | None:
        given, is_open, _ = read_arguments(module, call.args, apis.SAVE_PARAMETERS)
        starred = next((arg.value for arg in call.args if arg.star == "*"), None)
        function = flow.function_of(call)
        if starred is not None and "obj" not in given:
            passed = function is not None and parameter_of(module, starred, function) is not None
            return Save(module, call, starred, None, module, api, {}, True, passed=passed)
        value = given.get("obj", given.get("value"))
        if value is None:
            return None
        path = given.get("f")
        passed = function is not None and self._passes(module, value, function)
        return Save(module, call, value, path, module, api, given, is_open, passed=passed)

    def _passes(self, module: ModuleFacts, value: t.Expr, function: t.FunctionDef) -> bool:
        """Whether a saved value is a parameter itself, whatever branch leads there, and never anything else."""
        param = parameter_of(module, value, function)
        if param is None or param.name == "self" or not isinstance(value, (t.Name, t.Starred)):
            return False
        bindings = module.names.bindings(value.value if isinstance(value, t.Starred) else value)
        return all(b.how == "param" for b in bindings)

    # -- wrappers ---------------------------------------------------------------------------------------------------

    def inside(self, definition: Definition, depth: int = WRAPPER_DEPTH) -> tuple[Save, ...]:
        """The saves in a function by which it is a save wrapper; () where it is none."""
        node = definition.node
        if not isinstance(node, t.FunctionDef):
            return ()
        known = self._inside.get(node)
        if known is None:
            self._inside[node] = ()
            module = definition.module
            saves = [s for s in self.direct(module) if s.passed and flow.function_of(s.call) is node]
            if not saves and depth > 1:
                calls = [c for c in module.calls if node.start <= c.start < node.end and flow.function_of(c) is node]
                saves = [s for call in calls for s in self._through(module, call, depth - 1) if s.passed]
            known = self._inside[node] = tuple(saves)
        return known

    def callable_names(self, module: ModuleFacts) -> frozenset[str]:
        """The names under which a module may call save wrappers."""
        known = self._callable.get(module)
        if known is None:
            known = self._callable[module] = self.wrappers.callable_names(module)
        return known

    def wrapping(self, module: ModuleFacts) -> frozenset[str]:
        """The names of a module's functions that are save wrappers by themselves."""
        return frozenset(f.name for s in self.direct(module) if s.passed and (f := flow.function_of(s.call)) is not None)

    def _through(self, module: ModuleFacts, call: t.Call, depth: int) -> Iterator[Save]:
        if not may_call(call, self.callable_names(module)) or self.saver(module, call.func) is not None:
            return
        for found in self.world.callees(module, call):
            function = found.node
            if not isinstance(function, t.FunctionDef) or flow.function_of(call) is function:
                continue
            seen: set[t.Parameter | None] = set()
            for inner in self.inside(found, depth):
                param = parameter_of(found.module, inner.value, function)
                save = self._wrapper_call(module, call, found, inner) if param not in seen else None
                seen.add(param)
                if save is not None:
                    yield save

    def _wrapper_call(self, module: ModuleFacts, call: t.Call, wrapper: Definition, inner: Save) -> Save | None:
        function = wrapper.node
        assert isinstance(function, t.FunctionDef)
        bound = bind(call, function, instance=is_method_call(call, function))
        param = parameter_of(wrapper.module, inner.value, function)
        if param is None:
            return None
        value, path = bound.values.get(param.name), self._path(bound.values, wrapper, inner)
        path_module = module
        if param.kind == "star":  # save_on_master(*args): obj and path by position
            plain = list(bound.rest)
            value, path = (plain[0] if plain else None), (plain[1] if len(plain) > 1 else None)
        elif path is None:
            path, path_module = inner.path, inner.path_module
        if value is None:
            return None
        around = flow.function_of(call)
        passed = around is not None and self._passes(module, value, around)
        return Save(
            module, call, value, path, path_module, inner.api, inner.options, inner.open, wrapper, inner, passed
        )

    def _path(self, values: object, wrapper: Definition, inner: Save) -> t.Expr | None:
        """The call's argument that becomes the path, where the wrapper takes it as a parameter."""
        assert isinstance(values, dict) and isinstance(wrapper.node, t.FunctionDef)
        if inner.path is None or inner.path_module is not wrapper.module:
            return None
        param = parameter_of(wrapper.module, inner.path, wrapper.node)
        found = values.get(param.name) if param is not None else None
        return found if isinstance(found, t.Expr) else None

    def ways(self, save: Save) -> tuple[Save, ...]:
        """A save, and what its wrapper does besides with the same value: `last.pt` always, `best.pt` too if asked."""
        known = self._ways.get(save)
        if known is None:
            known = self._ways[save] = (save, *self._other_ways(save))
        return known

    def _other_ways(self, save: Save) -> Iterator[Save]:
        wrapper, inner = save.wrapper, save.inner
        if wrapper is None or inner is None or not isinstance(wrapper.node, t.FunctionDef):
            return
        param = parameter_of(wrapper.module, inner.value, wrapper.node)
        for other in self.inside(wrapper):
            if other is not inner and parameter_of(wrapper.module, other.value, wrapper.node) is param:
                found = self._wrapper_call(save.module, save.call, wrapper, other)
                if found is not None:
                    yield found

    # -- where a save goes ------------------------------------------------------------------------------------------

    def in_memory(self, save: Save) -> bool:
        """Whether a save goes to a buffer in memory."""
        if save.path is None:
            return False
        return is_buffer(self.values, save.path_module, save.path) or (save.passed and self._given_buffers(save))

    def _given_buffers(self, save: Save) -> bool:
        """Whether every known caller of a save wrapper hands it a buffer as its path."""
        function = flow.function_of(save.call)
        if function is None or save.path is None or save.path_module is not save.module:
            return False
        param = parameter_of(save.module, save.path, function)
        sites = self.world.callers(Definition(save.module, function)) if param is not None else ()
        given = [
            bind(site.call, function, instance=is_method_call(site.call, function)).values.get(param.name) if param else None
            for site in sites
        ]
        return bool(given) and all(
            path is not None and is_buffer(self.values, site.module, path)
            for path, site in zip(given, sites, strict=True)
        )


def is_buffer(values: Values, module: ModuleFacts, expr: t.Expr) -> bool:
    """Whether an expression is an in-memory stream."""
    for origin in values.origins(module, expr):
        if isinstance(origin.node, t.Call) and set(origin.module.names.of(origin.node.func)) & apis.IN_MEMORY:
            return True
    return False
