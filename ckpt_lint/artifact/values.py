"""What the symbolic reader puts on its stack. Plain Python values stand for themselves; the rest is here.

Nothing here is ever called, imported or resolved: a `Global` is two pieces of text.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

# A value of the symbolic stack: int, float, str, bytes, list, dict, ... or one of the classes below.
Value = Any


class Global:
    """The module and the name that a pickle gives, after the renaming of Python 2 names. Equal by both."""

    __slots__ = ("module", "name", "path")

    def __init__(self, module: str, name: str) -> None:
        self.module = module
        self.name = name
        self.path = f"{module}.{name}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Global) and (self.module, self.name) == (other.module, other.name)

    def __hash__(self) -> int:
        return hash((self.module, self.name))

    def __str__(self) -> str:
        return self.path


@dataclass(slots=True, eq=False)
class Storage:
    """A storage that tensors share. `key` is its record; `size` is in bytes; `location` is its device tag."""

    key: str
    dtype: str
    size: int
    location: str
    type_name: str = ""
    member: str | None = None
    root: str | None = None
    resizable: bool = False


@dataclass(slots=True, eq=False)
class Tensor:
    """A tensor's description: `shape` and `stride` in elements, `offset` in elements of its storage."""

    shape: tuple[int, ...]
    dtype: str
    stride: tuple[int, ...] = ()
    offset: int = 0
    storage: Storage | None = None
    layout: str = "strided"
    device: str = "cpu"
    requires_grad: bool = False
    parameter: bool = False
    parts: tuple[Value, ...] = ()
    attributes: dict[Value, Value] | None = None
    subclass: str | None = None


@dataclass(slots=True, eq=False)
class Called:
    """What came of a call that we only write down: `how` is the opcode, `state` what BUILD gave, `items` the rest."""

    callee: Value
    arguments: Value
    how: str
    offset: int
    state: list[Value] = field(default_factory=list)
    items: list[tuple[Value, Value]] = field(default_factory=list)
    elements: list[Value] = field(default_factory=list)

    @property
    def path(self) -> str:
        return self.callee.path if isinstance(self.callee, Global) else type(self.callee).__name__


class Ordered(dict[Value, Value]):
    """A `collections.OrderedDict`, with what BUILD put on it (`_metadata` of a state dict)."""

    __slots__ = ("attributes",)

    def __init__(self, *args: Value) -> None:
        super().__init__(*args)
        self.attributes: dict[Value, Value] = {}


class Counted(dict[Value, Value]):
    """A `collections.Counter`."""

    __slots__ = ()


class Shape(tuple[int, ...]):
    """A `torch.Size`."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Device:
    """A `torch.device`, as text."""

    text: str


@dataclass(frozen=True, slots=True)
class Layout:
    """A `torch.layout`, as text."""

    text: str


@dataclass(slots=True, eq=False)
class LongText:
    """A str or bytes literal that was too long to keep: only its kind, length and place are known."""

    kind: str
    length: int
    offset: int | None = None


@dataclass(slots=True, eq=False)
class Persistent:
    """A persistent id that is no storage of a torch file."""

    identifier: Value


class Later:
    """A place of the memo whose value is made when somebody asks for it, as hardly anybody does.

    With a tensor: the arguments of the `_rebuild_tensor_v2` that made it, whose hooks are at `hooks`. Without one: the
    empty OrderedDict of hooks that torch.save writes with each tensor.
    """

    __slots__ = ("hooks", "tensor")

    def __init__(self, tensor: Tensor | None = None, hooks: int = 0) -> None:
        self.tensor = tensor
        self.hooks = hooks

    def made(self, memo: Memo) -> Value:
        one = self.tensor
        if one is None:
            return Ordered()
        hooks = memo.get(self.hooks)
        if type(hooks) is not Ordered:  # its place was written to anew
            hooks = Ordered()
        return (one.storage, one.offset, one.shape, one.stride, one.requires_grad, hooks)


class Memo(Protocol):
    """What reads a memo: the machine."""

    def get(self, index: int) -> Value: ...


# The classes whose instances Python can hash (by identity or by value).
HASHABLE = (Global, Storage, Tensor, Device, Layout, LongText, Persistent, Called)


# What a nested pickle gives that could not be read: it may do anything.
UNREAD = Persistent(None)


def hashable(value: Value, limit: int) -> bool | None:
    """Whether Python could use `value` as a key; None where finding out takes more than `limit` steps.

    Python's own hash of a tuple recurses without a guard, and takes exponential time on shared tuples.
    """
    if type(value) in (str, int, bytes, float, bool):
        return True
    pending = [value]
    steps = 0
    while pending:
        steps += 1
        if steps > limit:
            return None
        top = pending.pop()
        if isinstance(top, (tuple, frozenset)):
            pending.extend(top)
        elif isinstance(top, (list, dict, set, bytearray)):
            return False
    return True


def weight(value: Value, most: int) -> int:
    """Units of work of looking at every part of a value, four levels deep, its texts included; stops above `most`."""
    total = 0
    level: list[Value] = [value]
    for _ in range(4):
        deeper: list[Value] = []
        for one in level:
            kind = one.__class__
            if kind is int:
                total += one.bit_length() >> 10
            elif kind in (str, bytes, bytearray):
                total += len(one) >> 5
            elif kind in (tuple, list, Shape):
                total += len(one)
                if total > most:
                    return total
                deeper.extend(one)
            elif kind in (dict, set, frozenset, Ordered, Counted):
                total += len(one)
        if not deeper:
            break
        level = deeper
    return total


def type_name(value: Value) -> str:
    """What Python would print as the class of the real value."""
    if isinstance(value, (Ordered, Counted)):
        return "collections.OrderedDict" if isinstance(value, Ordered) else "collections.Counter"
    if isinstance(value, Shape):
        return "torch.Size"
    if isinstance(value, Called):
        return value.path
    if isinstance(value, Tensor):
        return "torch.nn.parameter.Parameter" if value.parameter else "torch.Tensor"
    if isinstance(value, Device):
        return "torch.device"
    return "type" if isinstance(value, Global) else type(value).__name__
