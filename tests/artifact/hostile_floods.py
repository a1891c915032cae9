"""Files of one thing again and again: what costs a reader most for each byte, for every opcode and container.

An attacker would try one after the other. Each flood is a name and a function that makes a file of about that size.
"""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import struct
import tarfile
import zipfile
from collections.abc import Callable, Iterator

Flood = Callable[[int], bytes]
_LEGACY = (
    b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.\x80\x02}q\x00(X\x10\x00\x00\x00protocol_versionq\x01"
    b"M\xe9\x03X\r\x00\x00\x00little_endianq\x02\x88X\n\x00\x00\x00type_sizesq\x03}u."
)
_TEXT = b"X\x06\x00\x00\x00abcdef"
_KILO = b"X\xff\xff\x00\x00" + b"a" * 0xFFFF

# Opcodes that leave a value; each is taken off again, or left to lie.
PUSHES: dict[str, bytes] = {
    "NONE": b"N", "TRUE": b"\x88", "INT": b"I7\n", "INT of a bool": b"I01\n", "LONG": b"L7L\n", "BININT1": b"K\x01",
    "BININT2": b"M\x01\x01", "BININT": b"J\x01\x01\x01\x01", "LONG1": b"\x8a\x01\x07", "LONG1 of nothing": b"\x8a\x00",
    "LONG4": b"\x8b\x01\x00\x00\x00\x07", "FLOAT": b"F1\n", "BINFLOAT": b"G" + bytes(8), "STRING": b"S''\n",
    "UNICODE": b"V\n", "SHORT_BINSTRING": b"U\x00", "SHORT_BINSTRING no utf-8": b"U\x01\xff", "BINSTRING": b"T\0\0\0\0",
    "SHORT_BINUNICODE": b"\x8c\x00", "BINUNICODE": b"X\0\0\0\0", "BINUNICODE8": b"\x8d" + bytes(8),
    "SHORT_BINBYTES": b"C\x00", "BINBYTES": b"B\0\0\0\0", "BINBYTES8": b"\x8e" + bytes(8),
    "BYTEARRAY8": b"\x96" + bytes(8), "EMPTY_TUPLE": b")", "EMPTY_LIST": b"]", "EMPTY_DICT": b"}",
    "EMPTY_SET": b"\x8f", "TUPLE": b"(t", "LIST": b"(l", "DICT": b"(d", "FROZENSET": b"(\x91", "TUPLE1": b"N\x85",
    "TUPLE2": b"NN\x86", "TUPLE3": b"NNN\x87", "DUP": b"2", "BINGET": b"h\x00", "LONG_BINGET": b"j\0\0\0\0",
    "GET": b"g0\n", "MARK": b"((1N", "GLOBAL": b"cm\nn\n", "EXT1": b"\x82\x01", "EXT2": b"\x83\x01\x00",
    "EXT4": b"\x84\x01\0\0\0", "INST": b"(im\nn\n", "PERSID": b"P7\n", "BINPERSID": b"NQ", "BINPERSID of a tuple": b")Q",
    "FRAME": b"N\x95" + bytes(8), "PROTO": b"N\x80\x02",
}  # fmt: skip
# What comes before, the unit that is repeated, and what comes behind.
UNITS: dict[str, tuple[bytes, bytes, bytes]] = {
    "TUPLE1 in itself": (b")", b"\x85", b"."),
    "APPEND": (b"]", b"Na", b"."),
    "APPENDS of none": (b"]", b"(e", b"."),
    "APPENDS of many": (b"](", b"N", b"e."),
    "APPEND to what is no list": (b"N", b"Na", b"."),
    "SETITEM": (b"}", b"NNs", b"."),
    "SETITEMS": (b"}(", _TEXT + b"N", b"u."),
    "SETITEM of a tuple": (b"}", b")Ns", b"."),
    "SETITEM unhashable": (b"}", b"]Ns", b"."),
    "SETITEM of a large tuple": (b"}(" + b"K\x01" * 1900 + b"tq\x000", b"h\x00Ns", b"."),
    "SETITEM of a tuple of large numbers": (
        b"}(" + b"\x8b\x00\xe0\x00\x00" + b"\x07" * 0xE000 + b"q\x01" + b"h\x01" * 1900 + b"tq\x000", b"h\x00Ns", b"."),
    "SETITEM of a large number": (b"}\x8b\x00\x00\x0f\x00" + b"\x07" * 0xF0000 + b"q\x000", b"h\x00Ns", b"."),
    "SETITEM into an object": (b"cm\nn\n)R", b"NNs", b"."),
    "ADDITEMS": (b"\x8f", b"(N\x90", b"."),
    "ADDITEMS of many": (b"\x8f(", b"N", b"\x90."),
    "FROZENSET of many": (b"(", b"K\x01", b"\x91."),
    "FROZENSET in itself": (b"N", b"(h\x000\x91", b"."),
    "PUT": (b"N", b"p0\n", b"."), "BINPUT": (b"N", b"q\x00", b"."), "LONG_BINPUT": (b"N", b"r\x07\x00\x00\x00", b"."),
    "MEMOIZE": (b"N", b"\x94", b"."),
    "POP_MARK": (b"N", b"(1", b"."),
    "GLOBAL and POP": (b"N", b"ctorch\nFloatStorage\n0", b"."),
    "STACK_GLOBAL": (b"X\x01\0\0\0aq\x00", b"h\x00\x930h\x00h\x00\x930h\x00", b"N."),
    "STACK_GLOBAL of long names": (_KILO + b"q\x00", b"h\x00\x930h\x00h\x00\x930h\x00", b"N."),
    "REDUCE of OrderedDict": (b"ccollections\nOrderedDict\nq\x00)R", b"0h\x00)R", b"."),
    "REDUCE of OrderedDict of a dict": (
        b"}(" + b"".join(b"X\x04\0\0\0%04dN" % n for n in range(2000)) + b"u\x85q\x010ccollections\nOrderedDict\nq\x00N",
        b"0h\x00h\x01R", b"."),
    "REDUCE of Counter of a dict": (
        b"}(" + b"".join(b"X\x04\0\0\0%04dN" % n for n in range(2000)) + b"u\x85q\x010ccollections\nCounter\nq\x00N",
        b"0h\x00h\x01R", b"."),
    "REDUCE of set": (b"(" + b"K\x01" * 5000 + b"t\x85q\x010c__builtin__\nset\nq\x00N", b"0h\x00h\x01R", b"."),
    "REDUCE of Size": (b"(" + b"K\x01" * 5000 + b"t\x85q\x010ctorch\nSize\nq\x00N", b"0h\x00h\x01R", b"."),
    "REDUCE of bytearray": (_KILO + b"X\x06\0\0\0latin1\x86q\x010c__builtin__\nbytearray\nq\x00N", b"0h\x00h\x01R", b"."),
    "REDUCE of encode": (_KILO + b"X\x06\0\0\0latin1\x86q\x010c_codecs\nencode\nq\x00N", b"0h\x00h\x01R", b"."),
    "REDUCE of encode by a long name": (b"N" + _KILO + b"\x86q\x010c_codecs\nencode\nq\x00N", b"0h\x00h\x01R", b"."),
    "REDUCE of complex": (_KILO + b"\x85q\x010c__builtin__\ncomplex\nq\x00N", b"0h\x00h\x01R", b"."),
    "REDUCE of device": (_KILO + b"\x85q\x010ctorch\ndevice\nq\x00N", b"0h\x00h\x01R", b"."),
    "REDUCE of an unknown": (b"cm\nn\nq\x00N", b"0h\x00)R", b"."),
    "REDUCE of a long unknown": (b"c" + b"m" * 60_000 + b"\nn\nq\x00N", b"0h\x00)R", b"."),
    "REDUCE of an empty tensor": (b"ctorch\nFloatTensor\nq\x00N", b"0h\x00)R", b"."),
    "REDUCE of a tensor without data": (
        b"(" + b"K\x01" * 900 + b"tq\x000ctorch._utils\n_rebuild_meta_tensor_no_storage\nq\x01N"
        b"ctorch\nfloat32\nq\x020", b"0h\x01(h\x02h\x00h\x00\x89tR", b"."),
    "REDUCE of a tensor": (
        b"ctorch._utils\n_rebuild_tensor_v2\nq\x01N", b"0h\x01(NK\x00)))\x89}tR", b"."),
    "NEWOBJ": (b"ccollections\nOrderedDict\nq\x00)\x81", b"0h\x00)\x81", b"."),
    "NEWOBJ of an unknown": (b"cm\nn\nq\x00)\x81", b"0h\x00)\x81", b"."),
    "NEWOBJ_EX": (b"cm\nn\nq\x00)}\x92", b"0h\x00)}\x92", b"."),
    "OBJ": (b"cm\nn\nq\x00", b"0(h\x00o", b"."),
    "OBJ of many": (b"cm\nn\nq\x000(h\x00", b"N", b"o."),
    "BUILD": (b"ccollections\nOrderedDict\n)R", b"}b", b"."),
    "BUILD of a large dict": (
        b"}(" + b"".join(b"X\x04\0\0\0%04dN" % n for n in range(5000)) + b"uq\x000ccollections\nOrderedDict\n)R",
        b"h\x00b", b"."),
    "BUILD of an object": (b"}" + _TEXT + b"}sq\x000cm\nn\n)R", b"h\x00b", b"."),
    "BUILD of a tensor": (
        b"}(" + b"".join(b"X\x04\0\0\0%04dN" % n for n in range(5000)) + b"uq\x000ctorch\nFloatTensor\n)R",
        b"h\x00b", b"."),
    "BINPERSID of storages": (
        b"X\x07\0\0\0storageq\x00ctorch\nFloatStorage\nq\x01X\x03\0\0\0cpuq\x02", b"0(h\x00h\x01X\x01\0\0\0ah\x02K\x00tQ",
        b"."),
    "BINPERSID of long keys": (
        b"X\x07\0\0\0storageq\x00ctorch\nFloatStorage\nq\x01X\x03\0\0\0cpuq\x02" + _KILO + b"q\x03",
        b"0(h\x00h\x01h\x03h\x02K\x00tQ", b"."),
    "long texts": (b"N", b"0" + _KILO, b"."),
    "long texts of three bytes": (b"N", b"0X\xf0\xff\x00\x00" + "\u20ac".encode() * (0xFFF0 // 3), b"."),
    "decimal numbers": (b"N", b"0L" + b"7" * 3999 + b"L\n", b"."),
    "decimal fractions": (b"N", b"0F0." + b"7" * 60_000 + b"\n", b"."),
    "raw lines": (b"N", b"0V" + b"\\u0041" * 10_000 + b"\n", b"."),
    "large numbers": (b"N", b"0\x8b\x00\xff\x00\x00" + b"\x07" * 0xFF00, b"."),
    "dicts of text": (b"](", b"}" + _TEXT + b"Ns", b"e."),
    "lists in lists": (b"](", b"]]a", b"e."),
    "sets of numbers": (b"](", b"\x8f(K\x01\x90", b"e."),
    "copies of a bytearray": (
        b"B\0\0\x10\0" + b"a" * (1 << 20) + b"q\x000cbuiltins\nbytearray\nq\x010](", b"h\x01h\x00\x85R", b"e."),
    "copies by a codec": (
        b"X\0\0\x10\0" + b"a" * (1 << 20) + b"q\x000X\x06\0\0\0latin1q\x010c_codecs\nencode\nq\x020](",
        b"h\x02h\x00h\x01\x86R", b"e."),
    "STACK_GLOBAL of a long text": (b"X\0\0\x10\0" + b"a" * (1 << 20) + b"q\x000](", b"h\x00h\x00\x93", b"e."),
    "optimizers": (
        b"}q\x00](", b"}(X\x05\0\0\0stateh\x00X\x0c\0\0\0param_groups]u", b"e."),
}  # fmt: skip
_BEFORE = {"BINGET": b"Nq\x00", "LONG_BINGET": b"Nq\x00", "GET": b"Nq\x00", "DUP": b"N"}


def opcode_floods() -> Iterator[tuple[str, Flood]]:
    """Pickles full of one opcode each: plain, in a torch zip, deflated, and as the object of a legacy file."""
    for name, unit in PUSHES.items():
        yield f"{name} and POP", _filled(b"\x80\x02" + _BEFORE.get(name, b"") + b"N", b"0" + unit, b".")
        yield f"{name} left", _filled(b"\x80\x02" + _BEFORE.get(name, b""), unit, b".")
    for name, (before, unit, behind) in UNITS.items():
        yield name, _filled(b"\x80\x02" + before, unit, behind)
    yield "MEMO of many places", _memo_flood
    yield "MEMO of far places", _far_flood
    yield "GLOBAL of many names", lambda size: b"\x80\x02" + _counted(b"cm%d\nf\n0", size) + b"N."
    yield "dict of text", lambda size: b"\x80\x02}(" + b"".join(
        b"X\x08\0\0\0%08dN" % n for n in range(size // 14)) + b"u."  # fmt: skip
    yield "set of numbers", lambda size: b"\x80\x04\x8f(" + b"".join(
        b"J" + struct.pack("<i", n) for n in range(size // 5)) + b"\x90."  # fmt: skip
    yield "dict of numbers", lambda size: b"\x80\x02}(" + b"".join(
        b"J" + struct.pack("<i", n) + b"N" for n in range(size // 6)) + b"u."  # fmt: skip
    yield "progress counters", lambda size: b"\x80\x02}(" + b"".join(
        b"X\x0d\0\0\0step_%08d}X\x04\0\0\0stepK\x01s" % n for n in range(size // 30)) + b"u."  # fmt: skip


def _filled(before: bytes, unit: bytes, behind: bytes) -> Flood:
    return lambda size: before + unit * (size // len(unit)) + behind


def _counted(pattern: bytes, size: int) -> bytes:
    return b"".join(pattern % number for number in range(size // len(pattern)))


def _memo_flood(size: int) -> bytes:
    return b"\x80\x02N" + b"".join(b"r" + struct.pack("<I", n) for n in range(size // 5)) + b"."


def _far_flood(size: int) -> bytes:
    return (
        b"\x80\x02N"
        + b"".join(b"r" + struct.pack("<I", (n * 7919 + 1000) & 0x7FFFFFFF) for n in range(size // 5))
        + b"."
    )


def torch_zip(data: bytes, *, method: int = 0, records: int = 0) -> bytes:
    """What torch.save writes around a pickle; `records` of four bytes each."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        archive.writestr("archive/data.pkl", data)
        archive.writestr("archive/version", b"3\n")
        for number in range(records):
            archive.writestr(f"archive/data/{number}", bytes(4))
    return buffer.getvalue()


def legacy(data: bytes) -> bytes:
    """The legacy format around the pickle of an object."""
    return _LEGACY + data + b"\x80\x02]."


def tensors(count: int, *, shape: bytes = b"K\x01\x85", depth: int = 0) -> bytes:
    """The pickle of a dict of `count` tensors, just as torch.save writes it."""
    head = (
        b"\x80\x02}q\x00(X\x01\0\0\0aq\x01ctorch._utils\n_rebuild_tensor_v2\nq\x02((X\x07\0\0\0storageq\x03"
        b"ctorch\nFloatStorage\nq\x04X\x01\0\0\x000q\x05X\x03\0\0\0cpuq\x06K\x01tq\x07QK\x00" + shape + b"q\x08"
        + shape + b"q\x09\x89ccollections\nOrderedDict\nq\x0a)Rq\x0btq\x0cRq\x0d"
    )  # fmt: skip
    parts = [head]
    for number in range(1, count):
        key, place = b"%d" % number, 14 + 8 * number
        puts = [b"r" + struct.pack("<I", place + index) for index in range(8)]
        name = b"model.layers.%d.mlp.experts.%d.weight" % (number // 64, number % 64)
        parts += (
            b"X", struct.pack("<I", len(name)), name, puts[0], b"h\x02((h\x03h\x04X", struct.pack("<I", len(key)), key,
            puts[1], b"h\x06K\x01t", puts[2], b"QK\x00", shape, puts[3], shape, puts[4], b"\x89h\x0a)R", puts[5], b"t",
            puts[6], b"R", puts[7],
        )  # fmt: skip
    return b"".join(parts) + b"u."


def container_floods() -> Iterator[tuple[str, Flood]]:
    """Archives, headers and look-alikes that are full of one thing."""
    yield "tensors in a zip", lambda size: torch_zip(tensors(size // 420), records=size // 420)
    yield "tensors of one storage", lambda size: torch_zip(tensors(1)[:-2] + _views(size // 60) + b"u.", records=1)
    yield "tensors of many dimensions", lambda size: torch_zip(
        tensors(size // 4000, shape=b"(" + b"K\x01" * 900 + b"t"), records=10)  # fmt: skip
    yield "one tensor of many names", lambda size: torch_zip(tensors(1)[:-2] + _names(size // 20) + b"u.", records=1)
    yield "legacy tensors", lambda size: legacy(tensors(size // 150).replace(b"h\x06K\x01t", b"h\x06K\x01Nt"))
    yield "zip members", lambda size: _members("archive/data/%d", size)
    yield "zip members in no folder", lambda size: _members("%d.bin", size)
    yield "zip members of one name", lambda size: _members("archive/data/1", size)
    yield "pickles in a zip", lambda size: _members("archive/%d.pkl", size, b"\x80\x02N.")
    yield "zips in a zip", lambda size: _members("archive/%d.pt", size, torch_zip(b"\x80\x02N."))
    yield "arrays in a zip", lambda size: _members("archive/%d.npy", size, npy(b"{1:" + b"1," * 2000))
    yield "entries of a directory", entries
    yield "stacked pickles", lambda size: b"\x80\x02N." * (size // 4)
    yield "pickles in a pickle", lambda size: b"\x80\x02" + _nested(torch_zip(b"\x80\x02N."), size)
    yield "legacy in a pickle", lambda size: b"\x80\x02" + _nested(legacy(b"\x80\x02N."), size)
    yield "tar members", lambda size: _tar(size, "%d.pt", b"\x80\x02N.")
    yield "old tar", lambda size: _old_tar(b"\x80\x02" + b"N0" * (size // 2) + b"N.")
    yield (
        "safetensors of names",
        lambda size: safetensors(
            b"{"
            + b",".join(b'"%d":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}' % n for n in range(size // 55))
            + b"}"
        ),
    )
    yield "safetensors of lists", lambda size: safetensors(b'{"a":[' + b"[]," * (size // 3) + b"1]}")
    yield "safetensors of escapes", lambda size: safetensors(b'{"a":"' + b"\\u0041" * (size // 6) + b'"}')
    yield "safetensors of metadata", lambda size: safetensors(
        json.dumps({"__metadata__": {f"k{n}": "v" for n in range(size // 14)}}).encode())  # fmt: skip
    yield "npy of a large header", lambda size: npy(b"{1:" + b"1," * 30_000) + bytes(size)
    yield "bzip2 of zeros", lambda size: bz2.compress(b"\x80\x02B" + struct.pack("<I", 6 * size) + bytes(6 * size) + b".")
    yield "skipped in deflate", _skipped
    yield "GLOBAL of long names", lambda size: b"\x80\x02" + b"".join(
        b"c%08d" % number + b"a" * 30_000 + b"\nb\n0" for number in range(4 * size // 30_000)) + b"N."
    yield "safetensors of small tensors", lambda size: safetensors(
        b"{" + b",".join(b'"%d":{"dtype":"F32","shape":[1],"data_offsets":[%d,%d]}' % (number, 4 * number, 4 * number + 4)
                         for number in range(size // 70)) + b"}") + bytes(size // 70 * 4)
    yield "bzip2", lambda size: bz2.compress(b"\x80\x02" + b"N0" * (2 * size) + b"N.", 1)
    yield "gzip", lambda size: gzip.compress(b"\x80\x02" + b"N0" * (10 * size) + b"N.", 1)
    yield "xz", lambda size: lzma.compress(b"\x80\x02" + b"N0" * (2 * size) + b"N.", preset=0)
    for name, magic in {
        "gguf": b"GGUF\x03\0\0\0",
        "h5": b"\x89HDF\r\n\x1a\n",
        "onnx": b"\x08\x07\x12\x07pytorch",
    }.items():
        yield f"{name} before a pickle", lambda size, magic=magic: magic + b"\xff" * 64 + b"K\x01" * (size // 2)


def _skipped(size: int) -> bytes:
    """A few kilobytes that unpack to more than a reader can look at: first a long text, then one opcode again and again."""
    return torch_zip(b"\x80\x02B" + struct.pack("<I", 25 * size) + bytes(25 * size) + b"N0" * size + b"N.", method=8)


def _views(count: int) -> bytes:
    """Tensors that all share the storage of the first one, in the form that is read opcode by opcode."""
    unit = b"X\x08\0\0\0%08dh\x02((h\x03h\x04h\x05h\x06K\x01tQK\x00K\x01\x85K\x01\x85\x89h\x0a)RtR"
    return b"".join(unit % number for number in range(count))


def _names(count: int) -> bytes:
    return b"".join(b"X\x08\0\0\0%08dh\x0d" % number for number in range(count))


def _members(pattern: str, size: int, data: bytes = b"") -> bytes:
    buffer = io.BytesIO()
    count = size // (len(data) + 90 + 2 * len(pattern))
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02N.")
        archive.writestr("archive/version", b"3\n")
        archive.NameToInfo = _Forgetful()
        for number in range(count):
            archive.writestr(pattern % number if "%" in pattern else pattern, data)
    return buffer.getvalue()


class _Forgetful(dict[str, zipfile.ZipInfo]):
    """Lets one name be written twice without a warning."""

    def __contains__(self, key: object) -> bool:
        return False


def entries(size: int) -> bytes:
    """A directory that names one record again and again, in the 64-bit form."""
    data = torch_zip(b"\x80\x02N.")
    start, end = data.rfind(b"PK\x01\x02"), data.rfind(b"PK\x05\x06")
    count = size // (end - start)
    directory = data[start:end] * count
    record = struct.pack("<4sQHHIIQQQQ", b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, len(directory), start)
    locator = struct.pack("<4sIQI", b"PK\x06\x07", 0, start + len(directory), 1)
    full = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 65535, 65535, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    return data[:start] + directory + record + locator + full


def _nested(inner: bytes, size: int) -> bytes:
    """Bytes for torch.storage._load_from_bytes, the same ones again and again."""
    head = b"ctorch.storage\n_load_from_bytes\nq\x00B" + struct.pack("<I", len(inner)) + inner + b"\x85q\x01"
    return head + b"0h\x00h\x01R" * (size // 6) + b"."


def _tar(size: int, pattern: str, data: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for number in range(size // 1024):
            info = tarfile.TarInfo(pattern % number)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def _old_tar(data: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name in ("pickle", "storages", "tensors", "sys_info"):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def safetensors(header: bytes) -> bytes:
    return struct.pack("<Q", len(header)) + header


def npy(header: bytes) -> bytes:
    return b"\x93NUMPY\x02\x00" + struct.pack("<I", len(header)) + header
