"""Files that are two things at once, or hide a payload behind, in or beside an honest file; odd spellings; old tars.

Every payload is inert, as in `hostile`.
"""

from __future__ import annotations

import base64
import gzip
import io
import pickle
import struct
import tarfile
import zipfile
from collections.abc import Iterator

import numpy
import torch

from tests.artifact.hostile import (
    EVIL,
    LINE,
    SHELL,
    Call,
    added,
    call,
    legacy_with,
    named,
    old,
    plain,
    short,
    stuffed,
    text,
    torch_tar,
    with_pickle,
)

NUMBERS = b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'


def safetensors(header: bytes, data: bytes = b"") -> bytes:
    return struct.pack("<Q", len(header)) + header + data


def npy(value: object, *, objects: bool = False) -> bytes:
    buffer = io.BytesIO()
    numpy.save(buffer, numpy.array([value], dtype=object) if objects else numpy.asarray(value), allow_pickle=objects)
    return buffer.getvalue()


def fronts() -> dict[str, bytes]:
    """Beginnings of honest files of other kinds."""
    return {
        "png": b"\x89PNG\r\n\x1a\n" + bytes(40),
        "gif": b"GIF89a" + bytes(40),
        "html": b"<html>hello</html>\n",
        "gguf": b"GGUF" + bytes(60),
        "lfs": b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 12\n",
        "hdf5": b"\x89HDF\r\n\x1a\n" + bytes(60),
        "pdf": b"%PDF-1.7\n",
        "elf": b"\x7fELF" + bytes(60),
        "onnx": b"\x08\x07\x12\x07pytorch",
        "npy": npy([1.0, 2.0]),
        "safetensors": safetensors(NUMBERS, bytes(4)),
        "legacy": old(),
    }


def moved(archive: bytes, by: int) -> bytes:
    """A zip whose offsets count from a place `by` bytes in front of it."""
    data = bytearray(archive)
    end = archive.rfind(b"PK\x05\x06")
    count, _, place = struct.unpack_from("<HII", archive, end + 10)
    struct.pack_into("<I", data, end + 16, place + by)
    for _ in range(count):
        struct.pack_into("<I", data, place + 42, struct.unpack_from("<I", data, place + 42)[0] + by)
        place += 46 + sum(struct.unpack_from("<HHH", data, place + 28))
    return bytes(data)


def payload_polyglots() -> Iterator[tuple[str, bytes]]:
    """A file of another kind in front of an archive with a payload, with offsets that fit and that do not."""
    evil = with_pickle(EVIL)
    for name, front in fronts().items():
        yield f"{name}, then a zip", front + evil
        yield f"{name}, then a zip that knows", front + moved(evil, len(front))
    yield "honest zip, then a pickle", plain() + EVIL
    yield "pickle, zeros, honest zip", EVIL + bytes(1000) + plain()
    yield "zip in a pickled string, then a call", b"\x80\x03B" + struct.pack("<I", len(plain())) + plain() + b"0" + EVIL
    yield "end record in the comment", with_comment(evil)
    yield "two directories by the 64-bit record", two_directories()
    yield "safetensors that is a pickle", safetensors_pickle()


def with_comment(archive: bytes) -> bytes:
    empty = b"PK\x05\x06" + bytes(18)
    return archive[:-2] + struct.pack("<H", len(empty)) + empty


def two_directories() -> bytes:
    """The 32-bit record names an honest directory, the 64-bit one another."""
    evil, honest = with_pickle(EVIL), plain()
    end = evil.rfind(b"PK\x05\x06")
    count, length, start = struct.unpack_from("<HII", evil, end + 10)
    second = moved(honest, end)
    cut = second.rfind(b"PK\x05\x06")
    body = evil[:end] + second[:cut]
    record = struct.pack("<4sQHHIIQQQQ", b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, length, start)
    return body + record + struct.pack("<4sIQI", b"PK\x06\x07", 0, len(body), 1) + second[cut:]


def safetensors_pickle() -> bytes:
    """The eight bytes of the length are the opcode C with 64 bytes, and a call follows in the header."""
    length = 0x4043
    header = b'{"' + b"a" * 56 + b"0" + named("builtins", "exec") + text(LINE) + b'\x85R.":{}}'
    return struct.pack("<Q", length) + header.ljust(length)


