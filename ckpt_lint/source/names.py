"""What a name or dotted expression stands for: imports, aliases, definitions, values bound to it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property

from ckpt_lint import apis
from ckpt_lint.source import flow
from ckpt_lint.source import tree as t
from ckpt_lint.source.scopes import Binding, Scope, Scopes

LOCAL = ":"
"""Marks the dotted name of something that the same module defines: ":Trainer.save"."""

MAX_STEPS = 8
"""Aliases of aliases that are followed."""

IMPORTERS = frozenset({"importlib.import_module", "pytest.importorskip", "builtins.__import__"})
_ONLY_IN_TORCH = frozenset({"optim", "FloatTensor", "LongTensor", "ByteTensor"})
_KNOWN_STARS = frozenset({"torch", "typing", "math", "tkinter", "numpy"})
BUILTINS = frozenset({
    "open", "print", "dict", "list", "tuple", "set", "str", "int", "float", "bool", "len", "range", "enumerate", "zip",
    "vars", "getattr", "setattr", "hasattr", "isinstance", "exit", "quit", "type", "max", "min", "sum", "sorted", "map",
    "filter", "next", "iter", "frozenset", "bytes", "super", "locals", "globals", "input", "any", "all", "reversed",
    "callable", "object", "property", "staticmethod", "classmethod", "round", "abs", "repr", "Exception",
    "RuntimeError", "KeyError", "ValueError", "TypeError", "FileNotFoundError", "OSError", "IOError", "BaseException",
})  # fmt: skip


def path_key(expr: t.Node) -> str:
    """A name, attribute chain or constant subscript as one key: "a.b['k']"; "" for anything else."""
    parts: list[str] = []
    while True:
        if isinstance(expr, t.Attribute):
            parts.append(f".{expr.attr}")
            expr = expr.value
        elif isinstance(expr, t.Subscript) and isinstance(expr.sub, t.Constant) and isinstance(expr.sub.value, (str, int)):
            parts.append(f"[{expr.sub.value!r}]")
            expr = expr.value
        elif isinstance(expr, t.Name):
            return expr.id + "".join(reversed(parts))
        else:
            return ""


def root_name(expr: t.Node) -> t.Name | None:
    """The name at the left end of an attribute or subscript chain."""
    while isinstance(expr, (t.Attribute, t.Subscript)):
        expr = expr.value
    return expr if isinstance(expr, t.Name) else None


class Names:
    """Name look-ups in one linked module."""

    def __init__(self, nodes: tuple[t.Node, ...], scopes: Scopes) -> None:
        self.scopes = scopes
        self._paths: dict[tuple[t.Node, str], list[Binding]] = {}
        self._attributes: dict[t.ClassDef, dict[str, list[Binding]]] = {}
        self._cache: dict[t.Node, tuple[str, ...]] = {}
        self._nodes = nodes
        for node in nodes:
            if type(node) in _PATH_BINDING:
                self._record_paths(node)

    # -- bindings ---------------------------------------------------------------------------------------------------

    def _record_paths(self, node: t.Node) -> None:
        if isinstance(node, t.Assign):
            for target in node.targets:
                self._path(target, node.value, "assign", ())
        elif isinstance(node, (t.AnnAssign, t.AugAssign)):
            self._path(node.target, node.value, "assign" if isinstance(node, t.AnnAssign) else "augment", ())
        elif isinstance(node, t.For):
            self._path(node.target, node.iter, "item", ())
        elif isinstance(node, t.WithItem) and node.target is not None:
            self._path(node.target, node.value, "with", ())

    def _path(self, target: t.Expr, value: t.Expr | None, how: str, at: tuple[int, ...]) -> None:
        if isinstance(target, t.Sequence):
            for index, item in enumerate(target.items):
                self._path(item, value, "unpack" if how == "assign" else how, (*at, index))
            return
        if not isinstance(target, (t.Attribute, t.Subscript)):
            return
        key = path_key(target)
        if not key:
            return
        scope = self.scopes.of(target)
        binding = Binding(key, how, target, value, at, scope)
        self._paths.setdefault((flow.body_of(target), key), []).append(binding)
        if isinstance(target, t.Attribute) and self.is_self(target.value):
            holder = flow.class_of(target)
            if holder is not None:
                self._attributes.setdefault(holder, {}).setdefault(target.attr, []).append(binding)

    def is_self(self, expr: t.Node) -> bool:
        """Whether an expression is the first parameter of the method it stands in (or of the method around it)."""
        if not isinstance(expr, t.Name) or flow.class_of(expr) is None:
            return False
        scope = self.scopes.lookup(expr.id, self.scopes.of(expr))
        if scope is None or not isinstance(scope.node, t.FunctionDef) or not isinstance(scope.node.parent, t.ClassDef):
            return False
        params = scope.node.params
        return bool(params) and params[0].name == expr.id and not is_static(scope.node)

    def attribute_bindings(self, holder: t.ClassDef, attr: str) -> Sequence[Binding]:
        """All `self.attr = ...` in a class and `attr = ...` in its body, in source order."""
        found = list(self._attributes.get(holder, {}).get(attr, ()))
        found.extend(self.scopes.opened_by(holder).bindings.get(attr, ()))
        return found

    def attributes(self, holder: t.ClassDef) -> dict[str, list[Binding]]:
        """All instance attributes that a class binds."""
        return self._attributes.get(holder, {})

    def scope_of(self, name: t.Name) -> Scope | None:
        """The scope that binds a name, None for builtins and the unknown."""
        return self.scopes.lookup(name.id, self.scopes.of(name))

    def bindings(self, expr: t.Expr) -> list[Binding]:
        """What may be in force where an expression is read: for a name, a `self.x`, an `a.b` or a `d["k"]`."""
        if isinstance(expr, t.Name):
            scope = self.scope_of(expr)
            return self._of_name(expr, scope) if scope is not None else []
        key = path_key(expr)
        if not key:
            return []
        here = self._paths.get((flow.body_of(expr), key), [])
        near = flow.reaching(here, expr) if here else []
        if near and any(b.how != "augment" and flow.dominates(b.node, expr) for b in near):
            return near
        if isinstance(expr, t.Attribute) and self.is_self(expr.value):
            holder = flow.class_of(expr)
            if holder is not None:
                everywhere = self.attribute_bindings(holder, expr.attr)
                return near + [b for b in reversed(everywhere) if b not in near and not self._later(b, expr)]
        return near or self._outer_paths(expr, key)

    def _later(self, binding: Binding, use: t.Expr) -> bool:
        """A binding further down in the same function, outside of any loop, is not in force yet."""
        return (
            flow.body_of(binding.node) is flow.body_of(use)
            and binding.start > use.start
            and not flow.loops_around(use)
            and isinstance(flow.body_of(use), t.FunctionDef)
            and getattr(flow.body_of(use), "name", "") == "__init__"
        )

    def _outer_paths(self, expr: t.Expr, key: str) -> list[Binding]:
        root = root_name(expr)
        scope = self.scope_of(root) if root is not None else None
        if scope is None or scope.node is flow.body_of(expr):
            return []
        return list(reversed(self._paths.get((scope.node, key), [])))

    def _of_name(self, name: t.Name, scope: Scope) -> list[Binding]:
        bindings = scope.bindings.get(name.id, [])
        if isinstance(scope.node, t.Comprehension):
            return list(bindings)  # the element stands before the `for` that binds its names
        if scope.node is flow.body_of(name):
            near = flow.reaching(bindings, name)
            # cells of a notebook run in any order, and no import is undone by standing further down
            return near or [b for b in bindings if b.how == "import"]
        if scope.function is not None and scope.function is not flow.function_of(name):
            return list(reversed(bindings))
        return list(reversed([b for b in bindings if b.how != "delete"]))

    # -- dotted names -----------------------------------------------------------------------------------------------

    def of(self, expr: t.Node | None) -> tuple[str, ...]:
        """The dotted names that an expression may stand for, canonical, the likeliest first; () where unknown."""
        if expr is None:
            return ()
        known = self._cache.get(expr)
        return self._of_chain(expr) if known is None else known

    def _of_chain(self, expr: t.Node) -> tuple[str, ...]:
        """The same, from the innermost link of a chain outwards: it may be hundreds long, and recursion may not."""
        chain: list[t.Node] = [expr]
        while (inner := _link(chain[-1])) is not None and inner not in self._cache:
            chain.append(inner)
        for link in chain:
            self._cache[link] = ()  # a name bound to itself must not send us round in circles
        for link in reversed(chain):
            self._cache[link] = tuple(dict.fromkeys(self._names(link)))
        return self._cache[expr]

    def _names(self, expr: t.Node) -> Iterator[str]:
        if isinstance(expr, t.Attribute):
            for base in self.of(expr.value):
                yield apis.canonical(f"{base}.{expr.attr}")
            yield from self._assigned(expr)
        elif isinstance(expr, t.Name):
            yield from self._of_plain(expr)
        elif isinstance(expr, t.Call):
            yield from self._imported(expr)
        elif isinstance(expr, (t.IfExp, t.BoolOp)):
            branches = (expr.body, expr.orelse) if isinstance(expr, t.IfExp) else expr.values
            for branch in branches:
                yield from self.of(branch)

    def _assigned(self, expr: t.Attribute) -> Iterator[str]:
        if path_key(expr) and not self.of(expr.value):
            for binding in self.bindings(expr):
                if binding.how == "assign" and isinstance(binding.value, (t.Name, t.Attribute)):
                    yield from self.of(binding.value)

    def _imported(self, call: t.Call) -> Iterator[str]:
        if not set(self.of(call.func)) & IMPORTERS or not call.args:
            return
        first = call.args[0].value
        if isinstance(first, t.Constant) and isinstance(first.value, str):
            yield first.value

    def _of_plain(self, name: t.Name) -> Iterator[str]:
        scope = self.scope_of(name)
        if scope is None:
            yield from self._unbound(name)
            return
        for binding in self._of_name(name, scope):
            yield from self.of_binding(binding)

    def _unbound(self, name: t.Name) -> Iterator[str]:
        stars = self.scopes.module.stars
        for star in reversed(stars):
            if name.id in apis.STAR_EXPORTS.get(star.module, ()):
                yield apis.canonical(f"{star.module}.{name.id}")
                return
        if name.id in BUILTINS:
            yield f"builtins.{name.id}"
            return
        unknown = [s for s in reversed(stars) if s.level or s.module.split(".")[0] not in _KNOWN_STARS]
        meant = apis.CUSTOMARY.get(name.id) or ("torch" if unknown and name.id in self._used_as_torch else None)
        if unknown and meant is not None:
            yield meant
            return
        for star in unknown:
            yield f"{'.' * star.level}{star.module}{'' if _dots(star) else '.'}{name.id}"

    @cached_property
    def _used_as_torch(self) -> frozenset[str]:
        """Names of which something is read that torch alone offers: `t.optim`, `t.FloatTensor`."""
        read = (node for node in self._nodes if isinstance(node, t.Attribute) and node.attr in _ONLY_IN_TORCH)
        return frozenset(node.value.id for node in read if isinstance(node.value, t.Name))

    def of_binding(self, binding: Binding) -> Iterator[str]:
        """The dotted names that a binding gives its name."""
        node = binding.node
        if binding.how == "import":
            yield _import_name(node, binding.name)
        elif binding.how in ("def", "class"):
            yield LOCAL + qualified(node)
        elif binding.how == "assign" and binding.value is not None:
            if isinstance(binding.value, (t.Name, t.Attribute, t.IfExp, t.Call, t.BoolOp)):
                yield from self.of(binding.value)

    def is_a(self, expr: t.Node | None, *names: str) -> bool:
        """Whether an expression may stand for one of `names`."""
        return any(name in names for name in self.of(expr))


_PATH_BINDING = frozenset({t.Assign, t.AnnAssign, t.AugAssign, t.NamedExpr, t.For, t.WithItem})


def _dots(star: t.ImportFrom) -> bool:
    return star.level > 0 and not star.module


def _import_name(node: t.Node, bound: str) -> str:
    parent = node.parent
    assert isinstance(node, t.Alias)
    if isinstance(parent, t.ImportFrom):
        head = "." * parent.level + parent.module
        joint = "" if head.endswith(".") or not head else "."
        return apis.canonical(f"{head}{joint}{node.name}")
    return apis.canonical(node.name) if node.asname else bound


def qualified(node: t.Node) -> str:
    """The dotted name of a function or class inside its module."""
    names = [node.name] if isinstance(node, (t.FunctionDef, t.ClassDef)) else []
    names.extend(p.name for p in t.ancestors(node) if isinstance(p, (t.FunctionDef, t.ClassDef)))
    return ".".join(reversed(names))


def is_static(function: t.FunctionDef) -> bool:
    """Whether a method takes no instance."""
    return any(isinstance(d, t.Name) and d.id == "staticmethod" for d in function.decorators)


def _link(expr: t.Node) -> t.Node | None:
    """The expression whose names decide, first of all, those of `expr`."""
    if isinstance(expr, t.Attribute):
        return expr.value
    return expr.func if isinstance(expr, t.Call) else None
