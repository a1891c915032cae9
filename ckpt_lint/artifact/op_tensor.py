"""The opcodes that torch.save writes for a tensor, always the same two dozen, taken in one step.

A file of tens of thousands of tensors is read three times as fast by it. Whatever is not just as torch.save writes it is
left to the opcodes one by one, which give the same: values, memo, and the places of refusals.
"""

from __future__ import annotations

import re

from ckpt_lint.artifact.machine import ABSENT, Extent, Handler, Machine
from ckpt_lint.artifact.op_containers import mark
from ckpt_lint.artifact.op_objects import apply, resolve
from ckpt_lint.artifact.rebuild import PACKED, can_require_grad, item_size
from ckpt_lint.artifact.values import Called, Later, Ordered, Storage, Tensor, Value

_PUT = rb"(q.|r....)"
_GET = rb"(h.|j....)"
_NUMBER = rb"(?:K.|M..|J....)"
_SIZES = rb"(?:(\))|(" + _NUMBER + rb"{1,3}[\x85-\x87]|\(" + _NUMBER + rb"{4,9}t)" + _PUT + rb")"
# Behind the MARK of the arguments: the persistent id of the storage, offset, size, stride, requires_grad, hooks.
_TENSOR = re.compile(
    rb"\(" + _GET + _GET + rb"X(.)\0\0\0([0-9]+)" + _PUT + _GET + rb"(" + _NUMBER + rb")(N?)t" + _PUT + rb"(Q)"
    + rb"(" + _NUMBER + rb")" + _SIZES + _SIZES + rb"([\x88\x89])" + _GET + rb"\)R" + _PUT + rb"t" + _PUT + rb"(R)" + _PUT,
    re.DOTALL,
)  # fmt: skip
_Q, _R = 10, 22
_NUMBERS = re.compile(_NUMBER, re.DOTALL)
_DIMENSIONS = {0x85: 1, 0x86: 2, 0x87: 3}
_KEPT = 4096
_WORK, _MEMORY = 82, 1100
_HOOKS = Later()
_ABSENT = [ABSENT] * 7


def mark_or_tensor(m: Machine) -> None:
    """MARK; where the arguments of a tensor follow, all of it up to the tensor and its place in the memo."""
    if m.stack and m.stack[-1] is m.tensors.rebuilder and _take_tensor(m):
        return
    mark(m)


def _take_tensor(m: Machine) -> bool:
    """Put the tensor in place of the global on the stack; False, and nothing done, where the bytes are others."""
    cursor = m.cursor
    match = _TENSOR.match(cursor.buffer, cursor.position)
    if match is None:
        return False
    (word, kind, length, key, key_at, where, count, view, id_at, _, offset, scalar, size, size_at, flat, stride,
     stride_at, grad, hooks, hooks_at, all_at, _, put_at) = match.groups()  # fmt: skip
    extent = _extent(m, size or scalar, stride or flat)
    places = _places(key_at, id_at, size_at, stride_at, hooks_at, all_at, put_at)
    read = [_number(text) for text in (word, kind, where, hooks)]
    if extent is None or not places or max(read) >= places[0] or length[0] != len(key):
        return False
    try:
        found = [m.get(index) for index in read]
    except KeyError:
        return False
    if found[3] is not m.tensors.hooks or found[0] != "storage":
        return False
    identifier = ("storage", found[1], key.decode("ascii"), found[2], _number(count), *([None] if view else []))
    m.at = cursor.base + match.start(_Q)
    storage = resolve(m, identifier)
    m.at = cursor.base + match.start(_R)
    tensor = _tensor(m, storage, _number(offset), extent, grad=grad == b"\x88")
    values = (identifier[2], identifier, *([extent.shape] if size_at else []), *([extent.stride] if stride_at else []))
    made = (_HOOKS, Later(tensor, places[-3])) if isinstance(tensor, Tensor) else _refused(tensor)
    _remember(m, places, (*values, *made, tensor))
    m.stack[-1] = tensor
    m.memory += _MEMORY
    m.charge(_WORK)
    cursor.position = match.end()
    return True


def _tensor(m: Machine, storage: Value, offset: int, extent: Extent, *, grad: bool) -> Value:
    """What `_rebuild_tensor_v2` gives; the way of all calls where it may refuse."""
    if isinstance(storage, Storage) and offset >= 0 and (not grad or can_require_grad(storage.dtype)):
        needed = (extent.span + offset) * item_size(m, storage.dtype) // PACKED.get(storage.dtype, 1)
        if not extent.span or needed <= storage.size:
            return Tensor(
                extent.shape, storage.dtype, extent.stride, offset, storage, "strided", storage.location, grad
            )  # fmt: skip
    return apply(m, m.tensors.rebuilder, (storage, offset, extent.shape, extent.stride, grad, Ordered()), "REDUCE")


def _refused(call: Called) -> tuple[Value, Value]:
    """The hooks and the arguments of a call that is only written down."""
    return call.arguments[-1], call.arguments


def _remember(m: Machine, places: list[int], values: tuple[Value, ...]) -> None:
    memo, first, end = m.memo, places[0], places[-1] + 1
    if end - first == len(places) and end <= len(memo) and not m.far and memo[first:end] == _ABSENT[: len(places)]:
        memo[first:end] = values
        m.memo_count += len(places)
        return
    for place, value in zip(places, values):
        m.put(place, value)


def _number(text: bytes) -> int:
    """The operand behind the opcode; four bytes of a number are signed, those of a place are taken as they are."""
    if len(text) == 2:
        return text[1]
    return int.from_bytes(text[1:], "little", signed=text[0] == 0x4A)


def _places(*texts: bytes | None) -> list[int]:
    """The places of the memo that are written, where they count up; else nothing."""
    places = [text[1] if len(text) == 2 else int.from_bytes(text[1:], "little") for text in texts if text is not None]
    if places == list(range(places[0], places[0] + len(places))):  # as torch.save writes them
        return places
    return places if all(map(int.__lt__, places, places[1:])) else []


def _extent(m: Machine, size: bytes, stride: bytes) -> Extent | None:
    """What the bytes of a size and of a stride say; None where it is unusual. Most tensors share theirs."""
    key = (size, stride)
    if key in m.tensors.extents:
        return m.tensors.extents[key]
    if len(m.tensors.extents) > _KEPT:
        m.tensors.extents.clear()
    m.charge(_WORK + len(size))
    m.tensors.extents[key] = found = _read_extent(size, stride)
    return found


def _read_extent(size: bytes, stride: bytes) -> Extent | None:
    shape, steps = _sizes(size), _sizes(stride)
    if shape is None or steps is None or len(shape) != len(steps) or min((*shape, *steps), default=0) < 0:
        return None
    span = 1 + sum((length - 1) * step for length, step in zip(shape, steps)) if 0 not in shape else 0
    product = 1
    for length in shape:
        product *= max(length, 1)
    return Extent(shape, steps, span) if max(span, product) < 1 << 50 else None


def _sizes(text: bytes) -> tuple[int, ...] | None:
    if text == b")":
        return ()
    numbers = tuple(map(_number, _NUMBERS.findall(text, 1 if text[0] == 0x28 else 0)))
    return numbers if _DIMENSIONS.get(text[-1], len(numbers)) == len(numbers) else None


TENSORS: dict[bytes, Handler] = {b"(": mark_or_tensor}