def payload_arrays() -> Iterator[tuple[str, bytes]]:
    """Object arrays of NumPy and joblib where a quick look does not see them."""
    evil = npy(Call(exec, LINE), objects=True)
    mixed = numpy.zeros(1, dtype=[("w", "f4"), ("o", "O")])
    mixed["o"][0] = Call(exec, LINE)
    buffer = io.BytesIO()
    numpy.save(buffer, mixed, allow_pickle=True)
    yield "npy with a field of objects", buffer.getvalue()
    yield "npy, then objects", npy([1.0, 2.0]) + evil
    yield "npy of honest objects, then a pickle", npy(1, objects=True) + EVIL
    yield "object array in a torch zip", added(plain(), "archive/extra.npy", evil)
    yield "object array without a suffix", added(plain(), "archive/extra", evil)
    for descr in ("'\\x7cO'", '"O"', "'f4,O'", "'object'", "[('a', 'f4'), ('b', [('c', 'O8')])]", "('O', (1,))"):
        yield f"npy, spelt {descr}", spelt(f"{{'descr': {descr}, 'fortran_order': False, 'shape': (1,)}}")
    yield "npy, a long header", spelt("{'descr': '|O', 'fortran_order': False, 'shape': (1,)}" + " " * 70_000)
    yield "npy, spaces in front", spelt(" " * 66_000 + '{"descr": "O", "fortran_order": False, "shape": (1,)}')
    packed = io.BytesIO()
    numpy.savez_compressed(packed, a=numpy.ones(2), b=numpy.array([Call(exec, LINE)], dtype=object))
    yield "npz, the second one", packed.getvalue()
    wrapper = b"\x80\x04" + short("joblib.numpy_pickle") + short("NumpyArrayWrapper") + b"\x93)\x81}("
    dtype = short("dtype") + short("numpy") + short("dtype") + b"\x93" + short("O8") + b"\x85R"
    yield "joblib objects", wrapper + short("shape") + b"K\x01\x85" + dtype + b"ub" + EVIL + b"."


def spelt(header: str) -> bytes:
    """An array whose header is written by hand, with a payload for its objects."""
    return b"\x93NUMPY\x02\x00" + struct.pack("<I", len(header)) + header.encode() + EVIL


def payload_bytes() -> Iterator[tuple[str, bytes]]:
    """Bytes that a file hands to another unpickler."""
    load = named("torch.storage", "_load_from_bytes")
    data = b"C" + bytes([len(EVIL)]) + EVIL
    encoded = EVIL.decode("latin-1")
    coded = named("_codecs", "encode") + text(encoded) + text("latin1") + b"\x86R"
    bodies = {
        "encoded text": load + coded + b"\x85R.",
        "a bytearray of encoded text": load + named("builtins", "bytearray") + coded + b"\x85R\x85R.",
        "from the memo": data + b"q\x050" + load + b"h\x05\x85R.",
        "rot13": load + named("_codecs", "encode") + text("abc") + text("rot13") + b"\x86R\x85R.",
        "by OBJ": b"(" + load + data + b"o.",
        "by INST": b"(" + data + b"itorch.storage\n_load_from_bytes\n.",
        "by a dotted name": named("torch", "storage._load_from_bytes") + data + b"\x85R.",
        "two arguments": load + data + b"N\x86R.",
        "a list of arguments": load + b"](" + data + b"eR.",
        "a dict of arguments": load + b"}" + data + b"NsR.",
    }
    for name, body in bodies.items():
        yield f"load_from_bytes, {name}", with_pickle(b"\x80\x03" + body)


CALLS = (
    "torch.fx.graph_module reduce_graph_module", "torch.fx.graph_module GraphModule",
    "torch.package.package_importer PackageImporter", "torch.distributed.rpc.internal _run_function",
    "torch.multiprocessing.reductions rebuild_storage_fd", "torch.utils.collect_env run",
    "torch.utils._config_module ConfigModule.load_config", "torch.jit.unsupported_tensor_ops execWrapper",
    "torch.utils.cpp_extension load_inline", "torch.ops load_library", "torch.compiler load_compiled_function",
    "numpy load", "numpy.lib.npyio load", "numpy.ctypeslib load_library", "joblib load", "cloudpickle loads",
    "cloudpickle.cloudpickle _make_function", "dill._dill _create_code", "dill._dill _eval_repr", "copy _reconstruct",
    "_io FileIO", "io open", "pathlib PosixPath.unlink", "zipimport zipimporter", "pkgutil resolve_name",
    "smtplib SMTP", "urllib.request urlopen", "builtins setattr", "builtins breakpoint", "builtins super",
    "collections namedtuple", "operator itemgetter", "types ModuleType", "weakref finalize", "atexit register",
    "threading Thread", "idlelib.run Executive", "distutils.file_util write_file", "venv EnvBuilder",
    "doctest debug_script", "argparse FileType", "argparse ArgumentParser", "datetime datetime.now",
    "torch.optim.adam math", "torch.nn.modules.module register_module_forward_hook",
    "torch.optim.lr_scheduler partial", "typing get_type_hints", "typing NamedTuple", "uuid _popen", "decimal _sys",
    "collections UserDict.fromkeys", "omegaconf.omegaconf OmegaConf.load", "yacs.config load_cfg",
    "torch.amp.grad_scaler os", "torch._utils _import_dotted_name", "torch.serialization _open_file",
    "__main__ f", " system", "os ", "builtins __dict__",
)  # fmt: skip


