"""Damaged and foreign files, and bombs, made when the tests run."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import pickle
import struct
import tarfile
import zipfile
from collections.abc import Callable, Iterator

import numpy
import torch

from tests.artifact.hostile import Nested, added, named, old, plain, text, with_pickle


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
        "empty": b"",
        "one zero": b"\0",
        "zeros": bytes(100_000),
        "newline": b"\n",
        "space": b" ",
        "lfs": b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 12\n",
        "html": b"<html><body>404</body></html>",
        "html upper": b"  <!DOCTYPE HTML><HTML></HTML>",
        "html after a comment": b"<!-- saved -->\n<html><head></head></html>",
        "xml": b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>",
        "json": b'{"error": "not found"}',
        "json list": b"[1, 2, 3]",
        "text": b"Not Found",
        "word": b"error",
        "yaml": b"model:\n  layers: 3\n",
        "csv": b"a,b\n1,2\n",
        "python": b"import torch\nprint(torch)\n",
        "script": b"#!/bin/sh\nexit 1\n",
        "utf16": "model weights".encode("utf-16"),
        "gzip": gzip.compress(b"x" * 99),
        "bz2": bz2.compress(b"x" * 99),
        "xz": lzma.compress(b"x" * 99),
        "zstd": b"\x28\xb5\x2f\xfd" + bytes(30),
        "7z": b"7z\xbc\xaf\x27\x1c" + bytes(30),
        "rar": b"Rar!\x1a\x07\x01\x00" + bytes(30),
        "tar": tar.getvalue(),
        "png": b"\x89PNG\r\n\x1a\n" + bytes(30),
        "jpeg": b"\xff\xd8\xff\xe0" + bytes(30),
        "pdf": b"%PDF-1.7\n",
        "elf": b"\x7fELF" + bytes(60),
        "exe": b"MZ" + bytes(60),
        "hdf5": b"\x89HDF\r\n\x1a\n" + bytes(60),
        "gguf": b"GGUF" + bytes(60),
        "onnx": b"\x08\x07\x12\x07pytorch",
        "tflite": b"\x1c\0\0\0TFL3" + bytes(40),
        "sqlite": b"SQLite format 3\0" + bytes(40),
        "random": bytes((i * 197 + 91) % 256 for i in range(3000)),
        "empty zip": b"PK\x05\x06" + bytes(18),
        "traceback": b"Traceback (most recent call last):\n  File x\n",
    }
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


BOMBS: dict[str, Callable[[], bytes]] = {
    "memo bomb": lambda: with_pickle(memo_chain()),
    "memo bomb plain": lambda: memo_chain(),
    "tuple bomb as key": lambda: with_pickle(b"\x80\x02}K\x01" + b"2\x86" * 60 + b"K\x01s."),
    "deep list": lambda: with_pickle(b"\x80\x02" + b"]" * 200_000 + b"a" * 199_999 + b"."),
    "deep tuple": lambda: with_pickle(b"\x80\x02)" + b"\x85" * 300_000 + b"."),
    "deep tuple as key": lambda: with_pickle(b"\x80\x02}K\x01" + b"\x85" * 300_000 + b"K\x01s."),
    "many marks": lambda: with_pickle(b"\x80\x02" + b"(" * 500_000),
    "many sets": lambda: with_pickle(b"\x80\x04" + b"\x8f" * 2_000_000 + b"."),
    "many dicts": lambda: b"\x80\x04" + b"}" * 3_000_000 + b".",
    "many nones": lambda: b"\x80\x02" + b"N" * 5_000_000 + b".",
    "many small numbers": lambda: b"\x80\x02" + b"K\x01" * 8_000_000 + b".",
    "many memo entries": lambda: b"\x80\x02N" + b"q\x01h\x01" * 4_000_000 + b".",
    "huge string": lambda: with_pickle(b"\x80\x02X\xff\xff\xff\xff" + b"a" * 100 + b"."),
    "huge bytes": lambda: b"\x80\x04\x8e" + struct.pack("<Q", 1 << 60) + b".",
    "huge long": lambda: b"\x80\x02\x8b\xff\xff\xff\x7f" + b"1" * 100 + b".",
    "huge decimal": lambda: b"L" + b"9" * 60_000 + b"L\n.",
    "huge float": lambda: b"F" + b"9" * 60_000 + b"\n.",
    "deflate bomb": lambda: with_pickle(b"\x80\x02" + b"N0" * 30_000_000 + b"N.", method=8),
    "deflated text bomb": lambda: with_pickle(
        b"\x80\x02X" + struct.pack("<I", 60_000_000) + b"a" * 60_000_000 + b".", method=8
    ),
    "colliding keys": lambda: with_pickle(b"\x80\x02}(" + colliding_numbers() + b"u."),
    "long line": lambda: b"c" + b"a" * 3_000_000,
    "self reference": lambda: with_pickle(b"\x80\x02]q\x00h\x00a."),
    "self in dict": lambda: with_pickle(b"\x80\x02}q\x00X\x01\x00\x00\x00ah\x00s."),
    "many globals": lambda: b"\x80\x02" + b"".join(f"cm{n}\nf\n0".encode() for n in range(100_000)) + b"N.",
    "safetensors nested json": lambda: struct.pack("<Q", 50_000 * 5) + b'{"a":' * 50_000,
    "safetensors huge header": lambda: struct.pack("<Q", 99_000_000) + b'{"' + bytes(100),
    "many members": lambda: many_members("archive/data/{}", b""),
    "safetensors of many dimensions": lambda: many_dimensions(),
    "safetensors of many names": lambda: many_names(),
    "many pickles": lambda: many_members("archive/{}.pkl", b"\x80\x02K\x01."),
    "many entries": lambda: many_entries(400_000),
    "npy header of brackets": lambda: npy_header(b"(" * 60_000),
    "npy header of numbers": lambda: npy_header(b"{1:" + b"1," * 400_000),
    "nested bytes": lambda: nested_bytes(12),
    "one zip named many times": lambda: crowded_zips(6, 200),
    "packed zips in packed zips": lambda: packed_zips(4, 15 << 20),
    "smaller packed zips": lambda: packed_zips(8, 900_000),
    "gzip in gzip": lambda: gzipped_often(),
    "memo index huge": lambda: with_pickle(b"\x80\x02]r\xff\xff\xff\xff."),
}
"""Files that cost a naive reader its time or its memory, each made where it is asked for; any verdict will do, but soon."""


def memo_chain() -> bytes:
    lists = (b"]q" + bytes([n]) + b"(" + (b"h" + bytes([n - 1])) * 9 + b"e" for n in range(1, 60))
    return b"\x80\x02]q\x00" + b"".join(lists) + b"."


def colliding_numbers() -> bytes:
    return b"".join(b"\x8a\x0a" + ((1 << 61) - 1).__mul__(n + 1).to_bytes(10, "little") + b"N" for n in range(40_000))


def many_members(pattern: str, data: bytes) -> bytes:
    many = io.BytesIO()
    with zipfile.ZipFile(many, "w") as archive:
        for number in range(20_000):
            archive.writestr(pattern.format(number), data)
        archive.writestr("archive/data.pkl", b"\x80\x02}.")
        archive.writestr("archive/version", b"3\n")
    return many.getvalue()


def many_dimensions() -> bytes:
    shape = b'{"a":{"dtype":"F32","shape":[' + b"1," * 2_000_000 + b'1],"data_offsets":[0,4]}}'
    return struct.pack("<Q", len(shape)) + shape + bytes(4)


def many_names() -> bytes:
    names = b",".join(b'"%d":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}' % n for n in range(200_000))
    return struct.pack("<Q", len(names) + 2) + b"{" + names + b"}"


def npy_header(body: bytes) -> bytes:
    return b"\x93NUMPY\x02\x00" + struct.pack("<I", len(body)) + body


def many_entries(count: int) -> bytes:
    """A directory that names one record again and again, in the 64-bit form."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02N.")
    data = buffer.getvalue()
    start, end = data.rfind(b"PK\x01\x02"), data.rfind(b"PK\x05\x06")
    directory = data[start:end] * count
    record = struct.pack("<4sQHHIIQQQQ", b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, len(directory), start)
    locator = struct.pack("<4sIQI", b"PK\x06\x07", 0, start + len(directory), 1)
    full = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 65535, 65535, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    return data[:start] + directory + record + locator + full


