"""Loads: every call that reads a checkpoint through torch, directly, through a wrapper or handed over as a callable."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ckpt_lint import apis
from ckpt_lint.facts.passing import literal_entries, parameter_of, read_arguments, settled_keys
from ckpt_lint.facts.reach import Wrappers, may_call
from ckpt_lint.facts.values import Values
from ckpt_lint.facts.world import Definition, World, bind, has_double_star, is_method_call
from ckpt_lint.source import flow
from ckpt_lint.source import tree as t
from ckpt_lint.source.module import ModuleFacts, last_name

FORWARDED = ("map_location", "weights_only", "pickle_module")
"""What a load wrapper may forward (the path alone makes none)."""

WRAPPER_DEPTH = 2
HANDOVERS = frozenset({"submit", "to_thread", "run_in_executor", "run_sync"})
"""Functions that call what they are given with the arguments that follow it."""

PACKED_HANDOVERS = frozenset({"apply", "apply_async", "Thread", "Process"})
"""Functions that call what they are given with a tuple of arguments and a dict of keywords."""

MAPPERS = frozenset({"map", "imap", "imap_unordered", "map_async"})
"""Functions that call what they are given with every item of what follows it."""


@dataclass(frozen=True, slots=True, eq=False)
class Load:
    """One load. `given` are its arguments by parameter name, wherever they were written.

    `open` says that a `**kwargs` may hold more. `wrapper` is the function through which `call` loads, `inner` the load
    in it. `inherited` names parameters that the call left to a default, and the parameter that has it; `forwards` the
    arguments that the function around the load takes from its callers: those are judged at their calls. `homes` are
    the modules of arguments that a wrapper in another module fills in, `unknown` those about which it has a say.
    """

    module: ModuleFacts
    call: t.Call
    api: str
    given: Mapping[str, t.Expr]
    open: bool = False
    wrapper: Definition | None = None
    inner: Load | None = None
    inherited: Mapping[str, t.Parameter] = field(default_factory=dict)
    forwards: frozenset[str] = frozenset()
    handed_over: bool = False
    homes: Mapping[str, ModuleFacts] = field(default_factory=dict)
    unknown: frozenset[str] = frozenset()

    @property
    def path(self) -> t.Expr | None:
        """The file, URL or stream that is read."""
        return self.given.get(_path_name(self.api))

    @property
    def path_module(self) -> ModuleFacts:
        """The module in which `path` is written."""
        return self.home(_path_name(self.api))

    def home(self, name: str) -> ModuleFacts:
        """The module in which an argument is written."""
        return self.homes.get(name, self.module)

    def constant(self, name: str) -> t.Constant | None:
        """The literal that an argument is, None where it is absent, unknown or computed."""
        return self.home(name).constant(self.given.get(name))

    def has(self, name: str) -> bool:
        """Whether an argument is given, or may be (in a `**kwargs`, or by a caller of the function around).

        None is what all of torch's loaders take for an argument that is not there.
        """
        constant = self.constant(name)
        if constant is not None:
            return constant.value is not None
        return name in self.given or self.open or name in self.forwards or name in self.unknown

    def value(self, name: str) -> t.Expr | None:
        """The argument as it is written, None where it is absent or unknown."""
        return self.given.get(name)

    @property
    def innermost(self) -> Load:
        """The load that torch sees."""
        return self.inner.innermost if self.inner is not None else self


class Loads:
    """The loads of a world's modules."""

    def __init__(self, world: World, values: Values) -> None:
        self.world = world
        self.values = values
        self._direct: dict[ModuleFacts, tuple[Load, ...]] = {}
        self._wrapped: dict[ModuleFacts, tuple[Load, ...]] = {}
        self._inside: dict[t.Node, tuple[Load, ...]] = {}
        self._callable: dict[ModuleFacts, frozenset[str]] = {}
        self._binding: dict[ModuleFacts, bool] = {}
        self.wrappers = Wrappers(world, "load", self.wrapping)

    def of(self, module: ModuleFacts) -> tuple[Load, ...]:
        """All loads of a module: those it makes itself, and its calls of load wrappers."""
        return self.direct(module) + self.wrapped(module)

    def direct(self, module: ModuleFacts) -> tuple[Load, ...]:
        """The calls of torch's loaders in a module."""
        known = self._direct.get(module)
        if known is None:
            known = self._direct[module] = tuple(self._find(module))
        return known

    def wrapped(self, module: ModuleFacts) -> tuple[Load, ...]:
        """The calls of load wrappers in a module."""
        known = self._wrapped.get(module)
        if known is None:
            self._wrapped[module] = ()
            known = self._wrapped[module] = tuple(self._find_wrapped(module))
        return known

    # -- direct loads -----------------------------------------------------------------------------------------------

    def loader(self, module: ModuleFacts, func: t.Expr) -> str | None:
        """The loader that an expression stands for."""
        for name in module.names.of(func):
            if name in apis.LOADERS:
                return name
            if name in self.world.api.loaders or name.lstrip(":.") in self.world.api.loaders:
                return apis.TORCH_LOAD
        return None

    def _find(self, module: ModuleFacts) -> Iterator[Load]:
        for call in module.calls:
            api = self.loader(module, call.func)
            if api is not None:
                yield self._load(module, call, api, call.args)
                continue
            partial = self._partial(module, call.func)
            if partial is not None:
                api, earlier = partial
                yield self._load(module, call, api, (*earlier, *call.args))
                continue
            handed = self._handed_over(module, call)
            if handed is not None:
                yield handed

    def _partial(self, module: ModuleFacts, func: t.Expr) -> tuple[str, Sequence[t.Argument]] | None:
        """The loader behind `functools.partial(torch.load, ...)`, under a name or not, with the arguments bound so far.

        `staticmethod(torch.load)` and joblib's `delayed(torch.load)` bind none.
        """
        if not isinstance(func, (t.Name, t.Attribute, t.Call)) or not self._binds(module):
            return None
        for origin in self.values.origins(module, func):
            node = origin.node
            if isinstance(node, t.Call) and node.args and origin.module.names.is_a(node.func, *_BINDERS):
                api = self.loader(origin.module, node.args[0].value)
                if api is not None:
                    return api, node.args[1:]
        return None

    def _binds(self, module: ModuleFacts) -> bool:
        """Whether anything in a module binds arguments in advance."""
        known = self._binding.get(module)
        if known is None:
            known = self._binding[module] = any(c.args and module.names.is_a(c.func, *_BINDERS) for c in module.calls)
        return known

    def _handed_over(self, module: ModuleFacts, call: t.Call) -> Load | None:
        name = last_name(call.func)
        if name not in _TAKERS:
            return None
        for index, arg in enumerate(call.args):
            if arg.star or arg.keyword not in (None, "func", "target", "fn"):
                continue
            api: str | None = self.loader(module, arg.value)
            bound: Sequence[t.Argument] = ()
            if api is None:
                api, bound = self._partial(module, arg.value) or (None, ())
            if api is not None:
                if name in PACKED_HANDOVERS:
                    return self._packed(module, call, api, bound, index)
                later = call.args[index + 1 :] if name in HANDOVERS else ()
                return dataclasses.replace(self._load(module, call, api, (*bound, *later)), handed_over=True)
        return None

    def _packed(
        self, module: ModuleFacts, call: t.Call, api: str, bound: Sequence[t.Argument], index: int
    ) -> Load:
        """`pool.apply_async(torch.load, (path,), {"map_location": "cpu"})`, `Thread(target=torch.load, args=(path,))`."""
        load = self._load(module, call, api, bound)
        given, is_open = dict(load.given), load.open
        for place, arg in enumerate(call.args):
            if arg.keyword in ("kwargs", "kwds") or (arg.keyword is None and place == index + 2):
                entries = literal_entries(module, arg.value)
                is_open = is_open or entries is None
                given.update(entries or {})
            elif arg.keyword == "args" or (arg.keyword is None and place == index + 1):
                is_open = is_open or not isinstance(arg.value, t.Sequence)
                items = arg.value.items if isinstance(arg.value, t.Sequence) else ()
                given.update(zip(apis.LOAD_PARAMETERS[api], items))
        return dataclasses.replace(load, given=given, open=is_open, handed_over=True)

    def _load(self, module: ModuleFacts, call: t.Call, api: str, args: Sequence[t.Argument]) -> Load:
        given, is_open, doubles = read_arguments(module, args, apis.LOAD_PARAMETERS[api])
        function = flow.function_of(call)
        forwards = self._forwards(module, function, given, doubles) if function is not None else frozenset()
        return Load(module, call, api, given, is_open, forwards=forwards)

    def _forwards(
        self,
        module: ModuleFacts,
        function: t.FunctionDef,
        given: Mapping[str, t.Expr],
        doubles: Sequence[t.Expr],
        elsewhere: Collection[str] = (),
    ) -> frozenset[str]:
        """What the function around a load leaves to its callers: a parameter itself, or everything by `**kwargs`.

        Arguments `elsewhere` were given inside a wrapper or by its defaults, perhaps in another file: they are settled.
        """
        here = [name for name in FORWARDED if name in given and name not in elsewhere]
        out = {name for name in here if parameter_of(module, given[name], function)}
        for value in doubles:
            param = parameter_of(module, value, function)
            if param is not None and param.kind == "double-star":
                out.update(name for name in FORWARDED if name not in given)
        return frozenset(out)

    # -- wrappers ---------------------------------------------------------------------------------------------------

    def inside(self, definition: Definition, depth: int = WRAPPER_DEPTH) -> tuple[Load, ...]:
        """The loads in a function by which it is a load wrapper; () where it is none."""
        node = definition.node
        if not isinstance(node, t.FunctionDef):
            return ()
        known = self._inside.get(node)
        if known is None:
            self._inside[node] = ()
            loads = [ld for ld in self.direct(definition.module) if flow.function_of(ld.call) is node and ld.forwards]
            if not loads and depth > 1:
                loads = [ld for ld in self._calls_in(definition, depth - 1) if ld.forwards]
            known = self._inside[node] = tuple(loads)
        return known

    def _calls_in(self, definition: Definition, depth: int) -> Iterator[Load]:
        node = definition.node
        for call in definition.module.calls:
            if node.start <= call.start < node.end and flow.function_of(call) is node:
                yield from self._through(definition.module, call, depth)

    def _find_wrapped(self, module: ModuleFacts) -> Iterator[Load]:
        for call in module.calls:
            yield from self._through(module, call, WRAPPER_DEPTH)

    def callable_names(self, module: ModuleFacts) -> frozenset[str]:
        """The names under which a module may call load wrappers."""
        known = self._callable.get(module)
        if known is None:
            known = self._callable[module] = self.wrappers.callable_names(module)
        return known

    def wrapping(self, module: ModuleFacts) -> frozenset[str]:
        """The names of a module's functions that are load wrappers by themselves."""
        return frozenset(f.name for ld in self.direct(module) if ld.forwards and (f := flow.function_of(ld.call)) is not None)

    def _through(self, module: ModuleFacts, call: t.Call, depth: int) -> Iterator[Load]:
        if not may_call(call, self.callable_names(module)):
            return
        if self.loader(module, call.func) is not None:
            return
        for found in self.world.callees(module, call):
            if not isinstance(found.node, t.FunctionDef) or flow.function_of(call) is found.node:
                continue
            for inner in self.inside(found, depth):
                yield self._wrapper_call(module, call, found, inner)

    def _wrapper_call(self, module: ModuleFacts, call: t.Call, wrapper: Definition, inner: Load) -> Load:
        function = wrapper.node
        assert isinstance(function, t.FunctionDef)
        bound = bind(call, function, instance=is_method_call(call, function))
        given: dict[str, t.Expr] = {}
        homes: dict[str, ModuleFacts] = {}
        inherited: dict[str, t.Parameter] = {}
        is_open = has_double_star(call) or bound.open
        extra = {arg.keyword: arg.value for arg in call.args if arg.keyword is not None}
        for name, value in inner.given.items():
            param = parameter_of(inner.home(name), value, function)
            if param is None:
                given[name], homes[name] = value, inner.home(name)
            elif param.name in bound.values:
                given[name] = bound.values[param.name]
            elif param.default is not None and not bound.open:
                inherited[name] = param
                given[name], homes[name] = param.default, wrapper.module
        for name in inner.forwards:
            if name not in inner.given and name in extra:
                given[name] = extra[name]
        for name, value in _passed_by_star(call, function, inner).items():
            given.setdefault(name, value)
        forwards = self._outer_forwards(module, call, given, homes)
        return Load(
            module, call, inner.api, given, is_open, wrapper, inner, inherited, forwards, inner.handed_over, homes,
            (inner.unknown | settled_keys(inner.module, inner.call)) - set(extra),
        )  # fmt: skip

    def _outer_forwards(
        self, module: ModuleFacts, call: t.Call, given: Mapping[str, t.Expr], elsewhere: Collection[str]
    ) -> frozenset[str]:
        function = flow.function_of(call)
        if function is None:
            return frozenset()
        doubles = [arg.value for arg in call.args if arg.star == "**"]
        return self._forwards(module, function, given, doubles, elsewhere)

    def forwarded_parameter(self, wrapper: Definition, inner: Load, name: str) -> t.Parameter | None:
        """The parameter of a load wrapper that becomes the argument `name` of the load in it."""
        if not isinstance(wrapper.node, t.FunctionDef) or name not in inner.given:
            return None
        return parameter_of(inner.home(name), inner.given[name], wrapper.node)

    def inheriting(self, wrapper: Definition, param: t.Parameter) -> tuple[Load, ...]:
        """The calls of a load wrapper, in the whole project, that leave a parameter to its default."""
        found: list[Load] = []
        for site in self.world.callers(wrapper):
            found.extend(ld for ld in self.wrapped(site.module) if ld.call is site.call and param in ld.inherited.values())
        return tuple(found)


_BINDERS = ("functools.partial", "functools.partialmethod", "builtins.staticmethod", "joblib.delayed", "dask.delayed")
_TAKERS = HANDOVERS | PACKED_HANDOVERS | MAPPERS


def _path_name(api: str) -> str:
    return "url" if api == apis.HUB_LOAD else "f"


def _passed_by_star(call: t.Call, function: t.FunctionDef, inner: Load) -> dict[str, t.Expr]:
    """What reaches the load in a wrapper through its `*args`, by the loader's parameters."""
    star = next((i for i, arg in enumerate(inner.call.args) if arg.star == "*"), None)
    if star is None or inner.inner is not None:
        return {}
    param = parameter_of(inner.module, inner.call.args[star].value, function)
    if param is None or param.kind != "star":
        return {}
    plain = [p for p in function.params if p.kind == "positional"]
    skipped = len(plain) - is_method_call(call, function)
    values = [arg.value for arg in call.args if arg.keyword is None and not arg.star][skipped:]
    return dict(zip(apis.LOAD_PARAMETERS[inner.api][star:], values))
