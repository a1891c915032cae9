"""The modules of one project, read on demand, and the questions that cross files: definitions and callers.

Every answer is the same whether one file is judged or all of them: a question is answered from the whole project, and
what was read before only saves time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ckpt_lint import apis
from ckpt_lint.facts.files import Files, NoFiles
from ckpt_lint.project.imports import foreign
from ckpt_lint.settings import ApiNames
from ckpt_lint.source import flow
from ckpt_lint.source import tree as t
from ckpt_lint.source.module import ModuleFacts, last_name
from ckpt_lint.source.names import LOCAL, is_static

MAX_HOPS = 5
"""Re-exports and base classes that are followed."""

MAX_CALLERS = 25
"""Files that are asked for callers of one function, the first by name: what a whole library calls is judged by those."""


@dataclass(frozen=True, slots=True)
class Definition:
    """A function or class, and the module it stands in."""

    module: ModuleFacts
    node: t.FunctionDef | t.ClassDef


@dataclass(frozen=True, slots=True)
class CallSite:
    """A call, and the module it stands in."""

    module: ModuleFacts
    call: t.Call


class World:
    """All that is known of a project. `partial` says that the rest of the project could not be looked at."""

    def __init__(self, files: Files | None = None, *, api: ApiNames | None = None, partial: bool = False) -> None:
        self.files: Files = files or NoFiles()
        self.api = api or ApiNames()
        self._partial = partial
        self._modules: dict[str, Sequence[ModuleFacts]] = {}
        self._given: set[str] = set()
        self._callees: dict[t.Call, tuple[Definition, ...]] = {}
        self._callers: dict[t.FunctionDef, tuple[CallSite, ...]] = {}
        self.memo: dict[object, object] = {}

    @property
    def partial(self) -> bool:
        """Whether the rest of the project could not be looked at, or not all of it."""
        return self._partial or self.files.is_cut

    # -- modules ----------------------------------------------------------------------------------------------------

    def add(self, modules: Sequence[ModuleFacts]) -> None:
        """Take modules of one file that were read already."""
        if modules:
            self._modules[modules[0].path] = tuple(modules)
            self._given.add(modules[0].path)

    def is_given(self, path: str) -> bool:
        """Whether the modules of a file were given, and may not be those on disk."""
        return path in self._given

    def modules_of(self, path: str) -> Sequence[ModuleFacts]:
        """The modules of a file."""
        known = self._modules.get(path)
        if known is None:
            known = self._modules[path] = tuple(self.files.read(path))
        return known

    def imported(self, module: ModuleFacts, dotted: str) -> tuple[ModuleFacts, str] | None:
        """The project module in which a dotted name lies, and the rest of the name inside it."""
        located = self._located(module, dotted)
        if located is None:
            return None
        path, rest = located
        found = next((m for m in self.modules_of(path) if not m.name), None)
        return (found, rest) if found is not None else None

    def _located(self, module: ModuleFacts, dotted: str) -> tuple[str, str] | None:
        """The project file in which a dotted name lies, and the rest of the name inside it."""
        level = len(dotted) - len(dotted.lstrip("."))
        parts = dotted[level:].split(".") if dotted[level:] else []
        for size in range(len(parts), -1 if level else 0, -1):
            path = self._file(module, ".".join(parts[:size]), level)
            if path is not None:
                return path, ".".join(parts[size:])
        return None

    def _file(self, module: ModuleFacts, name: str, level: int) -> str | None:
        for other in self.modules_of(module.path):  # a `%%writefile` cell of the same notebook
            if other.name and not level and other.name.removesuffix(".py").replace("/", ".") == name:
                return other.path if other is not module else None
        return self.files.resolve(module.path, name, level)

    # -- definitions ------------------------------------------------------------------------------------------------

    def definitions(self, module: ModuleFacts, name: str, hops: int = MAX_HOPS) -> list[Definition]:
        """The functions or classes of the project that a dotted name of a module denotes."""
        if name.startswith(LOCAL):
            node = module.definitions.get(name[1:])
            if node is not None:
                return [Definition(module, node)]
            head, _, last = name[1:].rpartition(".")
            holder = module.definitions.get(head)
            return self.methods(Definition(module, holder), last) if isinstance(holder, t.ClassDef) else []
        found = self.imported(module, name) if hops and not _is_foreign(module, name) else None
        if found is None:
            return []
        target, rest = found
        return self._inside(target, rest, hops) if rest else []

    def _inside(self, target: ModuleFacts, rest: str, hops: int) -> list[Definition]:
        node = target.definitions.get(rest)
        if node is not None:
            return [Definition(target, node)]
        head, _, tail = rest.partition(".")
        out: list[Definition] = []
        for binding in target.scopes.module.bindings.get(head, []):
            for name in target.names.of_binding(binding):
                out.extend(self.definitions(target, f"{name}.{tail}" if tail else name, hops - 1))
        if not out and head not in target.scopes.module.bindings:
            for star in target.scopes.module.stars:
                out.extend(self._starred(target, star, rest, hops - 1))
        return out

    def _starred(self, target: ModuleFacts, star: t.ImportFrom, rest: str, hops: int) -> Iterator[Definition]:
        """What a dotted name means in the module of `from module import *`."""
        path = self.files.resolve(target.path, star.module, star.level)
        if path is None or not hops:
            return
        for file in self.files.starred(path, rest.partition(".")[0]):
            for module in self.modules_of(file):
                if not module.name and rest.partition(".")[0] in module.scopes.module.bindings:
                    yield from self._inside(module, rest, hops)

    def bases(self, definition: Definition) -> Iterator[str | Definition]:
        """What a class derives from, directly and further up: project classes as definitions, others as names."""
        seen: set[t.Node] = set()
        stack = [(definition, MAX_HOPS)]
        while stack:
            current, hops = stack.pop()
            if current.node in seen or not isinstance(current.node, t.ClassDef) or not hops:
                continue
            seen.add(current.node)
            for base in current.node.bases:
                if base.keyword is not None:
                    continue
                for name in current.module.names.of(base.value):
                    known = self.definitions(current.module, name)
                    for found in known:
                        yield found
                        stack.append((found, hops - 1))
                    if not known:
                        yield name.removeprefix(LOCAL)

    def methods(self, holder: Definition, name: str) -> list[Definition]:
        """The method `name` of a class, its own or the nearest inherited one."""
        for candidate in [holder, *(base for base in self.bases(holder) if isinstance(base, Definition))]:
            if isinstance(candidate.node, t.ClassDef):
                for node in candidate.node.body:
                    if isinstance(node, t.FunctionDef) and node.name == name:
                        return [Definition(candidate.module, node)]
        return []

    def class_kind(self, definition: Definition) -> str | None:
        """MODULE, OPTIMIZER or SCHEDULER where a class derives from torch's, else None."""
        for base in self.bases(definition):
            if isinstance(base, str):
                if base in apis.MODULE_BASES:
                    return apis.MODULE
                if base in apis.OPTIMIZER_BASES:
                    return apis.OPTIMIZER
                if base in apis.SCHEDULER_BASES:
                    return apis.SCHEDULER
                kind = apis.constructs(base)
                if kind is not None:
                    return kind
        return None

    # -- calls ------------------------------------------------------------------------------------------------------

    def callees(self, module: ModuleFacts, call: t.Call) -> tuple[Definition, ...]:
        """The project functions (or classes) that a call may run."""
        known = self._callees.get(call)
        if known is None:
            self._callees[call] = ()
            known = self._callees[call] = tuple(self._find_callees(module, call))
        return known

    def callees_where(self, module: ModuleFacts, call: t.Call, may: Callable[[str, str], bool]) -> tuple[Definition, ...]:
        """The same, but for functions that are of no interest, as `may` tells of a file and a name in it.

        It is asked of files that are not read, and that define the name themselves: of others more has to be known.
        """
        if call not in self._callees:
            names = module.names.of(call.func)
            if names and all(self._is_passed_over(module, name, may) for name in names):
                return ()
        return self.callees(module, call)

    def _is_passed_over(self, module: ModuleFacts, name: str, may: Callable[[str, str], bool]) -> bool:
        if name.startswith(LOCAL) or _is_foreign(module, name):
            return False
        path, rest = self._located(module, name) or ("", "")
        if not path or path in self._modules or rest not in self.files.defined_in(path):
            return False
        return not may(path, rest)

    def _find_callees(self, module: ModuleFacts, call: t.Call) -> Iterator[Definition]:
        func = call.func
        named = False
        for name in module.names.of(func):
            for found in self.definitions(module, name):
                named = True
                yield found
        if named:
            return
        if isinstance(func, t.Attribute):
            for holder in self.classes_of(module, func.value):
                yield from self.methods(holder, func.attr)
        elif isinstance(func, (t.Name, t.Call)):
            for holder in self.classes_of(module, func):
                yield from self.methods(holder, "__call__")

    def classes_of(self, module: ModuleFacts, expr: t.Expr, hops: int = 3) -> list[Definition]:
        """The project classes that the value of an expression may be an instance of."""
        if isinstance(expr, t.Name) and module.names.is_self(expr):
            holder = flow.class_of(expr)
            return [Definition(module, holder)] if holder is not None else []
        if isinstance(expr, t.Call):
            if module.names.is_a(expr.func, "builtins.super"):
                holder = flow.class_of(expr)
                own = Definition(module, holder) if holder is not None else None
                return [b for b in self.bases(own) if isinstance(b, Definition)] if own else []
            if isinstance(expr.func, t.Attribute) and expr.func.attr in _GIVE_SELF:
                return self.classes_of(module, expr.func.value, hops)
            return list(self._classes_made(module, expr, hops))
        if not hops or not isinstance(expr, (t.Name, t.Attribute)):
            return []
        return self._classes_bound(module, expr, hops)

    def _classes_made(self, module: ModuleFacts, call: t.Call, hops: int) -> Iterator[Definition]:
        """The class that a call constructs, or that of its own file which a function of the project gives back."""
        for name in module.names.of(call.func):
            for found in self.definitions(module, name):
                if isinstance(found.node, t.ClassDef):
                    yield found
                elif hops and flow.class_of(found.node) is None:  # `source.slices` keeps such functions, not methods
                    for value in flow.returned_values(found.node):
                        made = self.classes_of(found.module, value, hops - 1)
                        yield from (one for one in made if one.module is found.module)

    def _classes_bound(self, module: ModuleFacts, expr: t.Expr, hops: int) -> list[Definition]:
        out: list[Definition] = []
        for binding in module.names.bindings(expr):
            if binding.how == "assign" and binding.value is not None and binding.value is not expr:
                out.extend(self.classes_of(module, binding.value, hops - 1))
            elif binding.how == "unpack" and len(binding.at) == 1 and isinstance(binding.value, t.Sequence):
                given = binding.value.items
                if 0 <= binding.at[0] < len(given):
                    out.extend(self.classes_of(module, given[binding.at[0]], hops - 1))
            elif isinstance(binding.node, t.Parameter) and binding.node.annotation is not None:
                names = module.names.of(binding.node.annotation)
                found = [d for name in names for d in self.definitions(module, name)]
                out.extend(d for d in found if isinstance(d.node, t.ClassDef))
        return list({d.node: d for d in out}.values())

    def callers(self, definition: Definition) -> tuple[CallSite, ...]:
        """Every call in the project that may run a function; a method that overrides is not told from its base."""
        node = definition.node
        if not isinstance(node, t.FunctionDef):
            return ()
        known = self._callers.get(node)
        if known is None:
            self._callers[node] = ()
            known = self._callers[node] = tuple(self._find_callers(definition))
        return known

    def _find_callers(self, definition: Definition) -> Iterator[CallSite]:
        node = definition.node
        holder = node.parent if isinstance(node.parent, t.ClassDef) else None
        word = holder.name if holder is not None and node.name in ("__init__", "__call__") else node.name
        modules = list(self.modules_of(definition.module.path)) or [definition.module]
        for path in self.files.users(word, definition.module.path)[:MAX_CALLERS]:
            modules.extend(self.modules_of(path))
        for module in modules:
            calls = module.calls if node.name in ("__init__", "__call__") else module.calls_by_name.get(node.name, ())
            for call in [*calls, *self._renamed(module, node.name)]:
                if any(self.runs(found, node) for found in self.callees(module, call)):
                    yield CallSite(module, call)

    def _renamed(self, module: ModuleFacts, name: str) -> list[t.Call]:
        """Calls of `name` under another name: `from m import name as other`."""
        others = [
            alias.asname
            for node in module.nodes
            if isinstance(node, t.ImportFrom)
            for alias in node.names
            if alias.name == name and alias.asname and alias.asname != name
        ]
        return [call for other in others for call in module.calls_by_name.get(other, ())]

    def runs(self, found: Definition, node: t.FunctionDef | t.ClassDef) -> bool:
        """Whether calling a definition runs a function: itself, or as the constructor of its class."""
        if found.node is node:
            return True
        return (
            isinstance(found.node, t.ClassDef)
            and isinstance(node, t.FunctionDef)
            and node.name == "__init__"
            and any(m.node is node for m in self.methods(found, "__init__"))
        )


