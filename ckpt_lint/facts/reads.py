"""What code reads of what it loaded: keys, items, restores, and where else the values go."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ckpt_lint import apis
from ckpt_lint.facts.loads import Load
from ckpt_lint.facts.restores import Restores
from ckpt_lint.facts.states import COUNTER_KEY
from ckpt_lint.source import flow
from ckpt_lint.source import tree as t
from ckpt_lint.source.module import ModuleFacts, bound_target, last_name

MAX_STEPS = 12


class Use(enum.Enum):
    """What becomes of a loaded value at one place."""

    RESTORED = "copied by load_state_dict"
    ASSIGNED = "taken over by load_state_dict(assign=True)"
    NUMPY = "turned into NumPy or plain numbers"
    COUNTED = "a counter"
    LOOKED_AT = "tested, printed, counted"
    ESCAPES = "goes where we do not look"


@dataclass(frozen=True, slots=True)
class Read:
    """A key that code reads from a loaded dict. `safe` says that its absence is provided for (`.get`, an `in` guard)."""

    key: str
    node: t.Expr
    module: ModuleFacts
    safe: bool


TAKEN = "("
"""The "method" of a value that is given to something that takes modules: `nn.DataParallel(x)`."""

SET = "="
"""What the "method" of a value begins with one of whose attributes is set: `x.fc = nn.Linear(8, 2)`."""


@dataclass(frozen=True, slots=True)
class Called:
    """A method called on (or a submodule reached through) a loaded value or a part of it; "" is the value called.

    `name` is the last name of the variable that held it, `part` says whether it is a part of what was loaded, and `key`
    under which key that stood.
    """

    method: str
    node: t.Expr
    module: ModuleFacts
    name: str
    part: bool
    key: str = ""


class Flow:
    """Follows the value of one load (or of any expression) forwards through one function."""

    def __init__(self, restores: Restores, module: ModuleFacts) -> None:
        self.restores = restores
        self.module = module
        self.reads: list[Read] = []
        self.items: set[int] = set()
        self.called: list[Called] = []
        self.returned = False
        self.returned_part = False
        self.returned_items: set[int] = set()
        self.restored: list[tuple[ModuleFacts, t.Expr]] = []
        self.uses: set[Use] = set()
        self.seen: set[tuple[t.Node, bool]] = set()

    def follow_item(self, call: t.Expr, index: int) -> None:
        """Follow an item of the tuple that a call gives: unpacked, or taken by its index."""
        parent = call.parent
        if isinstance(parent, t.Assign) and call.role == "value":
            for target in parent.targets:
                if isinstance(target, t.Sequence) and index < len(target.items):
                    self._variable(target.items[index], False, MAX_STEPS)
        elif isinstance(parent, t.Subscript) and call.role == "value":
            place = self.module.constant(parent.sub)
            if place is not None and place.value == index:
                self.follow(parent, top=False)

    def follow(self, expr: t.Expr, *, top: bool = True, steps: int = MAX_STEPS, key: str = "") -> None:
        """Follow a value from an expression that has it. `top` says that it is the whole of what was loaded."""
        if steps <= 0 or (expr, top) in self.seen:
            return
        self.seen.add((expr, top))
        parent, role = expr.parent, expr.role
        if isinstance(parent, t.Argument):
            self._argument(expr, parent, top, steps, key)
        elif isinstance(parent, t.Attribute):
            self._attribute(parent, top, steps, key)
        elif isinstance(parent, t.Subscript) and role == "value":
            self._subscript(parent, top, steps)
        elif isinstance(parent, (t.Assign, t.AnnAssign, t.NamedExpr)) and role == "value":
            self._bound(parent, expr, top, steps, key)
        elif isinstance(parent, (t.IfExp, t.BoolOp, t.Await)) and role != "test":
            self.follow(parent, top=top, steps=steps - 1, key=key)
        elif isinstance(parent, (t.Generator, t.For)) and role == "iter":
            self.uses.add(Use.LOOKED_AT if top else Use.ESCAPES)
        elif isinstance(parent, t.Call) and role == "func":
            self.called.append(Called("", parent, self.module, last_name(expr), not top, key))
            self.uses.add(Use.ESCAPES)
        elif isinstance(parent, t.Return):
            self.returned = self.returned or top
            self.returned_part = self.returned_part or not top
            self.uses.add(Use.ESCAPES)
        elif isinstance(parent, t.Sequence) and isinstance(parent.parent, t.Return):
            self.returned_items.add(parent.items.index(expr))
            self.uses.add(Use.ESCAPES)
        elif isinstance(parent, (t.If, t.While, t.Assert, t.Compare, t.UnaryOp, t.Delete, t.ExprStmt, t.JoinedStr)):
            self.uses.add(Use.LOOKED_AT)
        elif isinstance(parent, t.BinOp):
            self.uses.add(Use.COUNTED if COUNTER_KEY.search(key) else Use.ESCAPES)
        else:
            self.uses.add(Use.ESCAPES)

    def _argument(self, expr: t.Expr, arg: t.Argument, top: bool, steps: int, key: str) -> None:
        call = arg.parent
        if not isinstance(call, t.Call):
            self.uses.add(Use.ESCAPES)
            return
        name = last_name(call.func)
        if name == "load_state_dict" and isinstance(call.func, t.Attribute):
            self.uses.add(Use.ASSIGNED if _assigns(call) else Use.RESTORED)
            self.restored.append((self.module, call.func.value))
        elif name in _LOOKERS or self.module.names.is_a(call.func, *_LOOKING):
            self.uses.add(Use.LOOKED_AT)
        elif any(n.startswith("numpy.") or n in apis.OF_ARRAYS for n in self.module.names.of(call.func)):
            self.uses.add(Use.NUMPY)
        elif call.args[0] is arg and self.module.names.is_a(call.func, *apis.TAKE_MODULES):
            self.called.append(Called(TAKEN, expr, self.module, last_name(expr), not top, key))
            self.uses.add(Use.ESCAPES)
        elif name in ("dict", "OrderedDict", "deepcopy", "copy"):
            self.follow(call, top=top, steps=steps - 1, key=key)
        elif name in ("int", "float", "str", "bool"):
            self.uses.add(Use.COUNTED)
        else:
            self.uses.add(Use.ESCAPES)

    def _attribute(self, attribute: t.Attribute, top: bool, steps: int, key: str) -> None:
        call = attribute.parent
        if not isinstance(call, t.Call) or attribute.role != "func":
            if isinstance(call, t.Attribute) and (call.role == "func" or call.attr in _OF_LAYERS):
                self._called(f"{attribute.attr}.{call.attr}", attribute, top, key)
            elif bound_target(attribute):
                self._called(f"{SET}{attribute.attr}", attribute, top, key)
            self.uses.add(Use.ESCAPES)
            return
        self._called(attribute.attr, attribute, top, key)
        if attribute.attr in ("get", "pop") and call.args:
            name = self.module.string(call.args[0].value)
            if top and name is not None:
                self.reads.append(Read(name, call, self.module, attribute.attr == "get" or len(call.args) > 1))
            self.follow(call, top=False, steps=steps - 1, key=name or "")
        elif attribute.attr == "items":
            self._items(call, top, steps)
        elif attribute.attr in ("keys", "update"):
            self.uses.add(Use.LOOKED_AT)
        elif attribute.attr in ("numpy", "tolist", "item"):
            self.uses.add(Use.NUMPY)
        elif attribute.attr in _KEEPS:
            self.follow(call, top=top, steps=steps - 1, key=key)
        else:
            self.uses.add(Use.ESCAPES)

    def _called(self, method: str, attribute: t.Attribute, top: bool, key: str) -> None:
        self.called.append(Called(method, attribute, self.module, last_name(attribute.value), not top, key))

    def _items(self, call: t.Call, top: bool, steps: int) -> None:
        """`{k: v for k, v in sd.items()}` is the dict again; a loop that refills another dict is taken for that."""
        parent = call.parent
        if isinstance(parent, t.Generator) and isinstance(parent.parent, t.Comprehension):
            if parent.parent.kind == "dict":
                self.follow(parent.parent, top=top, steps=steps - 1)
                return
        if isinstance(parent, t.For):
            for statement in parent.body:
                if isinstance(statement, t.Assign) and isinstance(statement.targets[0], t.Subscript):
                    self._variable(statement.targets[0].value, top, steps)
            self.uses.add(Use.LOOKED_AT)
            return
        self.uses.add(Use.ESCAPES)

    def _subscript(self, subscript: t.Subscript, top: bool, steps: int) -> None:
        if bound_target(subscript):
            return
        key = self.module.constant(subscript.sub)
        name = key.value if key is not None and isinstance(key.value, str) else ""
        if top and name:
            self.reads.append(Read(name, subscript, self.module, guarded_by_in(self.module, subscript, name)))
        elif top:
            self.items.update(_whole_numbers(self.module, subscript.sub))
        self.follow(subscript, top=False, steps=steps - 1, key=name)

    def _bound(self, statement: t.Node, expr: t.Expr, top: bool, steps: int, key: str) -> None:
        targets = statement.targets if isinstance(statement, t.Assign) else (getattr(statement, "target", None),)
        for target in targets:
            if isinstance(target, (t.Name, t.Attribute)):
                self._variable(target, top, steps, key)
            elif isinstance(target, t.Sequence):
                for item in target.items:
                    self._variable(item, False, steps, key)
            elif target is not None:
                self.uses.add(Use.COUNTED if COUNTER_KEY.search(key) else Use.ESCAPES)
        if isinstance(statement, t.NamedExpr):
            self.follow(statement, top=top, steps=steps - 1, key=key)

    def _variable(self, target: t.Expr, top: bool, steps: int, key: str = "") -> None:
        if key and COUNTER_KEY.search(key):
            self.uses.add(Use.COUNTED)
            return
        if isinstance(target, t.Attribute):
            self.uses.add(Use.ESCAPES)
        for place in self.module.uses(target):
            if place is target or bound_target(place):
                continue
            here = flow.body_of(place) is flow.body_of(target)
            if here and place.start < target.start and not flow.loops_around(place):
                continue
            if here and not self._still(place, target):
                continue
            self.follow(place, top=top, steps=steps - 1, key=key)

    def _still(self, place: t.Expr, target: t.Expr) -> bool:
        """Whether a place may still see what was bound at `target`."""
        bindings = self.module.names.bindings(place)
        return not bindings or any(b.node is target for b in bindings)


_KEEPS = frozenset({
    "to", "cpu", "float", "copy", "detach", "state_dict", "half", "cuda", "eval", "train", "double", "bfloat16",
    "requires_grad_",
})  # fmt: skip
_OF_LAYERS = frozenset({"in_features", "out_features", "in_channels", "out_channels", "weight", "bias"})
_LOOKERS = frozenset({"print", "len", "info", "debug", "warning", "isinstance", "type", "log", "hasattr", "write"})
_LOOKING = ("builtins.print", "builtins.len", "builtins.isinstance", "builtins.type")


def _whole_numbers(module: ModuleFacts, sub: t.Expr) -> Iterator[int]:
    """The place that a subscript names: 2 of `x[2]`, -1 of `x[-1]`."""
    sign, number = (-1, sub.operand) if isinstance(sub, t.UnaryOp) and sub.op == "-" else (1, sub)
    constant = module.constant(number)
    if constant is not None and isinstance(constant.value, int) and not isinstance(constant.value, bool):
        yield sign * constant.value


def _assigns(call: t.Call) -> bool:
    for arg in call.args:
        if arg.keyword == "assign":
            return not (isinstance(arg.value, t.Constant) and arg.value.value is False)
    return False


def guarded_by_in(module: ModuleFacts, node: t.Node, key: str) -> bool:
    """Whether a read stands where a test says that the key is there: an `if "k" in d`, a `try` with KeyError."""
    for child, parent in _up(node):
        if isinstance(parent, (t.If, t.IfExp, t.While)) and child.role in ("body", "orelse"):
            if any(tests_key(module, part, key) for part in t.walk(parent.test)):
                return True
        if isinstance(parent, t.BoolOp) and any(tests_key(module, p, key) for v in parent.values for p in t.walk(v)):
            return True
        if isinstance(parent, t.Try) and child.role == "body" and parent.handlers:
            if any(_catches_key_error(module, handler) for handler in parent.handlers):
                return True
    return _earlier_exit(module, node, key)


def _up(node: t.Node) -> Iterator[tuple[t.Node, t.Node]]:
    while node.parent is not node:
        yield node, node.parent
        node = node.parent


def tests_key(module: ModuleFacts, node: t.Node, key: str) -> bool:
    """Whether an expression tests that a key is in something: `"k" in d`, `d.get("k")`, `hasattr(d, "k")`."""
    if isinstance(node, t.Compare) and node.ops[0] in ("in", "not in"):
        return module.string(node.left) == key
    if isinstance(node, t.Call) and last_name(node.func) in ("get", "has_key", "hasattr", "__contains__"):
        return any(module.string(arg.value) == key for arg in node.args)
    return False


def _catches_key_error(module: ModuleFacts, handler: t.Handler) -> bool:
    if handler.type is None:
        return True
    kinds = handler.type.items if isinstance(handler.type, t.Sequence) else (handler.type,)
    return any(last_name(kind) in ("KeyError", "Exception", "LookupError", "BaseException") for kind in kinds)


def _earlier_exit(module: ModuleFacts, node: t.Node, key: str) -> bool:
    statement: t.Node = flow.statement_of(node)
    while isinstance(statement, t.Stmt):
        for earlier in flow.block_of(statement):
            if earlier.start >= statement.start:
                break
            if isinstance(earlier, t.Assert) and any(tests_key(module, part, key) for part in t.walk(earlier.test)):
                return True
            if isinstance(earlier, t.If) and flow.leaves(earlier.body):
                if any(tests_key(module, part, key) for part in t.walk(earlier.test)):
                    return True
        statement = statement.parent
    return False


def follow(restores: Restores, load: Load) -> Flow:
    """Everything that the function around a load does with its result; of a wrapper's call, with what it gives back.

    What the wrapper itself does with the loaded value counts for its calls, too, except what it calls on it.
    """
    out = Flow(restores, load.module)
    if load.inner is None:
        out.follow(load.call)
        return out
    inside = follow(restores, load.inner)
    follow_returned(out, load.call, inside)
    given_back = inside.returned or inside.returned_part or inside.returned_items
    out.uses |= inside.uses - {Use.ESCAPES} if given_back else inside.uses
    out.reads[:0] = inside.reads
    out.restored[:0] = inside.restored
    return out


def follow_returned(out: Flow, call: t.Call, inside: Flow) -> None:
    """Follow what a function that was followed gives back, from a call of it."""
    if inside.returned or inside.returned_part:
        out.follow(call, top=inside.returned)
    for index in sorted(inside.returned_items):
        out.follow_item(call, index)


def keys_read(restores: Restores, load: Load) -> Sequence[str]:
    """The keys that are read from the result of a load, in the order of the text."""
    reads = sorted(follow(restores, load).reads, key=lambda read: read.node.start)
    return tuple(dict.fromkeys(read.key for read in reads))


def unpacked_length(load: Load) -> int:
    """How many names the result of a load is unpacked into; 0 where it is not."""
    statement = load.call.parent
    if isinstance(statement, t.Assign) and len(statement.targets) == 1:
        target = statement.targets[0]
        if isinstance(target, t.Sequence) and not any(isinstance(i, t.Starred) for i in target.items):
            return len(target.items)
    return 0
