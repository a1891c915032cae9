"""Opcodes that make plain values: numbers, strings, bytes, and the frames around them."""

from __future__ import annotations

import struct

from ckpt_lint.artifact.cursor import Truncated
from ckpt_lint.artifact.machine import Broken, Handler, Machine
from ckpt_lint.artifact.values import LongText

_MAX_DIGITS = 4000


def none(m: Machine) -> None:
    m.stack.append(None)


def true(m: Machine) -> None:
    m.stack.append(True)


def false(m: Machine) -> None:
    m.stack.append(False)


def int_text(m: Machine) -> None:
    """INT: decimal text, where 00 and 01 are the booleans of protocol 0."""
    data = m.cursor.line()
    m.charge(4)
    if data in (b"00", b"01"):
        m.stack.append(data == b"01")
    else:
        m.stack.append(_decimal(m, data))


def long_text(m: Machine) -> None:
    m.stack.append(_decimal(m, m.cursor.line().removesuffix(b"L")))


def _decimal(m: Machine, data: bytes) -> int:
    if len(data) > _MAX_DIGITS:
        raise Broken("a decimal number of thousands of digits")
    m.charge(6 + (len(data) >> 4) + (len(data) ** 2 >> 15))
    return int(data, 0)


def int_1(m: Machine) -> None:
    m.stack.append(m.cursor.byte())


def int_2(m: Machine) -> None:
    data = m.cursor.take(2)
    m.stack.append(data[0] | data[1] << 8)


def int_4(m: Machine) -> None:
    m.stack.append(int.from_bytes(m.cursor.take(4), "little", signed=True))


def long_1(m: Machine) -> None:
    m.charge(4)
    m.stack.append(int.from_bytes(m.cursor.take(m.cursor.take(1)[0]), "little", signed=True))


def long_4(m: Machine) -> None:
    length = int.from_bytes(m.cursor.take(4), "little", signed=True)
    if length < 0:
        raise Broken("a number of negative length")
    data = m.cursor.payload(length)
    m.charge(4 + (length >> 6))
    m.memory += 0 if data is None else len(data)
    m.stack.append(LongText("int", length) if data is None else int.from_bytes(data, "little", signed=True))


def float_text(m: Machine) -> None:
    data = m.cursor.line()
    m.charge(5 + (len(data) >> 4))
    m.stack.append(float(data))


def float_8(m: Machine) -> None:
    m.operands_seen.add("BINFLOAT")
    m.stack.append(struct.unpack(">d", m.cursor.take(8))[0])


def string_text(m: Machine) -> None:
    """STRING: a quoted repr of Python 2; kept as the bytes between the quotes."""
    data = m.cursor.line().strip()
    if len(data) < 2 or data[0] != data[-1] or data[0] not in b"'\"":
        raise Broken("a string without quotes")
    m.charge(6 + (len(data) >> 6))
    m.memory += 60 + len(data)
    m.stack.append(data[1:-1].decode("latin-1"))


def unicode_text(m: Machine) -> None:
    data = m.cursor.line()
    m.charge(8 + (len(data) >> 4))
    m.memory += 60 + len(data)
    m.stack.append(data.decode("raw-unicode-escape"))


def short_string(m: Machine) -> None:
    """SHORT_BINSTRING: a str of Python 2. torch decodes it as utf-8 and fails where it is none."""
    data = m.cursor.take(m.cursor.take(1)[0])
    m.memory += 60 + len(data)
    m.charge(2)
    try:
        m.stack.append(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        m.charge(12)
        m.refuse(str(error), "value")
        m.stack.append(data)


def long_string(m: Machine) -> None:
    length = int.from_bytes(m.cursor.take(4), "little", signed=True)
    if length < 0:
        raise Broken("a string of negative length")
    _bytes(m, length)


def unicode_1(m: Machine) -> None:
    _text(m, m.cursor.take(1)[0])


def unicode_4(m: Machine) -> None:
    cursor = m.cursor
    buffer, position = cursor.buffer, cursor.position
    end = position + 4
    length = int.from_bytes(buffer[position:end], "little")
    if length <= 256 and end + length <= len(buffer):  # the usual short string, without further calls
        cursor.position = end + length
        m.stack.append(str(buffer[end : end + length], "utf-8", "surrogatepass"))
        m.memory += length + 60
        return
    _text(m, int.from_bytes(cursor.take(4), "little"))


def unicode_8(m: Machine) -> None:
    _text(m, int.from_bytes(m.cursor.take(8), "little"))


def _text(m: Machine, length: int) -> None:
    data = m.cursor.payload(length)
    m.charge(4 + (length >> 6))
    m.memory += 60 + (0 if data is None else len(data))
    m.stack.append(LongText("str", length) if data is None else str(data, "utf-8", "surrogatepass"))


def bytes_1(m: Machine) -> None:
    _bytes(m, m.cursor.take(1)[0])


def bytes_4(m: Machine) -> None:
    _bytes(m, int.from_bytes(m.cursor.take(4), "little"))


def bytes_8(m: Machine) -> None:
    _bytes(m, int.from_bytes(m.cursor.take(8), "little"))


def _bytes(m: Machine, length: int) -> None:
    start = m.cursor.offset
    data = m.cursor.payload(length)
    m.charge(3 + (length >> 7))
    m.memory += 60 + (0 if data is None else len(data))
    m.stack.append(LongText("bytes", length, start) if data is None else data)


def bytearray_8(m: Machine) -> None:
    m.charge(6)
    _bytes(m, int.from_bytes(m.cursor.take(8), "little"))
    if isinstance(m.stack[-1], bytes):
        m.stack[-1] = bytearray(m.stack[-1])


def buffer(m: Machine) -> None:
    raise Broken("it needs buffers from outside of the file")


def protocol(m: Machine) -> None:
    """PROTO. Python refuses numbers above 5; torch only warns."""
    m.charge(2)
    m.protocol = m.cursor.take(1)[0]
    if m.protocol not in m.protocols:
        m.protocols.append(m.protocol)


def frame(m: Machine) -> None:
    """FRAME. No unpickler goes on where it is longer than the rest."""
    m.charge(5)
    m.cursor.ahead(int.from_bytes(m.cursor.take(8), "little"))


def unknown(m: Machine) -> None:
    raise Broken("a byte that is no pickle opcode")


def truncated(m: Machine) -> None:
    raise Truncated


PLAIN: dict[bytes, Handler] = {
    b"N": none, b"\x88": true, b"\x89": false, b"I": int_text, b"L": long_text, b"K": int_1, b"M": int_2, b"J": int_4,
    b"\x8a": long_1, b"\x8b": long_4, b"F": float_text, b"G": float_8, b"S": string_text, b"V": unicode_text,
    b"U": short_string, b"T": long_string, b"\x8c": unicode_1, b"X": unicode_4, b"\x8d": unicode_8, b"C": bytes_1,
    b"B": bytes_4, b"\x8e": bytes_8, b"\x96": bytearray_8, b"\x97": buffer, b"\x98": buffer, b"\x80": protocol,
    b"\x95": frame,
}  # fmt: skip