_GIVE_SELF = frozenset({"to", "cuda", "cpu", "train", "eval", "float", "half", "double"})
"""Methods of a module that give the module back."""


def _is_foreign(module: ModuleFacts, name: str) -> bool:
    return not name.startswith(".") and foreign(name, module.path)


@dataclass(frozen=True, slots=True)
class Bound:
    """A call's arguments by parameter. `open` says that `*args` or `**kwargs` may fill parameters not named here."""

    values: Mapping[str, t.Expr]
    rest: tuple[t.Expr, ...]
    open: bool


def bind(call: t.Call, function: t.FunctionDef, *, instance: bool) -> Bound:
    """Match arguments to parameters; `instance` says that the first parameter is filled by the receiver."""
    plain = [p.name for p in function.params if p.kind == "positional"]
    if instance and plain and not is_static(function):
        plain = plain[1:]
    known = {p.name for p in function.params if p.kind in ("positional", "keyword")}
    values: dict[str, t.Expr] = {}
    rest: list[t.Expr] = []
    is_open = False
    position = 0
    for argument in call.args:
        if argument.star:
            is_open = True
        elif argument.keyword is not None:
            (values.__setitem__(argument.keyword, argument.value) if argument.keyword in known else rest.append(argument.value))
        elif position < len(plain):
            values[plain[position]] = argument.value
            position += 1
        else:
            rest.append(argument.value)
    return Bound(values, tuple(rest), is_open)


def is_method_call(call: t.Call, function: t.FunctionDef) -> bool:
    """Whether the receiver of a call fills the first parameter of a method."""
    if not isinstance(function.parent, t.ClassDef):
        return False
    if function.name in ("__init__", "__call__"):
        return True
    return isinstance(call.func, t.Attribute) and last_name(call.func.value) != function.parent.name


def argument(call: t.Call, position: int | None, keyword: str | None) -> t.Argument | None:
    """The argument at a position (from 0) or with a keyword; None where it is absent or hidden behind `*args`."""
    index = 0
    for arg in call.args:
        if arg.keyword is not None:
            if arg.keyword == keyword:
                return arg
        elif arg.star == "*":
            index = 1 << 30
        elif not arg.star:
            if index == position:
                return arg
            index += 1
    return None


def has_double_star(call: t.Call) -> bool:
    """Whether a call takes `**kwargs`."""
    return any(arg.star == "**" for arg in call.args)
