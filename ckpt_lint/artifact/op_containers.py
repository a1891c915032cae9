"""Opcodes that work on the stack, the memo, and lists, tuples, dicts and sets."""

from __future__ import annotations

from ckpt_lint.artifact.limits import LimitReached
from ckpt_lint.artifact.machine import Broken, Handler, Machine
from ckpt_lint.artifact.values import Called, Counted, Ordered, Tensor, Value, hashable, type_name, weight


def mark(m: Machine) -> None:
    m.spent += 1
    m.frames.append(m.stack)
    m.stack = []


def pop(m: Machine) -> None:
    if m.stack:
        m.stack.pop()
    else:
        m.pop_mark()


def pop_mark(m: Machine) -> None:
    m.spent += 1
    m.pop_mark()


def dup(m: Machine) -> None:
    m.stack.append(m.stack[-1])


def empty_tuple(m: Machine) -> None:
    m.stack.append(())


def tuple_0(m: Machine) -> None:
    m.spent += 1
    items = tuple(m.pop_mark())
    m.memory += 48 + 8 * len(items)
    m.stack.append(items)


def tuple_1(m: Machine) -> None:
    m.memory += 48
    m.stack[-1] = (m.stack[-1],)


def tuple_2(m: Machine) -> None:
    last = m.stack.pop()
    m.memory += 56
    m.stack[-1] = (m.stack[-1], last)


def tuple_3(m: Machine) -> None:
    last = m.stack.pop()
    middle = m.stack.pop()
    m.memory += 64
    m.stack[-1] = (m.stack[-1], middle, last)


def empty_list(m: Machine) -> None:
    m.memory += 56
    m.stack.append([])


def list_0(m: Machine) -> None:
    m.spent += 1
    items = m.pop_mark()
    m.memory += 56
    m.stack.append(items)


def append(m: Machine) -> None:
    item = m.stack.pop()
    _extend(m, [item], "append to")


def appends(m: Machine) -> None:
    _extend(m, m.pop_mark(), "extend")


def _extend(m: Machine, items: list[Value], verb: str) -> None:
    target = m.stack[-1]
    m.spent += 2
    m.memory += 8 * len(items)
    if type(target) is list:
        target.extend(items)
        return
    m.spent += 12
    m.refuse(f"Can only {verb} lists, but got <class '{type_name(target)}'>")
    if isinstance(target, Called):
        target.elements.extend(items)


def empty_dict(m: Machine) -> None:
    m.memory += 64
    m.stack.append({})


def dict_0(m: Machine) -> None:
    items = m.pop_mark()
    m.memory += 64
    m.stack.append({})
    _assign(m, items, "SETITEMS")


def setitem(m: Machine) -> None:
    value = m.stack.pop()
    key = m.stack.pop()
    _assign(m, [key, value], "SETITEM")


def setitems(m: Machine) -> None:
    _assign(m, m.pop_mark(), "SETITEMS")


def _assign(m: Machine, items: list[Value], operand: str) -> None:
    target = m.stack[-1]
    m.spent += 6
    if type(target) not in (dict, Ordered, Counted):
        m.spent += 12
        m.refuse(
            f"Can only {operand} for dict, collections.OrderedDict, collections.Counter, "
            f"but got <class '{type_name(target)}'>"
        )
        if isinstance(target, Called):
            m.charge(len(items))
            pairs = list(zip(items[::2], items[1::2]))
            m.memory += 80 * len(pairs)
            target.items.extend(pairs)
        return
    if len(items) % 2:
        raise Broken("a dict with a key that has no value")
    m.memory += 54 * len(items)
    m.charge(len(items) >> 1)
    for index in range(0, len(items), 2):
        key = items[index]
        if type(key) is not str and not usable_key(m, key):
            continue
        target[key] = items[index + 1]


def usable_key(m: Machine, key: Value) -> bool:
    """Whether `key` can be hashed; notes the refusal where it cannot. Raises LimitReached for monstrous keys."""
    m.charge(8 + 4 * weight(key, m.limits.key_nodes))
    answer = hashable(key, m.limits.key_nodes)
    if answer is None:
        raise LimitReached("a dict key is nested too deeply")
    if not answer:
        m.spent += 6
        m.refuse(f"unhashable type: '{type_name(key)}'")
        return False
    if _costly(key):
        m.costly_keys += 1
        if m.costly_keys > m.limits.costly_keys:
            raise LimitReached("too many unusual dict keys")
    return True


def _costly(key: Value) -> bool:
    """Whether a file could choose keys of this sort that all hash alike; the hashes of text are not to be guessed."""
    if isinstance(key, int):
        return key.bit_length() > 60
    return isinstance(key, (tuple, frozenset)) and not all(
        type(part) is str or (type(part) is int and part.bit_length() < 61) for part in key
    )


def empty_set(m: Machine) -> None:
    m.memory += 216
    m.stack.append(set())


def additems(m: Machine) -> None:
    items = m.pop_mark()
    target = m.stack[-1]
    m.spent += 4
    if isinstance(target, set):
        m.memory += 64 * len(items)
        for item in items:
            if usable_key(m, item):
                target.add(item)
    elif isinstance(target, Called):
        target.elements.extend(items)


def frozen_set(m: Machine) -> None:
    items = m.pop_mark()
    m.spent += 6
    m.memory += 216 + 64 * len(items)
    m.stack.append(frozenset(item for item in items if usable_key(m, item)))


def get_text(m: Machine) -> None:
    m.charge(6)
    m.stack.append(m.get(_index(m)))


def get_1(m: Machine) -> None:
    m.stack.append(m.get(m.cursor.byte()))


def get_4(m: Machine) -> None:
    m.stack.append(m.get(int.from_bytes(m.cursor.take(4), "little")))


def put_text(m: Machine) -> None:
    m.charge(6)
    m.put(_index(m), m.stack[-1])


def _index(m: Machine) -> int:
    data = m.cursor.line()
    if len(data) > 19 or not data.strip().isdigit():
        raise Broken("a memo index that is no number")
    return int(data)


def put_1(m: Machine) -> None:
    m.put(m.cursor.byte(), m.stack[-1])


def put_4(m: Machine) -> None:
    m.charge(3)
    m.put(int.from_bytes(m.cursor.take(4), "little"), m.stack[-1])


def memoize(m: Machine) -> None:
    m.charge(3)
    m.put(m.memo_count, m.stack[-1])


def is_container(value: Value) -> bool:
    """Whether a value holds others that a reader may want to walk."""
    return isinstance(value, (dict, list, tuple, set, frozenset, Called, Tensor))


CONTAINERS: dict[bytes, Handler] = {
    b"(": mark, b"0": pop, b"1": pop_mark, b"2": dup, b")": empty_tuple, b"t": tuple_0, b"\x85": tuple_1,
    b"\x86": tuple_2, b"\x87": tuple_3, b"]": empty_list, b"l": list_0, b"a": append, b"e": appends, b"}": empty_dict,
    b"d": dict_0, b"s": setitem, b"u": setitems, b"\x8f": empty_set, b"\x90": additems, b"\x91": frozen_set,
    b"g": get_text, b"h": get_1, b"j": get_4, b"p": put_text, b"q": put_1, b"r": put_4, b"\x94": memoize,
}  # fmt: skip
