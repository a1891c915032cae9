"""Where a value comes from, and what kind of thing it is.

`origins` follows names, copies, moves and wrappers back to the expressions that made a value; `kinds` says what those
make. Flow stays inside a function, plus class attributes and what project functions return (two deep).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ckpt_lint import apis
from ckpt_lint.facts.kinds import (
    ARRAY_METHODS,
    CLASS,
    DICT,
    FOREIGN,
    FUNCTION,
    LOADED,
    NUMBER,
    NUMPY,
    OBJECT,
    PATH,
    SCRIPT,
    STATE_DICT,
    STRING,
    TENSOR,
    kinds_of_item,
    kinds_of_literal,
    kinds_of_name,
)  # fmt: skip
from ckpt_lint.facts.unwrapping import unwrapped_argument
from ckpt_lint.facts.world import Definition, World
from ckpt_lint.source import flow
from ckpt_lint.source import tree as t
from ckpt_lint.source.module import ModuleFacts, last_name
from ckpt_lint.source.scopes import Binding

SAME_OBJECT = frozenset({
    "to", "cuda", "cpu", "half", "float", "double", "bfloat16", "eval", "train", "requires_grad_", "share_memory",
    "apply", "type", "xpu", "to_empty", "npu", "ipu", "contiguous", "detach", "clone",
})  # fmt: skip
"""Methods that give back their receiver, or a copy of it of the same kind."""

PREPARERS = re.compile(r"(^|\.)(prepare|setup|initialize|prepare_model|prepare_optimizer|setup_module)$")
"""`accelerator.prepare(a, b)`, `fabric.setup(...)`, `amp.initialize(...)`: what goes in comes out, in order."""

MAX_DEPTH = 12
MAX_RETURNS = 2


@dataclass(frozen=True, slots=True)
class Origin:
    """What made a value: an expression that is followed no further, a parameter, or a binding without a value.

    `at` is the path of indexes where the value is a part of what `node` gives (unpacking, `for a, b in node`).
    """

    module: ModuleFacts
    node: t.Node
    how: str = "value"
    at: tuple[int, ...] = ()


Seen = set[Binding]
"""The bindings that one look for origins has followed."""


class Values:
    """Origins and kinds of the values of a world's modules."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._origins: dict[t.Node, tuple[Origin, ...]] = {}
        self._kinds: dict[tuple[t.Node, int], frozenset[str]] = {}
        self._aliases: dict[t.Name, bool] = {}

    # -- origins ----------------------------------------------------------------------------------------------------

    def origins(self, module: ModuleFacts, expr: t.Expr) -> tuple[Origin, ...]:
        """Where the value of an expression may come from, the likeliest first."""
        known = self._origins.get(expr)
        if known is None:
            self._origins[expr] = ()
            found = dict.fromkeys(self._trace(module, expr, MAX_DEPTH, set()))
            known = self._origins[expr] = tuple(found)
        return known

    def _trace(self, module: ModuleFacts, expr: t.Expr, depth: int, seen: Seen) -> Iterator[Origin]:
        if depth <= 0:
            yield Origin(module, expr)
        elif isinstance(expr, (t.Name, t.Attribute, t.Subscript)):
            yield from self._trace_path(module, expr, depth, seen)
        elif isinstance(expr, t.IfExp):
            yield from self._trace(module, expr.body, depth - 1, seen)
            yield from self._trace(module, expr.orelse, depth - 1, seen)
        elif isinstance(expr, t.BoolOp):
            for value in expr.values if expr.op == "or" else expr.values[-1:]:
                yield from self._trace(module, value, depth - 1, seen)
        elif isinstance(expr, (t.NamedExpr, t.Await)):
            yield from self._trace(module, expr.value, depth - 1, seen)
        elif isinstance(expr, t.Call):
            inner = self.passed_through(module, expr)
            if inner is None:
                yield Origin(module, expr)
            else:
                yield from self._trace(module, inner, depth - 1, seen)
        else:
            yield Origin(module, expr)

    def passed_through(self, module: ModuleFacts, call: t.Call) -> t.Expr | None:
        """The value that a call gives back, itself or a copy of the same kind: `deepcopy(x)`, `x.to(device)`."""
        if module.names.is_a(call.func, *apis.DEEPCOPY, "copy.copy") and call.args:
            return call.args[0].value
        if isinstance(call.func, t.Attribute) and call.func.attr in SAME_OBJECT:
            if not module.names.of(call.func):
                return call.func.value
        if PREPARERS.search(last_name(call.func)) and len(call.args) == 1 and not call.args[0].star:
            if isinstance(call.func, t.Attribute) and not module.names.of(call.func.value):
                return call.args[0].value
        return unwrapped_argument(self.world, module, call)

    def _trace_path(self, module: ModuleFacts, expr: t.Expr, depth: int, seen: Seen) -> Iterator[Origin]:
        bindings = module.names.bindings(expr)
        bindings = [b for b in bindings if b.how not in ("augment", "delete")] or bindings
        found = False
        for binding in bindings:
            if binding in seen:  # names bound to one another in a loop: each is followed once
                found = True
                continue
            seen.add(binding)
            for origin in self._trace_binding(module, binding, expr, depth, seen):
                found = True
                yield origin
        if not found:
            yield Origin(module, expr, "unbound")

    def _trace_binding(self, module: ModuleFacts, binding: Binding, expr: t.Expr, depth: int, seen: Seen) -> Iterator[Origin]:
        if isinstance(binding.node, t.Parameter):
            yield Origin(module, binding.node, "param")
        elif binding.value is None or binding.how in ("import", "def", "class", "except", "match"):
            yield Origin(module, binding.node, binding.how)
        elif binding.how == "assign":
            yield from self._trace(module, binding.value, depth - 1, seen)
        elif binding.how == "unpack":
            yield from self._trace_item(module, binding.value, binding.at, depth - 1, seen)
        elif binding.how == "with":
            yield Origin(module, binding.value, "with")
        else:
            yield Origin(module, binding.value, binding.how, binding.at)

    def _trace_item(self, module: ModuleFacts, value: t.Expr, at: tuple[int, ...], depth: int, seen: Seen) -> Iterator[Origin]:
        if not at:
            yield from self._trace(module, value, depth, seen)
            return
        index = at[0]
        if isinstance(value, t.Sequence) and 0 <= index < len(value.items):
            yield from self._trace_item(module, value.items[index], at[1:], depth, seen)
        elif isinstance(value, t.Call) and self.prepares(module, value):
            plain = [arg.value for arg in value.args if arg.keyword is None and not arg.star]
            if 0 <= index < len(plain):
                yield from self._trace_item(module, plain[index], at[1:], depth, seen)
            else:
                yield Origin(module, value, "unpack", at)
        elif isinstance(value, t.IfExp):
            yield from self._trace_item(module, value.body, at, depth, seen)
            yield from self._trace_item(module, value.orelse, at, depth, seen)
        else:
            yield Origin(module, value, "unpack", at)

    def prepares(self, module: ModuleFacts, call: t.Call) -> bool:
        """Whether a call gives back what it was given, wrapped, in order: `accelerator.prepare(model, optimizer)`."""
        return bool(PREPARERS.search(last_name(call.func))) and not module.names.is_a(call.func, "deepspeed.initialize")

    # -- kinds ------------------------------------------------------------------------------------------------------

    def kinds(self, module: ModuleFacts, expr: t.Expr, returns: int = MAX_RETURNS) -> frozenset[str]:
        """What the value of an expression may be; empty where nothing is known. Names alone are no evidence here."""
        key = (expr, returns)
        if key not in self._kinds:
            self._kinds[key] = frozenset()
            found = (self.kinds_of(origin, returns) for origin in self.origins(module, expr))
            self._kinds[key] = frozenset().union(*found)
        return self._kinds[key]

    def kinds_of(self, origin: Origin, returns: int = MAX_RETURNS) -> set[str]:
        """What an origin makes."""
        node = origin.node
        if origin.how == "param":
            assert isinstance(node, t.Parameter)
            return self._annotated(origin.module, node.annotation)
        if origin.how == "class":
            return {CLASS}
        if origin.how == "def":
            return {FUNCTION}
        if origin.how == "item":
            return self._items(origin, returns)
        if isinstance(node, t.Call):
            return self._of_call(origin, node, returns)
        if origin.how == "unbound" and isinstance(node, t.Attribute) and node.attr == "module":
            return set(self.kinds(origin.module, node.value, returns)) & {apis.MODULE}
        return kinds_of_literal(node)

    def _items(self, origin: Origin, returns: int) -> set[str]:
        node = origin.node
        if isinstance(node, t.Sequence):
            out: set[str] = set()
            for item in node.items:
                out |= self.kinds(origin.module, item, returns)
            return out
        return set()

    def _annotated(self, module: ModuleFacts, note: t.Expr | None) -> set[str]:
        if note is None:
            return set()
        if isinstance(note, t.BinOp):
            return self._annotated(module, note.left) | self._annotated(module, note.right)
        if isinstance(note, t.Subscript) and last_name(note.value) in ("Optional", "Union"):
            items = note.sub.items if isinstance(note.sub, t.Sequence) else (note.sub,)
            return set().union(*(self._annotated(module, item) for item in items))
        out: set[str] = set()
        for name in module.names.of(note):
            out |= self._annotation_names(module, name)
        return out

    def _annotation_names(self, module: ModuleFacts, name: str) -> set[str]:
        if name in apis.MODULE_BASES:
            return {apis.MODULE}
        if name in apis.OPTIMIZER_BASES:
            return {apis.OPTIMIZER}
        if name in apis.SCHEDULER_BASES:
            return {apis.SCHEDULER}
        if name.startswith(("torch.jit.ScriptModule", "torch.jit.RecursiveScriptModule")):
            return {SCRIPT}
        if name in ("builtins.dict", "typing.Dict", "collections.OrderedDict"):
            return {DICT}
        if name in ("builtins.str", "pathlib.Path", "os.PathLike"):
            return {PATH if name != "builtins.str" else STRING}
        if name in ("torch.Tensor", "torch.nn.Parameter", "torch.FloatTensor"):
            return {TENSOR}
        if apis.FOREIGN.match(name):
            return {FOREIGN}
        for found in self.world.definitions(module, name):
            kind = self.world.class_kind(found)
            if kind:
                return {kind}
        kind = apis.constructs(name)
        return {kind} if kind else set()

    def _of_call(self, origin: Origin, call: t.Call, returns: int) -> set[str]:
        module = origin.module
        out: set[str] = set()
        for name in module.names.of(call.func):
            if origin.how in ("value", "with"):
                out |= kinds_of_name(name)
            elif name in (apis.DDP, "deepspeed.initialize", "apex.amp.initialize"):
                out |= kinds_of_item(name, origin.at)
        if not out and isinstance(call.func, t.Attribute):
            out |= self._of_method(module, call, call.func)
        if not out:
            out |= self._of_project(origin, call, returns)
        return out

    def _of_method(self, module: ModuleFacts, call: t.Call, func: t.Attribute) -> set[str]:
        if func.attr == "state_dict":
            return {STATE_DICT}
        if func.attr in ("item", "tolist"):
            return {NUMBER}
        if func.attr == "numpy":
            return {NUMPY}
        if func.attr in ("parameters", "named_parameters"):
            return {"parameters"}
        if func.attr in ("format", "join", "strip", "lower", "upper", "isoformat", "as_posix"):
            return {STRING}
        if func.attr in ARRAY_METHODS and NUMPY in self.kinds(module, func.value):
            return {NUMPY}
        if func.attr == "get_state_dict":
            return {STATE_DICT}
        if func.attr in ("copy", "items", "keys", "values") and not call.args:
            return set(self.kinds(module, func.value)) & {STATE_DICT, DICT, LOADED} if func.attr == "copy" else set()
        return set()

    def _of_project(self, origin: Origin, call: t.Call, returns: int) -> set[str]:
        out: set[str] = set()
        for found in self.world.callees(origin.module, call):
            if isinstance(found.node, t.ClassDef):
                out.add(self.world.class_kind(found) or OBJECT)
            elif returns:
                out |= self.returned(found, origin.at, returns - 1)
        return out

    def returned(self, definition: Definition, at: tuple[int, ...], returns: int) -> set[str]:
        """What a project function returns, or the part of it at an index path."""
        out: set[str] = set()
        for value in flow.returned_values(definition.node):
            if at and isinstance(value, t.Sequence) and 0 <= at[0] < len(value.items):
                out |= self.kinds(definition.module, value.items[at[0]], returns)
            elif not at:
                out |= self.kinds(definition.module, value, returns)
        return out

    # -- module-like ------------------------------------------------------------------------------------------------

    def module_like(self, module: ModuleFacts, expr: t.Expr) -> bool:
        """RULES' "module-like": evidence by construction, annotation or use, or a conventional name unopposed."""
        kinds = self.kinds(module, expr)
        if apis.MODULE in kinds or (apis.EMA in kinds and not kinds & {STATE_DICT}):
            return True
        if kinds - {OBJECT}:
            return False
        if isinstance(expr, t.Call):
            inner = self.passed_through(module, expr)
            return self.module_like(module, inner) if inner is not None else False
        if not isinstance(expr, (t.Name, t.Attribute)):
            return False
        used = self.used_as(module, expr)
        if used is not None:
            return used
        if self._named_as_module(module, expr):
            return OBJECT not in kinds and not self.opposed(module, expr)
        return not kinds and isinstance(expr, t.Name) and self._is_alias(module, expr)

    def _is_alias(self, module: ModuleFacts, name: t.Name) -> bool:
        """`net = model.module if hasattr(model, "module") else model`: each of what a name is bound to is a module."""
        if name not in self._aliases:
            self._aliases[name] = False  # `a = b` and `b = a` in a loop
            bound = (b.value for b in module.names.bindings(name) if b.how == "assign")
            values = (v for b in bound for v in ((b.body, b.orelse) if isinstance(b, t.IfExp) else (b,)))
            like = [isinstance(v, (t.Name, t.Attribute)) and self.module_like(module, v) for v in values]
            self._aliases[name] = bool(like) and all(like)
        return self._aliases[name]

    def _named_as_module(self, module: ModuleFacts, expr: t.Name | t.Attribute) -> bool:
        """A conventional name: a plain one, `self.model`, `x.module`, or one of a module's own; `args.model` is none."""
        part = isinstance(expr, t.Attribute) and expr.attr != "module" and not module.names.is_self(expr.value)
        named = bool(apis.MODULE_NAMES.match(conventional(expr)))
        return named and (not part or (isinstance(expr, t.Attribute) and self.module_like(module, expr.value)))

    def used_as(self, module: ModuleFacts, expr: t.Expr) -> bool | None:
        """True where a variable is used as a module somewhere, False where it is used as a dict, None else."""
        called: set[str] = set()
        for place in module.uses(expr):
            parent = place.parent
            if isinstance(parent, t.Attribute) and parent.parent.role != "" and isinstance(parent.parent, t.Call):
                if parent.role == "func" and parent.attr in MODULE_METHODS:
                    called.add(parent.attr)
                if parent.role == "func" and parent.attr in ("items", "keys"):
                    return False
            elif isinstance(parent, t.Subscript) and place.role == "value" and isinstance(parent.sub, t.Constant):
                if isinstance(parent.sub.value, str):
                    return False
            elif isinstance(parent, t.Compare) and place.role == "comparators" and parent.ops[0] in ("in", "not in"):
                return False
        return None if not called or (called <= apis.STATEFUL and self._feeds(module, expr)) else True

    def _feeds(self, module: ModuleFacts, expr: t.Expr) -> bool:
        """Whether a name, class or annotation says data set, loader or sampler: they have state dicts, too."""
        names = [last_name(expr)]
        for origin in self.origins(module, expr):
            made = origin.node.func if isinstance(origin.node, t.Call) else getattr(origin.node, "annotation", None)
            if made is not None:
                names.append(str(made.value) if isinstance(made, t.Constant) else last_name(made))
        return any(apis.DATA_NAMES.search(name) for name in names)

    def opposed(self, module: ModuleFacts, expr: t.Expr) -> bool:
        """Whether something speaks against a conventional name: made by, or annotated with, something foreign.

        A None beside another value is what some runs leave it at, and says nothing of the others.
        """
        origins = self.origins(module, expr)
        for origin in [o for o in origins if not _is_none(o.node)] or origins:
            node = origin.node
            if isinstance(node, t.Parameter) and (node.annotation is not None or _has_plain_default(node)):
                return True
            if isinstance(node, t.Call) and any(apis.FOREIGN.match(n) for n in origin.module.names.of(node.func)):
                return True
            if not isinstance(node, (t.Call, t.Parameter, t.Name, t.Attribute, t.Subscript, t.Alias)):
                return True
        return False


def _is_none(node: t.Node) -> bool:
    return isinstance(node, t.Constant) and node.value is None


def _has_plain_default(param: t.Parameter) -> bool:
    """`encoder="resnet18"`: the parameter holds a name."""
    return isinstance(param.default, t.Constant) and param.default.value is not None


MODULE_METHODS = frozenset({
    "parameters", "state_dict", "train", "eval", "load_state_dict", "forward", "named_parameters", "zero_grad",
    "named_modules", "modules",
})  # fmt: skip


def conventional(expr: t.Expr) -> str:
    """The part of a name that convention speaks of: "model" for `self.model`, "module" for `x.module`."""
    return last_name(expr)
