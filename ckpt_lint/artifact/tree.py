"""The tree of keys of a checkpoint, and the list of its tensors. Iterative, each shared value visited once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from ckpt_lint.artifact.facts import Node, TensorFacts
from ckpt_lint.artifact.limits import LimitReached, Limits, Work
from ckpt_lint.artifact.tables import Accepted
from ckpt_lint.artifact.values import (
    Called,
    Counted,
    Device,
    Global,
    Layout,
    LongText,
    Ordered,
    Persistent,
    Shape,
    Storage,
    Tensor,
    Value,
    type_name,
)  # fmt: skip

_SHORT = 24
_PLAIN_KEYS = 2000
_PATH = 2000
_OF_A_NODE = 25
_OF_A_TENSOR = 35
_NODE_MEMORY, _TENSOR_MEMORY = 250, 700
_TEXT = 60
_KEYS = 8


@dataclass(slots=True)
class Walk:
    """What one walk found. `globals` maps a global's path to the key paths at which it is used.

    `cut`: the tree leaves out what is too much, or too deep, to show; `unread`: tensors may be among it.
    """

    tree: Node | None = None
    tensors: list[TensorFacts] = field(default_factory=list)
    described: list[Tensor] = field(default_factory=list)
    globals: dict[str, list[str]] = field(default_factory=dict)
    cut: bool = False
    unread: bool = False


@dataclass(slots=True)
class _Frame:
    key: str
    path: str
    value: Value
    children: Iterator[tuple[str, str, Value]]
    nodes: list[Node] = field(default_factory=list)


class _Walker:
    def __init__(self, limits: Limits, table: Accepted, work: Work) -> None:
        self.limits = limits
        self.work = work
        self.table = table
        self.walk = Walk()
        self.seen: dict[int, str] = {}
        self.storages: set[int] = set()
        self.count = 0

    def run(self, root: Value) -> Walk:
        frames = [self._frame("", "", root)]
        while True:
            top = frames[-1]
            child = next(top.children, None)
            if child is None:
                frames.pop()
                node = self._close(top)
                if not frames:
                    self.walk.tree = node
                    return self.walk
                frames[-1].nodes.append(node)
            elif self._is_full(child[1]):
                self.walk.cut = True
                top.children = iter(())
            else:
                self._step(frames, child)

    def _is_full(self, path: str) -> bool:
        """Whether there is no room for one more node. The longest path counts, for each node keeps its own."""
        try:
            self.work.spend(_OF_A_NODE)
        except LimitReached:
            self.walk.unread = True
        self.work.memory += _NODE_MEMORY + len(path)
        self.walk.unread |= self.work.memory > self.work.memory_limit
        return self.walk.unread or self.count >= self.limits.tree_nodes

    def _step(self, frames: list[_Frame], child: tuple[str, str, Value]) -> None:
        key, path, value = child
        self.count += 1
        if not _has_children(value):
            frames[-1].nodes.append(self._leaf(key, path, value))
        elif id(value) in self.seen:
            frames[-1].nodes.append(Node(key, _kind(value), f"same as {self.seen[id(value)] or 'the whole'}"))
        elif len(frames) >= self.limits.tree_depth or len(path) > _PATH:
            self.walk.cut = True
            frames[-1].nodes.append(Node(key, _kind(value), "nested too deeply to show"))
        else:
            frames.append(self._frame(key, path, value))

    def _frame(self, key: str, path: str, value: Value) -> _Frame:
        if not _has_children(value):
            return _Frame(key, path, value, iter(()))
        self.seen[id(value)] = path
        return _Frame(key, path, value, _children(path, value))

    def _close(self, frame: _Frame) -> Node:
        value = frame.value
        if not _has_children(value):
            return self._leaf(frame.key, frame.path, value)
        self._note(value, frame.path)
        size = sum(node.size for node in frame.nodes)
        parameters = sum(node.parameters for node in frame.nodes)
        return Node(frame.key, _kind(value), _count(value), size, parameters, tuple(frame.nodes))

    def _note(self, value: Value, path: str) -> None:
        name = value.callee if isinstance(value, Called) else value
        if isinstance(name, Global):
            found = self.walk.globals.setdefault(name.path, [])
            if len(found) < _KEYS:
                found.append(path)

    def _leaf(self, key: str, path: str, value: Value) -> Node:
        self._note(value, path)
        if isinstance(value, Tensor):
            return self._tensor(key, path, value)
        if isinstance(value, Storage):
            return Node(key, "storage", f"{value.dtype}, {value.size} bytes", self._first_use(value))
        return Node(key, _kind(value), describe(value))

    def _first_use(self, storage: Storage | None) -> int:
        if storage is None or id(storage) in self.storages or storage.root is not None:
            return 0
        self.storages.add(id(storage))
        return storage.size

    def _tensor(self, key: str, path: str, value: Tensor) -> Node:
        self.work.left -= _OF_A_TENSOR + 4 * len(value.shape)
        self.work.memory += _TENSOR_MEMORY + 10 * len(value.shape)
        fact = tensor_facts(path, value, self.table)
        index = len(self.walk.tensors)
        self.walk.tensors.append(fact)
        self.walk.described.append(value)
        size = self._first_use(value.storage) + sum(
            self._first_use(part.storage) for part in value.parts if isinstance(part, Tensor)
        )
        kind = "parameter" if value.parameter else "tensor"
        return Node(key, kind, shape_text(fact), size, fact.elements, tensor=index)


_PLAIN = frozenset([int, float, bool, str, bytes, type(None)])


def walk(root: Value, limits: Limits, table: Accepted, work: Work) -> Walk:
    """The tree of a value, as far as the work that is left goes."""
    return _Walker(limits, table, work).run(root)


def tensor_facts(path: str, value: Tensor, table: Accepted) -> TensorFacts:
    """The frozen form of a tensor."""
    storage = value.storage
    return TensorFacts(
        path, value.shape, value.dtype, value.stride, storage.key if storage else None, value.offset,
        storage.size if storage else 0, value.device, value.requires_grad, value.parameter, value.layout,
        table.item_sizes.get(value.dtype, 1),
    )  # fmt: skip


def shape_text(fact: TensorFacts) -> str:
    """`float32 [64, 3, 7, 7]`, with the layout and the device where they are not the usual ones."""
    layout = "" if fact.layout == "strided" else f" {fact.layout}"
    device = "" if fact.device == "cpu" else f" on {fact.device[:20]}"
    return f"{fact.dtype} {list(fact.shape)}{layout}{device}"


def _has_children(value: Value) -> bool:
    if isinstance(value, Shape):
        return False
    return isinstance(value, (dict, list, tuple, set, frozenset, Called)) and bool(_size(value))


def _size(value: Value) -> int:
    if isinstance(value, Called):
        return len(value.state) + len(value.items) + len(value.elements) + (1 if value.arguments else 0)
    return len(value)


def key_text(key: Value) -> str:
    """A key as the tree shows it."""
    if isinstance(key, str):
        return key if len(key) <= 200 else key[:199] + "…"
    return f"[{describe(key)}]"


def _join(path: str, key: str) -> str:
    if not path or key.startswith("["):
        return path + key
    return f"{path}.{key}"


def _children(path: str, value: Value) -> Iterator[tuple[str, str, Value]]:
    if isinstance(value, dict):
        yield from _pairs(path, iter(value.items()))
    elif isinstance(value, Called):
        yield from _called_children(path, value)
    else:
        short = len(value) <= _SHORT
        for index, item in enumerate(value):
            if short or _has_children(item) or isinstance(item, (Tensor, Storage, Global)):
                yield f"[{index}]", f"{path}[{index}]", item


def _pairs(path: str, pairs: Iterator[tuple[Value, Value]]) -> Iterator[tuple[str, str, Value]]:
    """Keys and values; of plain values the first few thousand, for nobody reads more."""
    plain = 0
    for key, item in pairs:
        if item.__class__ in _PLAIN:
            plain += 1
            if plain > _PLAIN_KEYS:
                continue
        text = key_text(key)
        yield text, _join(path, text), item


def _called_children(path: str, value: Called) -> Iterator[tuple[str, str, Value]]:
    if isinstance(value.arguments, tuple):
        for index, item in enumerate(value.arguments[:_SHORT]):
            if _has_children(item) or isinstance(item, (Tensor, Storage, Global)):
                yield f"({index})", f"{path}({index})", item
    for state in value.state:
        if isinstance(state, dict):
            yield from _pairs(path, iter(state.items()))
        elif _has_children(state):
            yield "(state)", f"{path}(state)", state
    yield from _pairs(path, iter(value.items))
    for index, item in enumerate(value.elements):
        yield f"[{index}]", f"{path}[{index}]", item


def _kind(value: Value) -> str:
    if isinstance(value, Called):
        return value.path[:120]
    if isinstance(value, Global):
        return "global"
    names = {Ordered: "OrderedDict", Counted: "Counter", Shape: "torch.Size", Device: "torch.device"}
    return names.get(type(value), type_name(value))


def _count(value: Value) -> str:
    return "" if isinstance(value, Called) else f"{len(value)} {'entry' if len(value) == 1 else 'entries'}"


def describe(value: Value) -> str:
    """A leaf in a few words; never the whole of a long value, and never through a repr of its own."""
    if isinstance(value, bool) or value is None or isinstance(value, (float, complex)):
        return str(value)
    if isinstance(value, int):
        return str(value) if value.bit_length() <= 256 else f"a number of {value.bit_length()} bits"
    if isinstance(value, str):
        return repr(value if len(value) <= _TEXT else value[:_TEXT] + "…")
    if isinstance(value, (bytes, bytearray)):
        return f"{len(value)} bytes"
    if isinstance(value, Shape):
        return str(list(value[:16]))
    if isinstance(value, (Global, Called)):
        return value.path[:160]
    if isinstance(value, (Device, Layout)):
        return value.text[:60]
    if isinstance(value, LongText):
        return f"{value.kind} of {value.length} bytes"
    if isinstance(value, Persistent):
        return "an external object"
    if isinstance(value, tuple):
        return "(" + ", ".join(describe(part) if not isinstance(part, tuple) else "…" for part in value[:6]) + ")"
    return type_name(value)
