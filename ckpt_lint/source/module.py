"""The facts of one module: its syntax, scopes and names, and indexes over them. Built once, then only read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TypeVar

from ckpt_lint.source import flow
from ckpt_lint.source import tree as t
from ckpt_lint.source.names import Names, path_key
from ckpt_lint.source.scopes import Binding, Scopes

N = TypeVar("N", bound=t.Node)
Variable = tuple[int, str]
"""A variable of a module: the pre-order index of the scope (a class for `self.x`) that holds it, and its path."""


class ModuleFacts:
    """One module of a file. `path` is absolute; `name` is "" for the file's own module (see `Part.module`)."""

    def __init__(self, path: str, root: t.Module, *, name: str = "", parsed: int = 0) -> None:
        self.path = path
        self.name = name
        self.root = root
        self.parsed = parsed
        self.nodes = t.link(root)
        self.scopes = Scopes(self.nodes)
        self.names = Names(self.nodes, self.scopes)

    def let_go(self) -> None:
        """Untie all that names one another, so that it is freed at once. Nothing of a module may be used afterwards."""
        t.unlink(self.nodes)
        self.scopes.let_go()
        vars(self).clear()

    @cached_property
    def _by_kind(self) -> Mapping[type[t.Node], list[t.Node]]:
        out: dict[type[t.Node], list[t.Node]] = {}
        for node in self.nodes:
            out.setdefault(type(node), []).append(node)
        return out

    def all(self, kind: type[N]) -> Sequence[N]:
        """Every node of one kind, in pre-order."""
        return self._by_kind.get(kind, [])  # type: ignore[return-value]

    @cached_property
    def calls(self) -> Sequence[t.Call]:
        """Every call, in source order."""
        return tuple(sorted(self.all(t.Call), key=lambda n: (n.start, -n.end)))

    @property
    def functions(self) -> Sequence[t.FunctionDef]:
        """Every function and method, in source order."""
        return self.all(t.FunctionDef)

    @property
    def classes(self) -> Sequence[t.ClassDef]:
        """Every class, in source order."""
        return self.all(t.ClassDef)

    @cached_property
    def definitions(self) -> Mapping[str, t.FunctionDef | t.ClassDef]:
        """Functions and classes by qualified name; of two with one name the later."""
        from ckpt_lint.source.names import qualified

        found: list[t.FunctionDef | t.ClassDef] = [*self.functions, *self.classes]
        return {qualified(n): n for n in sorted(found, key=lambda n: n.start)}

    @cached_property
    def calls_by_name(self) -> Mapping[str, Sequence[t.Call]]:
        """Calls by the last name of what is called: "save" for `torch.save(...)`."""
        out: dict[str, list[t.Call]] = {}
        for call in self.calls:
            out.setdefault(last_name(call.func), []).append(call)
        return out

    @cached_property
    def keywords(self) -> frozenset[str]:
        """All keyword arguments, attributes and names that occur: a quick test before a slow one."""
        out = {node.attr for node in self.all(t.Attribute)}
        out.update(node.id for node in self.all(t.Name))
        out.update(node.keyword for node in self.all(t.Argument) if node.keyword)
        return frozenset(out)

    def variable(self, expr: t.Node) -> Variable | None:
        """The variable that a name, `self.x` or `a.b` denotes; None for other expressions."""
        key = path_key(expr)
        if not key:
            return None
        root: t.Node = expr
        below: t.Node = expr
        while isinstance(root, (t.Attribute, t.Subscript)):
            below, root = root, root.value
        if isinstance(below, t.Attribute) and self.names.is_self(root):
            holder = flow.class_of(root)
            if holder is not None:
                return holder.index, "self" + key[key.index(".") :]
        assert isinstance(root, t.Name)
        scope = self.names.scope_of(root)
        return (scope.node.index if scope is not None else 0), key

    @cached_property
    def occurrences(self) -> Mapping[Variable, Sequence[t.Expr]]:
        """Every place that names a variable, in source order."""
        out: dict[Variable, list[t.Expr]] = {}
        for node in (*self.all(t.Name), *self.all(t.Attribute), *self.all(t.Subscript)):
            variable = self.variable(node)
            if variable is not None:
                out.setdefault(variable, []).append(node)
        for places in out.values():
            places.sort(key=lambda n: n.start)
        return out

    def uses(self, expr: t.Node) -> Sequence[t.Expr]:
        """Every place in the module that names the same variable as `expr`, bindings included, in source order."""
        variable = self.variable(expr)
        if variable is None:
            return ()
        known = self._uses.get(variable)
        if known is None:
            path = variable[1]
            tail = path.partition(".")[2]
            # of `self.x` whatever ends so: the first parameter of a method may have any name
            alike = self._by_tail.get(tail, ()) if path.startswith("self.") else self._by_path.get(path, ())
            known = self._uses[variable] = tuple(place for place in alike if self.variable(place) == variable)
        return known

    @cached_property
    def _uses(self) -> dict[Variable, Sequence[t.Expr]]:
        return {}

    @cached_property
    def _by_path(self) -> Mapping[str, Sequence[t.Expr]]:
        """Names, attributes and subscripts by how they are spelt, each in source order."""
        out: dict[str, list[t.Expr]] = {}
        for node in (*self.all(t.Name), *self.all(t.Attribute), *self.all(t.Subscript)):
            out.setdefault(path_key(node), []).append(node)
        out.pop("", None)
        for places in out.values():
            places.sort(key=lambda n: n.start)
        return out

    @cached_property
    def _by_tail(self) -> Mapping[str, Sequence[t.Expr]]:
        """Attributes and what follows them by the path behind the first name, each in source order."""
        out: dict[str, list[t.Expr]] = {}
        for path, places in self._by_path.items():
            head, dot, tail = path.partition(".")
            if dot and "[" not in head:
                out.setdefault(tail, []).extend(places)
        for several in out.values():
            several.sort(key=lambda n: n.start)
        return out

    def once_bound(self, name: t.Expr) -> Binding | None:
        """The only binding of a name in its whole scope, None where there are more or none."""
        if not isinstance(name, t.Name):
            return None
        scope = self.names.scope_of(name)
        bindings = scope.bindings.get(name.id, []) if scope is not None else []
        return bindings[0] if len(bindings) == 1 else None

    def constant(self, expr: t.Node | None) -> t.Constant | None:
        """The literal that an expression is, or that the name it is was bound to, once."""
        if isinstance(expr, t.Constant):
            return expr
        if isinstance(expr, t.Name):
            binding = self.once_bound(expr)
            if binding is not None and binding.how == "assign" and isinstance(binding.value, t.Constant):
                return binding.value
        return None

    def string(self, expr: t.Node | None) -> str | None:
        """The constant string that an expression is."""
        found = self.constant(expr)
        return found.value if found is not None and isinstance(found.value, str) else None


def last_name(func: t.Node) -> str:
    """The last name of what is called, "" for a call of something nameless."""
    if isinstance(func, t.Attribute):
        return func.attr
    return func.id if isinstance(func, t.Name) else ""


def bound_target(node: t.Expr) -> bool:
    """Whether a name, attribute or subscript is being bound or deleted here, not read."""
    current: t.Node = node
    while isinstance(current.parent, (t.Sequence, t.Starred)) and current.role in ("items", "value"):
        current = current.parent
    parent, role = current.parent, current.role
    if isinstance(parent, (t.Assign, t.Delete)):
        return role == "targets"
    return isinstance(parent, (t.AnnAssign, t.For, t.WithItem, t.Generator, t.NamedExpr)) and role == "target"
