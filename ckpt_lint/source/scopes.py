"""Scopes and bindings: which name is bound where, and by what. Python's own rules, nothing about torch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from ckpt_lint.source import tree as t

SCOPE_NODES = (t.Module, t.FunctionDef, t.Lambda, t.ClassDef, t.Comprehension)


@dataclass(slots=True, eq=False)
class Binding:
    """One place that binds a name.

    `how` is one of: assign, unpack, item (of a loop or comprehension), param, import, def, class, with, except, augment,
    match, delete. `value` is what the name is bound to (for `unpack` and `item` the whole of which it is a part, at
    the index path `at`); `node` is the target, the parameter, the alias or the definition.
    """

    name: str
    how: str
    node: t.Node
    value: t.Expr | None
    at: tuple[int, ...]
    scope: Scope

    @property
    def start(self) -> int:
        """Where the binding stands."""
        return self.node.start


@dataclass(slots=True, eq=False)
class Scope:
    """A module, class, function, lambda or comprehension, and the names bound in it."""

    node: t.Node
    parent: Scope | None
    bindings: dict[str, list[Binding]] = field(default_factory=dict)
    declared: dict[str, str] = field(default_factory=dict)
    stars: list[t.ImportFrom] = field(default_factory=list)

    @property
    def function(self) -> t.FunctionDef | None:
        """The function whose body this is, itself or around a lambda or comprehension."""
        scope: Scope | None = self
        while scope is not None:
            if isinstance(scope.node, t.FunctionDef):
                return scope.node
            if isinstance(scope.node, (t.Module, t.ClassDef)):
                return None
            scope = scope.parent
        return None


class Scopes:
    """The scopes of one linked module. `of` gives the scope in which a node is evaluated."""

    def __init__(self, nodes: tuple[t.Node, ...]) -> None:
        root = nodes[0]
        self.module = Scope(root, None)
        self._own: dict[t.Node, Scope] = {root: self.module}
        self._scopes: list[Scope] = [self.module]
        binding: list[t.Node] = []
        for node in nodes[1:]:  # pre-order: a parent's scope is known before its children's
            parent = node.parent
            opened = self._own.get(parent) if node.role not in _OUTSIDE else None
            scope = opened if opened is not None else self._scopes[parent.index]
            self._scopes.append(scope)
            kind = type(node)
            if kind in _OPENING:
                self._own[node] = Scope(node, scope)
            if kind in _BINDING:
                binding.append(node)
            elif kind is t.Declare:
                assert isinstance(node, t.Declare)
                scope.declared.update(dict.fromkeys(node.names, node.kind))
        for node in binding:
            self._bind(node)

    def opened_by(self, node: t.Node) -> Scope:
        """The scope that a module, class, function, lambda or comprehension opens."""
        return self._own[node]

    def of(self, node: t.Node) -> Scope:
        """The scope in which a node is evaluated: decorators, defaults and annotations belong outside."""
        return self._scopes[node.index]

    def lookup(self, name: str, scope: Scope) -> Scope | None:
        """The scope that binds `name` as seen from `scope`, by Python's rules; None where nothing here does."""
        kind = scope.declared.get(name)
        if kind == "global":
            return self.module if name in self.module.bindings else None
        current: Scope | None = scope if kind is None else scope.parent
        first = True
        while current is not None:
            visible = first or not isinstance(current.node, t.ClassDef)
            if visible and name in current.bindings and current.declared.get(name) is None:
                return current
            first = False
            current = current.parent
        return None

    def _bind(self, node: t.Node) -> None:
        if isinstance(node, t.Assign):
            for target in node.targets:
                self._target(target, node.value, "assign", ())
        elif isinstance(node, t.AnnAssign):
            self._target(node.target, node.value, "assign", ())
        elif isinstance(node, t.AugAssign):
            self._target(node.target, node.value, "augment", ())
        elif isinstance(node, t.NamedExpr):
            self._target(node.target, node.value, "assign", ())
        elif isinstance(node, (t.For, t.Generator)):
            self._target(node.target, node.iter, "item", ())
        elif isinstance(node, t.WithItem) and node.target is not None:
            self._target(node.target, node.value, "with", ())
        elif isinstance(node, t.Delete):
            for target in node.targets:
                self._target(target, None, "delete", ())
        else:
            self._bind_definition(node)

    def _bind_definition(self, node: t.Node) -> None:
        if isinstance(node, (t.FunctionDef, t.ClassDef)):
            self._add(self.of(node), node.name, "def" if isinstance(node, t.FunctionDef) else "class", node, None)
        elif isinstance(node, t.Parameter):
            self._add(self._own[node.parent], node.name, "param", node, node.default)
        elif isinstance(node, t.Import):
            for alias in node.names:
                self._add(self.of(node), alias.asname or alias.name.split(".")[0], "import", alias, None)
        elif isinstance(node, t.ImportFrom):
            self._bind_from(node)
        elif isinstance(node, t.Handler) and node.name:
            self._add(self.of(node), node.name, "except", node, node.type)
        elif isinstance(node, t.Case):
            for name in node.names:
                self._add(self.of(node), name, "match", node, None)

    def _bind_from(self, node: t.ImportFrom) -> None:
        scope = self.of(node)
        for alias in node.names:
            if alias.name == "*":
                scope.stars.append(node)
            else:
                self._add(scope, alias.asname or alias.name, "import", alias, None)

    def _target(self, target: t.Expr, value: t.Expr | None, how: str, at: tuple[int, ...]) -> None:
        if isinstance(target, t.Name):
            if how == "assign" and at:
                how = "unpack"
            self._add(self._of_target(target), target.id, how, target, value, at)
        elif isinstance(target, t.Sequence):
            for index, item in enumerate(target.items):
                self._target(item, value, how, (*at, index))
        elif isinstance(target, t.Starred):
            self._target(target.value, value, how, (*at, -1))

    def _of_target(self, target: t.Name) -> Scope:
        scope = self.of(target)
        if isinstance(target.parent, t.NamedExpr):  # a walrus binds outside of comprehensions
            while isinstance(scope.node, t.Comprehension) and scope.parent is not None:
                scope = scope.parent
        return scope

    def _add(
        self, scope: Scope, name: str, how: str, node: t.Node, value: t.Expr | None, at: tuple[int, ...] = ()
    ) -> None:
        kind = scope.declared.get(name)
        if kind == "global":
            scope = self.module
        elif kind == "nonlocal" and scope.parent is not None:
            scope = self.lookup(name, scope.parent) or scope.parent
        scope.bindings.setdefault(name, []).append(Binding(name, how, node, value, at, scope))

    def all(self) -> Iterator[Scope]:
        """Every scope, outermost first."""
        return iter(self._own.values())

    def let_go(self) -> None:
        """Untie scopes and what is bound in them."""
        for scope in self._own.values():
            scope.bindings.clear()


_OUTSIDE = frozenset({"decorators", "returns", "bases"})
"""Fields of a definition that are evaluated outside of it. Parameters are handled as inside: their defaults and
annotations rarely name what the body binds."""

_OPENING = frozenset(SCOPE_NODES)
_BINDING = frozenset({
    t.Assign, t.AnnAssign, t.AugAssign, t.NamedExpr, t.For, t.Generator, t.WithItem, t.Delete, t.FunctionDef, t.ClassDef,
    t.Parameter, t.Import, t.ImportFrom, t.Handler, t.Case,
})  # fmt: skip