def crowded_zips(levels: int, entries: int) -> bytes:
    """Zips whose directory names one and the same inner zip many times over."""
    data = b"\x80\x02N."
    for _ in range(levels):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("m.pt", data)
        single = buffer.getvalue()
        start = single.rfind(b"PK\x01\x02")
        end = single.rfind(b"PK\x05\x06")
        directory = single[start:end] * entries
        data = (
            single[:start]
            + directory
            + struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, entries, entries, len(directory), start, 0)
        )
    return data


def packed_zips(levels: int, padding: int) -> bytes:
    """Zips of zips, each with megabytes of zeros beside the inner one that pack to nothing."""
    data = b"\x80\x02N."
    for _ in range(levels):
        for method, files in ((0, {"m.pt": data, "zeros": bytes(padding)}), (8, {"m.pt": b""})):
            buffer = io.BytesIO()
            with zipfile.ZipFile(buffer, "w", method) as archive:
                for name, content in files.items():
                    archive.writestr(name, content or data)
            data = buffer.getvalue()
    return data


def gzipped_often() -> bytes:
    data = b"\x80\x02N." + bytes(15 << 20)
    for _ in range(8):
        data = gzip.compress(data + bytes(15 << 20), 1)
    return data


def nested_bytes(depth: int) -> bytes:
    data = pickle.dumps([1])
    for _ in range(depth):
        data = pickle.dumps(Nested(data))
    return data
