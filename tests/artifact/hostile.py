"""Hostile, damaged and foreign files, made when the tests run. Every payload is inert: at most it creates CANARY."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import pickle
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator

import numpy
import torch

CANARY = "CKPT_LINT_CANARY"
LINE = f"import pathlib; pathlib.Path({CANARY!r}).touch()"
SHELL = f"echo > {CANARY}"


def text(value: str) -> bytes:
    """BINUNICODE."""
    data = value.encode("utf-8", "surrogatepass")
    return b"X" + struct.pack("<I", len(data)) + data


def short(value: str) -> bytes:
    """SHORT_BINUNICODE."""
    return b"\x8c" + bytes([len(value)]) + value.encode()


def named(module: str, name: str) -> bytes:
    """GLOBAL."""
    return f"c{module}\n{name}\n".encode()


def call(module: str, name: str, argument: str, proto: int = 2) -> bytes:
    """A pickle that calls `module.name(argument)`."""
    return b"\x80" + bytes([proto]) + named(module, name) + text(argument) + b"\x85R."


def plain(value: object = None) -> bytes:
    """An honest torch zip."""
    buffer = io.BytesIO()
    torch.save({"w": torch.ones(4)} if value is None else value, buffer)
    return buffer.getvalue()


def old(value: object = None) -> bytes:
    """An honest legacy file."""
    buffer = io.BytesIO()
    torch.save({"w": torch.ones(4)} if value is None else value, buffer, _use_new_zipfile_serialization=False)
    return buffer.getvalue()


def with_pickle(data: bytes, *, name: str = "data.pkl", base: bytes | None = None, method: int = 0) -> bytes:
    """A torch zip with another data.pkl; sizes and CRCs right."""
    source, target = zipfile.ZipFile(io.BytesIO(base or plain())), io.BytesIO()
    with zipfile.ZipFile(target, "w", 8 if method else 0) as archive:
        for entry in source.infolist():
            if entry.filename.endswith("/data.pkl"):
                archive.writestr(entry.filename.replace("data.pkl", name), data)
            else:
                archive.writestr(entry.filename, source.read(entry))
    return target.getvalue()


def added(base: bytes, name: str, data: bytes) -> bytes:
    """A zip with one more member at its end."""
    buffer = io.BytesIO(base)
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr(name, data)
    return buffer.getvalue()


class Call:
    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        self.parts = function, arguments

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self.parts


EVIL = call("builtins", "exec", LINE)

TARGETS = [
    ("os", "system"), ("posix", "system"), ("nt", "system"), ("subprocess", "Popen"), ("subprocess", "check_output"),
    ("builtins", "exec"), ("builtins", "eval"), ("builtins", "compile"), ("builtins", "__import__"),
    ("builtins", "getattr"), ("builtins", "open"), ("builtins", "print"), ("builtins", "map"), ("builtins", "type"),
    ("__builtin__", "eval"), ("__builtin__", "execfile"), ("commands", "getoutput"), ("importlib", "import_module"),
    ("runpy", "_run_code"), ("runpy", "run_path"), ("pty", "spawn"), ("webbrowser", "open"), ("socket", "socket"),
    ("shutil", "rmtree"), ("ctypes", "CDLL"), ("marshal", "loads"), ("pickle", "loads"), ("_pickle", "loads"),
    ("dill", "loads"), ("code", "interact"), ("timeit", "timeit"), ("cProfile", "run"), ("pdb", "run"),
    ("bdb", "Bdb"), ("asyncio.subprocess", "create_subprocess_shell"), ("operator", "attrgetter"),
    ("operator", "methodcaller"), ("functools", "partial"), ("functools", "reduce"), ("itertools", "starmap"),
    ("torch", "load"), ("torch.hub", "load"), ("torch.serialization", "load"), ("torch.jit", "load"),
    ("torch._utils", "_import_dotted_name"), ("torch.utils.data.datapipes.utils.decoder", "basichandlers"),
    ("torch.nn.modules.linear", "math"), ("torch.nn.modules.module", "warnings.sys"), ("torch._inductor.codecache", "compile_file"),
    ("torch.nn.functional", "relu"), ("torch.storage", "torch.os.system"), ("collections", "abc.sys"), ("numpy.testing._private.utils", "runstring"),
    ("numpy.f2py.crackfortran", "myeval"), ("numpy.core", "os.system"), ("pip", "main"), ("random", "_os.system"),
    ("collections.OrderedDict", "__init__"), ("torch.FloatStorage", "__reduce__"), ("collections", "OrderedDict.fromkeys"),
    ("types", "FunctionType"), ("types", "CodeType"), ("site", "main"), ("lib2to3.pgen2.pgen", "ParserGenerator"),
    ("my_project", "Helper"), ("pathlib", "Path.touch"), ("pathlib", "os.system"), ("argparse", "_sys.exit"),
    ("logging.config", "ast.literal_eval"), ("os.path", "os.system"), ("torch.nn.modules.container.Sequential", "forward"),
]  # fmt: skip


def payload_zips() -> Iterator[tuple[str, bytes]]:
    """Calls of every sort of target, in a torch zip."""
    for module, name in TARGETS:
        yield f"zip {module}.{name}", with_pickle(call(module, name, SHELL))


def payload_opcodes() -> Iterator[tuple[str, bytes]]:
    """The ways in which a pickle can name and call a thing."""
    line = text(LINE)
    bodies = {
        "inst": b"(" + line + b"ibuiltins\nexec\n.",
        "inst old name": b"(" + line + b"i__builtin__\nexec\n.",
        "obj": b"(" + named("builtins", "exec") + line + b"o.",
        "newobj": named("subprocess", "Popen") + line + b"\x85\x81.",
        "newobj_ex": named("subprocess", "Popen") + line + b"\x85}\x92.",
        "build on call": named("my_project", "Thing") + b")\x81}" + text("x") + b"K\x01sb.",
        "stack global": b"\x80\x04" + short("builtins") + short("exec") + b"\x93" + short(LINE) + b"\x85R.",
        "stack global from memo": b"\x80\x04" + short("exec") + b"\x940" + short("os") + b"\x940" + short("builtins") + b"h\x00\x93" + short(LINE) + b"\x85R.",
        "stack global text opcode": b"Vbuiltins\nVexec\n\x93" + b"V" + LINE.encode() + b"\n\x85R.",
        "stack global string opcode": b"S'builtins'\nS'exec'\n\x93S\"" + LINE.encode() + b"\"\n\x85R.",
        "stack global after pops": text("junk") + b"0" + text("builtins") + text("x") + b"0" + text("exec") + b"\x93" + line + b"\x85R.",
        "stack global dup": text("os") + b"20" + text("system") + b"\x93" + text(SHELL) + b"\x85R.",
        "stack global codecs": named("_codecs", "encode") + text("builtins") + text("latin-1") + b"\x86R0" + text("builtins") + text("exec") + b"\x93" + line + b"\x85R.",
        "ext1": b"\x82\x01" + line + b"\x85R.",
        "ext2": b"\x83\x01\x02" + line + b"\x85R.",
        "ext4": b"\x84\x01\x02\x03\x04" + line + b"\x85R.",
        "unicode escapes": b"c" + "ｏｓ".encode() + b"\nsystem\n" + line + b"\x85R.",
        "newline trick": b"cos \nsystem\n" + line + b"\x85R.",
        "name only": named("os", "system") + b".",
        "name in a list": b"]" + named("builtins", "exec") + b"a.",
        "popped after the call": b"}" + named("builtins", "exec") + line + b"\x85R0.",
        "no stop": named("builtins", "exec") + line + b"\x85R",
        "stop is missing after junk": named("builtins", "exec") + line + b"\x85R\xff\xff\xff",
        "persistent id text": b"Pos.system\n" + named("builtins", "exec") + line + b"\x85R.",
        "pop mark hides it": b"(" + named("builtins", "exec") + line + b"\x85R1}.",
        "deep in a tuple": named("builtins", "exec") + line + b"\x85R" + b"\x85" * 50 + b".",
        "as a dict key": b"}" + named("builtins", "exec") + line + b"\x85RK\x01s.",
        "reduce of allowed with evil argument": named("collections", "OrderedDict") + b"]" + named("os", "system") + text(SHELL) + b"\x85Ra\x85R.",
        "rebuild from type": named("torch._tensor", "_rebuild_from_type_v2") + b"(" + named("os", "system") + named("torch", "Tensor") + text(SHELL) + b"\x85}tR.",
        "copyreg": named("copyreg", "_reconstructor") + b"(" + named("my_project", "Evil") + named("builtins", "object") + b"NtR.",
        "defaultdict factory": named("collections", "defaultdict") + named("os", "getpid") + b"\x85R.",
        "numpy reconstruct": named("numpy._core.multiarray", "_reconstruct") + b"(" + named("my_project", "Evil") + b"K\x00\x85C\x01btR.",
        "setstate": named("my_project.models", "Net") + b")\x81}b.",
        "enormous proto": b"\x80\x05" + named("builtins", "exec") + line + b"\x85R.",
        "second proto": b"\x80\x02\x80\x04" + named("builtins", "exec") + line + b"\x85R.",
        "frame lies": b"\x80\x04\x95\x01\x00\x00\x00\x00\x00\x00\x00" + short("builtins") + short("exec") + b"\x93" + short(LINE) + b"\x85R.",
    }  # fmt: skip
    for name, body in bodies.items():
        data = body if body[:1] == b"\x80" else b"\x80\x02" + body
        yield f"zip {name}", with_pickle(data)
        yield f"plain {name}", data


def payload_containers() -> Iterator[tuple[str, bytes]]:
    """The same call, hidden by the container."""
    yield "plain proto 0", pickle.dumps(Call(exec, LINE), 0)
    for proto in (1, 2, 3, 4, 5):
        yield f"plain proto {proto}", pickle.dumps({"a": [Call(exec, LINE)]}, proto)
    yield "plain without proto", named("builtins", "exec") + text(LINE) + b"\x85R."
    yield "second pickle", pickle.dumps([1]) + EVIL
    yield "third pickle", pickle.dumps([1]) + pickle.dumps([2]) + EVIL
    yield "trailing pickle in data.pkl", with_pickle(pickle.dumps({"a": 1}, 2) + EVIL)
    honest = old()
    for index in range(5):
        yield f"legacy pickle {index}", legacy_with(honest, index)
    yield "legacy object", old({"w": torch.ones(2), "x": Call(exec, LINE)})
    yield "deflated", with_pickle(EVIL, method=8)
    yield "upper case name", with_pickle(EVIL, name="DATA.PKL")
    yield "duplicate name, last evil", added(plain(), "archive/data.pkl", EVIL)
    yield "duplicate name, first evil", added(with_pickle(EVIL), "archive/data.pkl", pickle.dumps({}, 2))
    yield "case duplicate", added(plain(), "archive/Data.pkl", EVIL)
    yield "another pickle", added(plain(), "archive/extra.pkl", EVIL)
    yield "nested pt", added(plain(), "archive/inner.pt", with_pickle(EVIL))
    yield "nested twice", added(plain(), "archive/inner.pt", added(plain(), "archive/inner.pt", with_pickle(EVIL)))
    yield "torchscript with a payload", added(with_pickle(EVIL), "archive/constants.pkl", b"\x80\x02).")
    yield "torchscript constants", added(plain(), "archive/constants.pkl", EVIL)
    yield "no root", rootless(EVIL)
    yield "pickle in front of a zip", EVIL + plain()
    yield "zip appended to a pickle", pickle.dumps({"a": Call(exec, LINE)}, 2) + plain()
    yield "two archives", with_pickle(EVIL) + plain()
    yield "two archives, other order", plain() + with_pickle(EVIL)
    yield "archive in the comment", commented(plain(), with_pickle(EVIL)[:60000])
    yield "bytes behind", with_pickle(EVIL) + b"\0" * 100
    yield "local flag", patched_local(with_pickle(EVIL), 6, 1)
    yield "local method", patched_local(with_pickle(EVIL), 8, 99)
    yield "local strong encryption", patched_local(with_pickle(EVIL), 6, 0x40)
    yield "wrong crc", wrong_crc(with_pickle(EVIL))
    yield "local name", renamed_local(with_pickle(EVIL))
    yield "hidden record", hidden_record(EVIL)
    yield "nested load_from_bytes", pickle.dumps(Nested(with_pickle(EVIL)))
    yield "nested legacy in bytes", with_pickle(pickle.dumps(Nested(old({"x": Call(exec, LINE)})), 3))
    yield "nested load_from_bytes of a pickle", pickle.dumps(Nested(EVIL))
    yield "tar of torch 0.1", torch_tar(EVIL)
    yield "tar, evil storages", torch_tar(pickle.dumps({}, 2), EVIL)
    array = io.BytesIO()
    numpy.save(array, numpy.array([Call(exec, LINE)], dtype=object), allow_pickle=True)
    yield "object array", array.getvalue()
    arrays = io.BytesIO()
    numpy.savez(arrays, a=numpy.array([Call(exec, LINE)], dtype=object))
    yield "object array in npz", arrays.getvalue()
    yield "legacy then evil tail", old() + EVIL


class Nested:
    def __init__(self, data: bytes) -> None:
        self.data = data

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return torch.storage._load_from_bytes, (self.data,)


def legacy_with(data: bytes, index: int) -> bytes:
    """A legacy file in which one of the five pickles is the payload."""
    stream = io.BytesIO(data)
    parts = []
    for _ in range(5):
        start = stream.tell()
        for _ in __import__("pickletools").genops(stream):
            pass
        parts.append(data[start : stream.tell()])
    parts[index] = EVIL
    return b"".join(parts) + data[stream.tell() :]


def rootless(data: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("data.pkl", data)
        archive.writestr("version", "3\n")
    return buffer.getvalue()


def commented(data: bytes, comment: bytes) -> bytes:
    buffer = io.BytesIO(data)
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.comment = comment[:65000]
    return buffer.getvalue()


def local_of(data: bytes, name: bytes = b"data.pkl") -> int:
    """The offset of the local header of a member."""
    position = data.find(b"PK\x03\x04")
    while position >= 0:
        length = struct.unpack_from("<H", data, position + 26)[0]
        if data[position + 30 : position + 30 + length].endswith(name):
            return position
        position = data.find(b"PK\x03\x04", position + 4)
    raise AssertionError("no such member")


def patched_local(data: bytes, field: int, value: int) -> bytes:
    changed = bytearray(data)
    struct.pack_into("<H", changed, local_of(data) + field, value)
    return bytes(changed)


def wrong_crc(data: bytes) -> bytes:
    changed = bytearray(data)
    place = data.rfind(b"PK\x01\x02", 0, data.rfind(b"data.pkl"))
    struct.pack_into("<I", changed, place + 16, 0xDEADBEEF)
    return bytes(changed)


def renamed_local(data: bytes) -> bytes:
    changed = bytearray(data)
    place = local_of(data) + 30
    changed[place : place + 3] = b"zzz"
    return bytes(changed)


def hidden_record(data: bytes) -> bytes:
    """A record that stands in the file and not in the directory."""
    name = b"archive/data.pkl"
    header = struct.pack(
        "<4sHHHHHIIIHH", b"PK\x03\x04", 20, 0, 0, 0, 0, zlib.crc32(data), len(data), len(data), len(name), 0
    )
    front = header + name + data
    honest = bytearray(plain())
    end = honest.rfind(b"PK\x05\x06")
    start = struct.unpack_from("<I", honest, end + 16)[0]
    position = start
    while honest[position : position + 4] == b"PK\x01\x02":
        offset = struct.unpack_from("<I", honest, position + 42)[0]
        struct.pack_into("<I", honest, position + 42, offset + len(front))
        position += 46 + sum(struct.unpack_from("<HHH", honest, position + 28))
    struct.pack_into("<I", honest, end + 16, start + len(front))
    locator = honest.rfind(b"PK\x06\x07", 0, end)
    if locator >= 0:
        record = struct.unpack_from("<Q", honest, locator + 8)[0]
        struct.pack_into("<Q", honest, locator + 8, record + len(front))
        struct.pack_into("<Q", honest, record + 48, start + len(front))
    return front + bytes(honest)


def torch_tar(data: bytes, storages: bytes = b"\x80\x02K\x00.") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in (
            ("sys_info", b"\x80\x02}."),
            ("pickle", data),
            ("tensors", b"\x80\x02K\x00."),
            ("storages", storages),
        ):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def damaged() -> Iterator[tuple[str, bytes]]:
    """Files of torch that are cut, changed or incomplete."""
    data, legacy = plain({"w": torch.arange(100.0), "n": torch.ones(3)}), old({"w": torch.arange(100.0)})
    for part in (4, 30, 100, len(data) // 4, len(data) // 2, len(data) - 30, len(data) - 1):
        yield f"zip cut at {part}", data[:part]
    for part in (20, 60, 150, len(legacy) // 2, len(legacy) - 1):
        yield f"legacy cut at {part}", legacy[:part]
    member = data.index(b"cdata" if b"cdata" in data else b"ctorch")
    for step in (0, 2, 5, 9, 14):
        changed = bytearray(data)
        changed[member + step] ^= 0x55
        yield f"flip in data.pkl {step}", bytes(changed)
    yield "one byte in front", b"\0" + data
    yield "zeros in front", bytes(512) + data
    yield (
        "directory wiped",
        data[: data.rfind(b"PK\x01\x02") - 200] + bytes(len(data) - data.rfind(b"PK\x01\x02") + 200),
    )
    yield "record too long", with_pickle(tensor_pickle(count=3), base=plain({"w": torch.ones(4)}))
    yield "record too short", with_pickle(tensor_pickle(count=9), base=plain({"w": torch.ones(4)}))
    yield "record missing", with_pickle(tensor_pickle(key="7"))
    yield "view outside", with_pickle(tensor_pickle(size=9))
    yield "negative offset", with_pickle(tensor_pickle(offset=b"J\xff\xff\xff\xff"))
    yield "enormous size", with_pickle(tensor_pickle(size=1 << 31))
    yield "enormous storage", with_pickle(tensor_pickle(count=1 << 31))
    yield "memo index", with_pickle(b"\x80\x02h\x09.")
    yield "stack underflow", with_pickle(b"\x80\x02R.")
    yield "bad opcode", with_pickle(b"\x80\x02\xff.")
    yield "empty data.pkl", with_pickle(b"")
    yield "encrypted", patched_central(data, 8, 1)
    yield "unknown method", patched_central(data, 10, 12)
    yield "offset behind the end", patched_central(data, 42, 0xFFFFFF, "<I")
    yield "half zeros", bytes(4096) + data
    yield "tail zeros", data[: len(data) // 2] + bytes(len(data) // 2)
    yield "no version", without(data, "version")
    yield "bad byte order", added(without(data, "byteorder"), "archive/byteorder", b"middle")
    yield (
        "bytearray bomb",
        with_pickle(b"\x80\x02" + named("builtins", "bytearray") + b"\x8a\x05\x00\x00\x00\x00\x10\x85R."),
    )
    yield (
        "tensor bomb",
        with_pickle(b"\x80\x02" + named("torch", "FloatTensor") + b"\x8a\x05\x00\x00\x00\x00\x04\x85R."),
    )


def without(data: bytes, name: str) -> bytes:
    source, target = zipfile.ZipFile(io.BytesIO(data)), io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for entry in source.infolist():
            if not entry.filename.endswith("/" + name):
                archive.writestr(entry.filename, source.read(entry))
    return target.getvalue()


def patched_central(data: bytes, field: int, value: int, form: str = "<H") -> bytes:
    changed = bytearray(data)
    struct.pack_into(form, changed, data.find(b"PK\x01\x02") + field, value)
    return bytes(changed)


def tensor_pickle(*, count: int = 4, key: str = "0", size: int = 4, offset: bytes = b"K\x00") -> bytes:
    """One float tensor, as torch writes it, with numbers of our own."""
    number = lambda value: b"\x8a\x08" + struct.pack("<q", value)  # noqa: E731
    storage = b"(" + text("storage") + named("torch", "FloatStorage") + text(key) + text("cpu") + number(count) + b"tQ"
    body = storage + offset + number(size) + b"\x85K\x01\x85\x89" + named("collections", "OrderedDict") + b")Rt"
    return b"\x80\x02}" + text("w") + named("torch._utils", "_rebuild_tensor_v2") + b"(" + body + b"Rs."


def foreign() -> Iterator[tuple[str, bytes]]:
    """Files that are something else."""
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as archive:
        entry = tarfile.TarInfo("model.pt")
        entry.size = 3
        archive.addfile(entry, io.BytesIO(b"abc"))
    samples = {
        "empty": b"", "one zero": b"\0", "zeros": bytes(100_000), "newline": b"\n", "space": b" ",
        "lfs": b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 12\n",
        "html": b"<html><body>404</body></html>", "html upper": b"  <!DOCTYPE HTML><HTML></HTML>",
        "html after a comment": b"<!-- saved -->\n<html><head></head></html>",
        "xml": b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>",
        "json": b'{"error": "not found"}', "json list": b"[1, 2, 3]", "text": b"Not Found", "word": b"error",
        "yaml": b"model:\n  layers: 3\n", "csv": b"a,b\n1,2\n", "python": b"import torch\nprint(torch)\n",
        "script": b"#!/bin/sh\nexit 1\n", "utf16": "model weights".encode("utf-16"), "gzip": gzip.compress(b"x" * 99),
        "bz2": bz2.compress(b"x" * 99), "xz": lzma.compress(b"x" * 99), "zstd": b"\x28\xb5\x2f\xfd" + bytes(30),
        "7z": b"7z\xbc\xaf\x27\x1c" + bytes(30), "rar": b"Rar!\x1a\x07\x01\x00" + bytes(30), "tar": tar.getvalue(),
        "png": b"\x89PNG\r\n\x1a\n" + bytes(30), "jpeg": b"\xff\xd8\xff\xe0" + bytes(30), "pdf": b"%PDF-1.7\n",
        "elf": b"\x7fELF" + bytes(60), "exe": b"MZ" + bytes(60), "hdf5": b"\x89HDF\r\n\x1a\n" + bytes(60),
        "gguf": b"GGUF" + bytes(60), "onnx": b"\x08\x07\x12\x07pytorch", "tflite": b"\x1c\0\0\0TFL3" + bytes(40),
        "sqlite": b"SQLite format 3\0" + bytes(40), "random": bytes((i * 197 + 91) % 256 for i in range(3000)),
        "empty zip": b"PK\x05\x06" + bytes(18), "traceback": b"Traceback (most recent call last):\n  File x\n",
    }  # fmt: skip
    yield from samples.items()
    archive_of = io.BytesIO()
    with zipfile.ZipFile(archive_of, "w") as packed:
        packed.writestr("readme.txt", "hello")
    yield "zip of text", archive_of.getvalue()
    packed_again = io.BytesIO()
    with zipfile.ZipFile(packed_again, "w") as packed:
        packed.writestr("model.pth", plain())
    yield "zip of a checkpoint", packed_again.getvalue()
    yield "gzip of a checkpoint", gzip.compress(plain())
    array = io.BytesIO()
    numpy.save(array, numpy.ones(3))
    yield "npy", array.getvalue()


def bombs() -> Iterator[tuple[str, bytes]]:
    """Files that cost a naive reader its time or its memory; any verdict will do, but soon."""
    chain = (
        b"\x80\x02]q\x00"
        + b"".join(b"]q" + bytes([n]) + b"(" + (b"h" + bytes([n - 1])) * 9 + b"e" for n in range(1, 60))
        + b"."
    )
    yield "memo bomb", with_pickle(chain)
    yield "memo bomb plain", chain
    yield "tuple bomb as key", with_pickle(b"\x80\x02}K\x01" + b"2\x86" * 60 + b"K\x01s.")
    yield "deep list", with_pickle(b"\x80\x02" + b"]" * 200_000 + b"a" * 199_999 + b".")
    yield "deep tuple", with_pickle(b"\x80\x02)" + b"\x85" * 300_000 + b".")
    yield "deep tuple as key", with_pickle(b"\x80\x02}K\x01" + b"\x85" * 300_000 + b"K\x01s.")
    yield "many marks", with_pickle(b"\x80\x02" + b"(" * 500_000)
    yield "many sets", with_pickle(b"\x80\x04" + b"\x8f" * 2_000_000 + b".")
    yield "many dicts", b"\x80\x04" + b"}" * 3_000_000 + b"."
    yield "many nones", b"\x80\x02" + b"N" * 5_000_000 + b"."
    yield "huge string", with_pickle(b"\x80\x02X\xff\xff\xff\xff" + b"a" * 100 + b".")
    yield "huge bytes", b"\x80\x04\x8e" + struct.pack("<Q", 1 << 60) + b"."
    yield "huge long", b"\x80\x02\x8b\xff\xff\xff\x7f" + b"1" * 100 + b"."
    yield "huge decimal", b"L" + b"9" * 60_000 + b"L\n."
    yield "huge float", b"F" + b"9" * 60_000 + b"\n."
    yield "deflate bomb", with_pickle(b"\x80\x02" + b"N0" * 30_000_000 + b"N.", method=8)
    yield (
        "deflated text bomb",
        with_pickle(b"\x80\x02X" + struct.pack("<I", 60_000_000) + b"a" * 60_000_000 + b".", method=8),
    )
    colliding = b"".join(
        b"\x8a\x0a" + ((1 << 61) - 1).__mul__(n + 1).to_bytes(10, "little") + b"N" for n in range(40_000)
    )
    yield "colliding keys", with_pickle(b"\x80\x02}(" + colliding + b"u.")
    yield "long line", b"c" + b"a" * 3_000_000
    yield "self reference", with_pickle(b"\x80\x02]q\x00h\x00a.")
    yield "self in dict", with_pickle(b"\x80\x02}q\x00X\x01\x00\x00\x00ah\x00s.")
    yield "many globals", b"\x80\x02" + b"".join(f"cm{n}\nf\n0".encode() for n in range(100_000)) + b"N."
    header = b'{"a":' * 50_000
    yield "safetensors nested json", struct.pack("<Q", len(header)) + header
    yield "safetensors huge header", struct.pack("<Q", 99_000_000) + b'{"' + bytes(100)
    many = io.BytesIO()
    with zipfile.ZipFile(many, "w") as archive:
        for number in range(20_000):
            archive.writestr(f"archive/data/{number}", b"")
        archive.writestr("archive/data.pkl", b"\x80\x02}.")
        archive.writestr("archive/version", b"3\n")
    yield "many members", many.getvalue()
    yield "nested bytes", nested_bytes(12)
    yield "memo index huge", with_pickle(b"\x80\x02]r\xff\xff\xff\xff.")


def nested_bytes(depth: int) -> bytes:
    data = pickle.dumps([1])
    for _ in range(depth):
        data = pickle.dumps(Nested(data))
    return data