def payload_names() -> Iterator[tuple[str, bytes]]:
    """Targets that lie near what is honest, and ways to reach a target that readers miscount."""
    for target in CALLS:
        module, _, name = target.partition(" ")
        yield f"call {module}.{name}", with_pickle(call(module, name, SHELL))
    line, evil = text(LINE), named("builtins", "exec")
    ordered = named("collections", "OrderedDict")
    four = b"\x80\x04" + short("x") + b"q\x05" + short("exec") + b"\x9400" + short("builtins")
    yield "MEMOIZE counts entries", four + b"h\x01\x93" + short(LINE) + b"\x85R."
    yield "memo entry written twice", b"\x80\x02" + ordered + b"q\x000" + evil + b"q\x000h\x00" + line + b"\x85R."
    yield "memo by text", b"\x80\x02" + evil + b"p007\n0g7\n" + line + b"\x85R."
    yield "state for OrderedDict", b"\x80\x02" + ordered + b"}" + text("fromkeys") + named("builtins", "list") + b"sb."
    yield "call of what a call gave", b"\x80\x02" + named("my", "factory") + b")R" + line + b"\x85R."
    storage = text("storage") + named("my_module", "Storage") + text("0") + text("cpu") + b"K\x04tQ."
    yield "storage type", b"\x80\x02(" + storage
    inside = text("storage") + named("torch", "FloatStorage") + evil + line + b"\x85R" + text("cpu") + b"K\x04tQ."
    yield "call inside of a persistent id", b"\x80\x02(" + inside
    yield "carriage returns", b"\x80\x02cos\r\nsystem\r\n" + text(SHELL) + b"\x85R."
    lambdas = named("torch.optim.lr_scheduler", "LambdaLR") + b"N" + named("os", "system") + b"\x86R."
    yield "a function for a known class", b"\x80\x02" + lambdas
    yield "forty pickles in front", b"N." * 40 + EVIL


def tar_of(*files: tuple[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in files:
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def payload_old() -> Iterator[tuple[str, bytes]]:
    """Tars of torch 0.1, legacy files, archives inside of archives."""
    empty, zero = b"\x80\x02}.", b"\x80\x02K\x00."
    rest = (("tensors", zero), ("storages", zero))
    yield "tar, two pickles", tar_of(("sys_info", empty), ("pickle", empty), ("pickle", EVIL), *rest)
    yield "tar, names with a dot", tar_of(*((f"./{n}", d) for n, d in (("sys_info", empty), ("pickle", EVIL), *rest)))
    yield "tar, evil sys_info", tar_of(("sys_info", EVIL), ("pickle", empty), *rest)
    yield "tar, evil tensors", tar_of(("sys_info", empty), ("pickle", empty), ("tensors", EVIL), ("storages", zero))
    yield "tar, a long name", tar_of(("x" * 200 + "/weights.pkl", EVIL))
    linked = io.BytesIO()
    with tarfile.open(fileobj=linked, mode="w") as archive:
        for name, data in (("sys_info", empty), ("hidden", EVIL)):
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
        link = tarfile.TarInfo("pickle")
        link.type, link.linkname = tarfile.LNKTYPE, "hidden"
        archive.addfile(link)
        for name, data in rest:
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    yield "tar, a link to the payload", linked.getvalue()
    yield "legacy, magic number as text", b"\x80\x02L119547037146038801333356L\n." + EVIL
    yield "legacy, wrong version", old().replace(b"M\xe9\x03", b"M\xea\x03", 1)[:20] + legacy_with(old(), 3)[20:]
    yield "member with a backslash", added(plain(), "archive\\data.pkl", EVIL)
    yield "member in bzip2", bzip2_member()
    yield "member in gzip", added(plain(), "archive/extra.pkl.gz", gzip.compress(EVIL))
    yield "tar of torch 0.1 in a zip", added(plain(), "archive/inner.tar", torch_tar(EVIL))
    deep = EVIL
    for _ in range(6):
        deep = stuffed({"model.pt": deep})
    yield "six zips deep", deep
    yield "zips in gzip", gzip.compress(stuffed({"a.zip": stuffed({"b.bin": EVIL}, 8)}, 8))
    yield "several folders", stuffed({"m/a/data.pkl": EVIL, "m/b/data.pkl": empty, "m/version": b"3"})
    script = io.BytesIO()
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), script)
    for name in ("data.pkl", "constants.pkl"):
        yield f"torchscript, {name} replaced", replaced(script.getvalue(), name, EVIL)
    root = zipfile.ZipFile(script).namelist()[0].partition("/")[0]
    yield "torchscript, one of its extra files", added(script.getvalue(), f"{root}/extra/notes.json", EVIL)


