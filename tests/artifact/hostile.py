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
    ("os", "system"),
    ("posix", "system"),
    ("nt", "system"),
    ("subprocess", "Popen"),
    ("subprocess", "check_output"),
    ("builtins", "exec"),
    ("builtins", "eval"),
    ("builtins", "compile"),
    ("builtins", "__import__"),
    ("builtins", "getattr"),
    ("builtins", "open"),
    ("builtins", "print"),
    ("builtins", "map"),
    ("builtins", "type"),
    ("__builtin__", "eval"),
    ("__builtin__", "execfile"),
    ("commands", "getoutput"),
    ("importlib", "import_module"),
    ("runpy", "_run_code"),
    ("runpy", "run_path"),
    ("pty", "spawn"),
    ("webbrowser", "open"),
    ("socket", "socket"),
    ("shutil", "rmtree"),
    ("ctypes", "CDLL"),
    ("marshal", "loads"),
    ("pickle", "loads"),
    ("_pickle", "loads"),
    ("dill", "loads"),
    ("code", "interact"),
    ("timeit", "timeit"),
    ("cProfile", "run"),
    ("pdb", "run"),
    ("bdb", "Bdb"),
    ("asyncio.subprocess", "create_subprocess_shell"),
    ("operator", "attrgetter"),
    ("operator", "methodcaller"),
    ("functools", "partial"),
    ("functools", "reduce"),
    ("itertools", "starmap"),
    ("torch", "load"),
    ("torch.hub", "load"),
    ("torch.serialization", "load"),
    ("torch.jit", "load"),
    ("torch._utils", "_import_dotted_name"),
    ("torch.utils.data.datapipes.utils.decoder", "basichandlers"),
    ("torch.nn.modules.linear", "math"),
    ("torch.nn.modules.module", "warnings.sys"),
    ("torch._inductor.codecache", "compile_file"),
    ("torch.nn.functional", "relu"),
    ("torch.storage", "torch.os.system"),
    ("collections", "abc.sys"),
    ("numpy.testing._private.utils", "runstring"),
    ("numpy.f2py.crackfortran", "myeval"),
    ("numpy.core", "os.system"),
    ("pip", "main"),
    ("random", "_os.system"),
    ("collections.OrderedDict", "__init__"),
    ("torch.FloatStorage", "__reduce__"),
    ("collections", "OrderedDict.fromkeys"),
    ("types", "FunctionType"),
    ("types", "CodeType"),
    ("site", "main"),
    ("lib2to3.pgen2.pgen", "ParserGenerator"),
    ("my_project", "Helper"),
    ("pathlib", "Path.touch"),
    ("pathlib", "os.system"),
    ("argparse", "_sys.exit"),
    ("logging.config", "ast.literal_eval"),
    ("os.path", "os.system"),
    ("torch.nn.modules.container.Sequential", "forward"),
]


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
        "stack global from memo": b"\x80\x04"
        + short("exec")
        + b"\x940"
        + short("os")
        + b"\x940"
        + short("builtins")
        + b"h\x00\x93"
        + short(LINE)
        + b"\x85R.",
        "stack global text opcode": b"Vbuiltins\nVexec\n\x93" + b"V" + LINE.encode() + b"\n\x85R.",
        "stack global string opcode": b"S'builtins'\nS'exec'\n\x93S\"" + LINE.encode() + b'"\n\x85R.',
        "stack global after pops": text("junk")
        + b"0"
        + text("builtins")
        + text("x")
        + b"0"
        + text("exec")
        + b"\x93"
        + line
        + b"\x85R.",
        "stack global dup": text("os") + b"20" + text("system") + b"\x93" + text(SHELL) + b"\x85R.",
        "stack global codecs": named("_codecs", "encode")
        + text("builtins")
        + text("latin-1")
        + b"\x86R0"
        + text("builtins")
        + text("exec")
        + b"\x93"
        + line
        + b"\x85R.",
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
        "reduce of allowed with evil argument": named("collections", "OrderedDict")
        + b"]"
        + named("os", "system")
        + text(SHELL)
        + b"\x85Ra\x85R.",
        "rebuild from type": named("torch._tensor", "_rebuild_from_type_v2")
        + b"("
        + named("os", "system")
        + named("torch", "Tensor")
        + text(SHELL)
        + b"\x85}tR.",
        "copyreg": named("copyreg", "_reconstructor")
        + b"("
        + named("my_project", "Evil")
        + named("builtins", "object")
        + b"NtR.",
        "defaultdict factory": named("collections", "defaultdict") + named("os", "getpid") + b"\x85R.",
        "numpy reconstruct": named("numpy._core.multiarray", "_reconstruct")
        + b"("
        + named("my_project", "Evil")
        + b"K\x00\x85C\x01btR.",
        "setstate": named("my_project.models", "Net") + b")\x81}b.",
        "enormous proto": b"\x80\x05" + named("builtins", "exec") + line + b"\x85R.",
        "second proto": b"\x80\x02\x80\x04" + named("builtins", "exec") + line + b"\x85R.",
        "frame lies": b"\x80\x04\x95\x01\x00\x00\x00\x00\x00\x00\x00"
        + short("builtins")
        + short("exec")
        + b"\x93"
        + short(LINE)
        + b"\x85R.",
    }
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
    zero = with_pickle(EVIL, name="data.pklX").replace(b"data.pklX", b"data.pkl\x00")
    yield "zero byte in the name", zero
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


def payload_inside() -> Iterator[tuple[str, bytes]]:
    """Payloads inside of other files, which torch.load never reaches and other readers do."""
    evil = with_pickle(EVIL)
    yield "byte in front", b"\0" + evil
    yield "text in front", b"weights follow\n" + evil
    yield "honest pickle, evil zip", pickle.dumps([1], 2) + evil
    yield "gzip", gzip.compress(EVIL)
    yield "gzip of a zip", gzip.compress(evil)
    yield "bz2", bz2.compress(EVIL)
    yield "xz", lzma.compress(EVIL)
    yield "zlib", zlib.compress(EVIL)
    yield "zip in zip", stuffed({"model.pt": evil})
    yield "zip in zip, packed", stuffed({"model.pt": evil}, 8)
    yield "zip of a pickle without a suffix", stuffed({"weights": EVIL})
    yield "zip of a pickle of another suffix", stuffed({"readme.txt": EVIL}, 8)
    yield "record without a suffix", added(plain(), "archive/notes", EVIL)
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as archive:
        entry = tarfile.TarInfo("model.pt")
        entry.size = len(evil)
        archive.addfile(entry, io.BytesIO(evil))
    yield "tar of a zip", tar.getvalue()
    yield "tar in gzip", gzip.compress(tar.getvalue())
    changed = (
        named("torch.nn.modules.linear", "Linear") + b"N}" + text("forward") + named("builtins", "list") + b"s\x86b."
    )
    yield "state for a class", b"\x80\x02" + changed
    unread = named("torch.storage", "_load_from_bytes") + named("builtins", "bytes") + b"]K\x01a\x85R\x85R."
    yield "bytes that are computed", b"\x80\x03" + unread


def stuffed(files: dict[str, bytes], method: int = 0) -> bytes:
    """A zip of these files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()
