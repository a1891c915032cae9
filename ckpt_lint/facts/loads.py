"""Loads: every call that reads a checkpoint through torch, directly, through a wrapper or handed over as a callable."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ckpt_lint import apis
from ckpt_lint.facts.values import Values
from ckpt_lint.facts.world import Definition, World, bind, has_double_star, is_method_call
from ckpt_lint.source import flow
from ckpt_lint.source import tree as t
from ckpt_lint.source.module import ModuleFacts, last_name

FORWARDED = ("map_location", "weights_only", "pickle_module")
"""What a load wrapper may forward (the path alone makes none)."""

WRAPPER_DEPTH = 2
HANDOVERS = frozenset({"submit", "to_thread", "run_in_executor", "run_sync", "apply", "apply_async", "delayed"})


@dataclass(frozen=True, slots=True, eq=False)
class Load:
    """One load. `given` are its arguments by parameter name, wherever they were written.

    `open` says that a `**kwargs` may hold more. `wrapper` is the function through which `call` loads, `inner` the load
    in it. `inherited` names parameters that the call left to a default, and the parameter that has it; `forwards` the
    arguments that the function around the load takes from its callers: those are judged at their calls.
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

    @property
    def path(self) -> t.Expr | None:
        """The file, URL or stream that is read."""
        return self.given.get("url" if self.api == apis.HUB_LOAD else "f")

    def has(self, name: str) -> bool:
        """Whether an argument is given, or may be (in a `**kwargs`, or by a caller of the function around)."""
        return name in self.given or self.open or name in self.forwards

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
            yield from self._handed_over(module, call)

    def _partial(self, module: ModuleFacts, func: t.Expr) -> tuple[str, Sequence[t.Argument]] | None:
        """The loader behind a name bound to `functools.partial(torch.load, ...)`, with the arguments bound so far."""
        if not isinstance(func, (t.Name, t.Attribute, t.Call)):
            return None
        for origin in self.values.origins(module, func):
            node = origin.node
            if isinstance(node, t.Call) and node.args and origin.module.names.is_a(node.func, "functools.partial"):
                api = self.loader(origin.module, node.args[0].value)
                if api is not None:
                    return api, node.args[1:]
        return None

    def _handed_over(self, module: ModuleFacts, call: t.Call) -> Iterator[Load]:
        if last_name(call.func) not in HANDOVERS:
            return
        for index, arg in enumerate(call.args):
            api = self.loader(module, arg.value) if arg.keyword is None and not arg.star else None
            if api is not None:
                load = self._load(module, call, api, call.args[index + 1 :])
                yield Load(load.module, load.call, api, load.given, load.open, forwards=load.forwards, handed_over=True)
                return

    def _load(self, module: ModuleFacts, call: t.Call, api: str, args: Sequence[t.Argument]) -> Load:
        given, is_open, doubles = read_arguments(module, args, apis.LOAD_PARAMETERS[api])
        if api == apis.ULTRALYTICS_LOAD:
            pass  # its own default is weights_only=False: rules ask `api`
        function = flow.function_of(call)
        forwards = self._forwards(module, function, given, doubles) if function is not None else frozenset()
        return Load(module, call, api, given, is_open, forwards=forwards)

    def _forwards(
        self, module: ModuleFacts, function: t.FunctionDef, given: Mapping[str, t.Expr], doubles: Sequence[t.Expr]
    ) -> frozenset[str]:
        """What the function around a load leaves to its callers: a parameter itself, or everything by `**kwargs`."""
        out = {name for name in FORWARDED if name in given and parameter_of(module, given[name], function)}
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

    def _through(self, module: ModuleFacts, call: t.Call, depth: int) -> Iterator[Load]:
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
        inherited: dict[str, t.Parameter] = {}
        is_open = has_double_star(call) or bound.open
        extra = {arg.keyword: arg.value for arg in call.args if arg.keyword is not None}
        for name, value in inner.given.items():
            param = parameter_of(wrapper.module, value, function)
            if param is None:
                given[name] = value
            elif param.name in bound.values:
                given[name] = bound.values[param.name]
            elif param.default is not None and not bound.open:
                inherited[name] = param
                if not (isinstance(param.default, t.Constant) and param.default.value is None):
                    given[name] = param.default
        if inner.forwards and not inner.open:
            pass
        for name in inner.forwards:
            if name not in inner.given and name in extra:
                given[name] = extra[name]
        forwards = self._outer_forwards(module, call, given)
        return Load(module, call, inner.api, given, is_open, wrapper, inner, inherited, forwards)

    def _outer_forwards(self, module: ModuleFacts, call: t.Call, given: Mapping[str, t.Expr]) -> frozenset[str]:
        function = flow.function_of(call)
        if function is None:
            return frozenset()
        doubles = [arg.value for arg in call.args if arg.star == "**"]
        return self._forwards(module, function, given, doubles)


def parameter_of(module: ModuleFacts, expr: t.Expr, function: t.FunctionDef) -> t.Parameter | None:
    """The parameter of `function` that an expression is, passed on as it came in (not rebound on the way)."""
    if isinstance(expr, t.Starred):
        expr = expr.value
    if not isinstance(expr, t.Name):
        return None
    for binding in module.names.bindings(expr):
        if isinstance(binding.node, t.Parameter) and binding.node.parent is function:
            return binding.node
    return None


def read_arguments(
    module: ModuleFacts, args: Sequence[t.Argument], parameters: Sequence[str]
) -> tuple[dict[str, t.Expr], bool, list[t.Expr]]:
    """Arguments by parameter, whether unknown ones may follow, and the values unpacked by `**`.

    A `**name` whose only binding is a dict literal (or `dict(...)`) with constant keys is read.
    """
    given: dict[str, t.Expr] = {}
    doubles: list[t.Expr] = []
    is_open = False
    position = 0
    for arg in args:
        if arg.star == "**":
            entries = literal_entries(module, arg.value)
            if entries is None:
                is_open = True
                doubles.append(arg.value)
            else:
                given.update(entries)
        elif arg.star == "*":
            is_open = True
            position = len(parameters)
        elif arg.keyword is not None:
            given[arg.keyword] = arg.value
        elif position < len(parameters):
            given[parameters[position]] = arg.value
            position += 1
    return given, is_open, doubles


def literal_entries(module: ModuleFacts, expr: t.Expr) -> dict[str, t.Expr] | None:
    """The entries of a dict literal, or of a name bound to one once and not changed; None where unknown."""
    if isinstance(expr, t.Name):
        binding = module.once_bound(expr)
        if binding is None or binding.how != "assign" or binding.value is None or _changed(module, expr):
            return None
        expr = binding.value
    if isinstance(expr, t.Dict):
        out: dict[str, t.Expr] = {}
        for key, value in zip(expr.keys, expr.values, strict=True):
            name = module.string(key)
            if name is None:
                return None
            out[name] = value
        return out
    if isinstance(expr, t.Call) and module.names.is_a(expr.func, "builtins.dict"):
        if all(arg.keyword is not None for arg in expr.args):
            return {arg.keyword or "": arg.value for arg in expr.args}
    return None


def _changed(module: ModuleFacts, name: t.Expr) -> bool:
    for place in module.uses(name):
        parent = place.parent
        if isinstance(parent, t.Subscript) and parent.parent.role == "targets":
            return True
        if isinstance(parent, t.Subscript) and isinstance(parent.parent, (t.Assign, t.AugAssign)) and parent.role != "value":
            return True
        if isinstance(parent, t.Attribute) and parent.attr in ("update", "pop", "setdefault", "clear"):
            return True
    return False