def bzip2_member() -> bytes:
    buffer = io.BytesIO(plain())
    with zipfile.ZipFile(buffer, "a", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("archive/extra.pkl", EVIL)
    return buffer.getvalue()


def replaced(data: bytes, name: str, content: bytes) -> bytes:
    source, target = zipfile.ZipFile(io.BytesIO(data)), io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for entry in source.infolist():
            new = content if entry.filename.endswith("/" + name) else source.read(entry)
            archive.writestr(entry.filename, new)
    return target.getvalue()


def damaged_more() -> Iterator[tuple[str, bytes]]:
    """Broken downloads, broken conversions, and safetensors headers that the safetensors package refuses."""
    data = plain({"w": torch.arange(1000.0)})
    yield "middle gone", data[:500] + data[1500:]
    yield "bytes put in", data[:700] + b"\r\n" + data[700:]
    yield "newlines converted", data.replace(b"\n", b"\r\n")
    yield "legacy, newlines converted", old().replace(b"\n", b"\r\n")
    yield "read as text, written as utf-8", data.decode("latin-1").encode("utf-8")
    yield "replacement characters", data.decode("utf-8", "replace").encode()
    yield "base64", base64.b64encode(data)
    yield "hexadecimal", data.hex().encode()
    yield "with its HTTP headers", b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n\r\n" + data
    yield "a form upload", b"------WebKitFormBoundary\r\n\r\n" + data + b"\r\n------"
    yield "byte order mark in front", b"\xef\xbb\xbf" + data
    yield "all ones", b"\xff" * 4096
    yield "preallocated, first block written", data[:500] + bytes(len(data) - 500)
    yield "preallocated, last block written", bytes(100_000) + data[-200:]
    yield from refused_safetensors()


def refused_safetensors() -> Iterator[tuple[str, bytes]]:
    """Each is refused by safetensors 0.8."""
    for name, entry in {
        "beyond the end": b'"shape":[4],"data_offsets":[0,16]',
        "wrong shape": b'"shape":[3],"data_offsets":[0,4]',
        "negative shape": b'"shape":[-1,-1],"data_offsets":[0,4]',
        "huge shape": b'"shape":[4294967296,4294967296],"data_offsets":[0,4]',
        "endless number": b'"shape":[' + b"9" * 5000 + b'],"data_offsets":[0,4]',
        "bool shape": b'"shape":[true],"data_offsets":[0,4]',
        "three offsets": b'"shape":[1],"data_offsets":[0,4,5]',
        "no offsets": b'"shape":[1]',
        "not a number": b'"shape":[1],"data_offsets":[NaN,4]',
    }.items():
        yield f"safetensors, {name}", safetensors(b'{"a":{"dtype":"F32",' + entry + b"}}", bytes(4))
    other = b'"b":{"dtype":"F32","shape":[1],"data_offsets":[2,6]}}'
    yield "safetensors, overlap", safetensors(NUMBERS[:-1] + b"," + other, bytes(6))
    yield "safetensors, hole", safetensors(NUMBERS[:-1] + b"," + other.replace(b"2,6", b"8,12"), bytes(12))
    yield "safetensors, bytes behind", safetensors(NUMBERS, bytes(9))
    yield "safetensors, number in the metadata", safetensors(b'{"__metadata__":{"a":1},' + NUMBERS[1:], bytes(4))
    yield "safetensors, dict in the metadata", safetensors(b'{"__metadata__":{"a":{}},' + NUMBERS[1:], bytes(4))
    yield "safetensors, metadata that is a list", safetensors(b'{"__metadata__":[],' + NUMBERS[1:], bytes(4))
    odd = b'{"a":{"dtype":"F4","shape":[3],"data_offsets":[0,2]}}'
    yield "safetensors, half a byte", safetensors(odd, bytes(2))
    yield "safetensors, unknown dtype", safetensors(NUMBERS.replace(b"F32", b"Q9"), bytes(4))
    yield "safetensors, no utf-8", safetensors(b'{"\xff":1}')


def accepted_safetensors() -> Iterator[tuple[str, bytes]]:
    """Rare, and read by safetensors 0.8."""
    yield "no tensors", safetensors(b"{}")
    yield "padded", safetensors(b"{}      ")
    yield "spaces in front", safetensors(b"  " + NUMBERS, bytes(4))
    yield "only metadata", safetensors(b'{"__metadata__":{"a":"b"}}')
    yield "metadata of null", safetensors(b'{"__metadata__":null}')
    yield "a name twice", safetensors(NUMBERS[:-1] + b"," + NUMBERS[1:], bytes(4))
    yield "another field", safetensors(NUMBERS.replace(b'"shape"', b'"x":1,"shape"'), bytes(4))
    yield "fnuz", safetensors(NUMBERS.replace(b"F32", b"F8_E4M3FNUZ").replace(b"0,4", b"0,1"), bytes(1))


NAMED = {
    "lfs pointer with a mark": (b"\xef\xbb\xbfversion https://git-lfs.github.com/spec/v1\noid x\n", "git lfs pull"),
    "old lfs pointer": (b"version https://hawser.github.com/spec/v1\noid sha256:ab\n", "git lfs pull"),
    "dvc pointer": (b"outs:\n- md5: abc\n  size: 12\n  path: model.pt\n", "dvc pull"),
    "annex pointer": (b"/annex/objects/SHA256E-s12--ab.pt\n", "git annex get"),
    "html in utf-16": ("<!doctype html><html></html>".encode("utf-16"), "HTML"),
    "hdf5 behind a user block": (bytes(512) + b"\x89HDF\r\n\x1a\n" + bytes(100), "HDF5"),
    "matlab": (b"MATLAB 5.0 MAT-file, Platform: x" + bytes(100), "MATLAB"),
    "mp4": (b"\0\0\0\x18ftypmp42" + bytes(40), "MP4"),
    "tiff": (b"II*\0" + bytes(60), "TIFF"),
    "ggml": (b"lmgg" + bytes(50), "GGML"),
    "wasm": (b"\0asm\1\0\0\0" + bytes(8), "WebAssembly"),
    "keras": (stuffed({"metadata.json": b"{}", "config.json": b"{}", "model.weights.h5": b"\x89HDF"}), "Keras"),
    "paddle": (pickle.dumps({"StructuredToParameterName@@": {}}, 2), "plain pickle"),
    "tensorboard": (struct.pack("<Q", 24) + b"\1\2\3\4\x09" + bytes(7) + b"\x1a\rbrain.Event:2" + bytes(4), "no kind"),
    "msgpack": (b"\x82\xa5model\xc0\xa4step\x01", "no kind"),
    "darknet": (struct.pack("<iiiq", 0, 2, 5, 32013312) + struct.pack("<4f", 0.1, 0.2, 0.3, 0.4) * 50, "no kind"),
    "merge conflict": (b"<<<<<<< HEAD\nversion https://git-lfs.github.com/spec/v1\n", "text"),
    "storage error": (b'<?xml version="1.0"?>\n<Error><Code>NoSuchKey</Code></Error>', "server"),
}


def blocked_records() -> Iterator[tuple[str, bytes]]:
    """Records that torch cannot read: where it never asks for them they change nothing."""
    base = added(plain(), "archive/extra", b"hello world")
    for member in ("extra", "data.pkl", "data/0", "version", "byteorder"):
        place = base.find(b"PK\x01\x02")
        while not base[place + 46 : place + 46 + struct.unpack_from("<H", base, place + 28)[0]].endswith(
            member.encode()
        ):
            place = base.find(b"PK\x01\x02", place + 4)
        for field, value in ((8, 0x1), (8, 0x20), (8, 0x40), (8, 0x2000), (10, 12), (34, 3)):
            data = bytearray(base)
            struct.pack_into("<H", data, place + field, value)
            yield f"{member}: {value} at {field}", bytes(data)
