"""The child that loads checkpoints: one file that needs only the standard library (Python 3.9) and torch (1.13).

Started as `python -I worker.py NONCE SCRATCH`. It says hello in one line of JSON, then answers every line of JSON that
comes on stdin by one on stdout, and ends with stdin. It never writes outside of the scratch folder, refuses sockets
and further processes (an audit hook: a guard against accidents, no wall against an attacker), and loads with
`weights_only=False` only what a job asks for so.
"""

from __future__ import annotations

import collections
import hashlib
import inspect
import json
import os
import platform
import re
import site
import struct
import sys
import time
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator
from typing import Any, TextIO

CHUNK = 1 << 20
ENTRIES = 2_000_000
_ANSI = re.compile(r"\x1b\[[0-9;]*m")
_MEMORY = re.compile(r"can't allocate memory|cannot allocate memory|not enough memory|out of memory", re.IGNORECASE)
_PROCESSES = ("subprocess.Popen", "os.system", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn",
              "os.startfile", "os.startfile/2", "pty.spawn", "os.kill")  # fmt: skip
_CHANGES = ("os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.truncate", "os.chmod",
            "os.chown", "os.utime", "shutil.rmtree", "shutil.move", "shutil.copyfile", "shutil.copytree")  # fmt: skip
_LOCAL = struct.Struct("<26xHH")


# -- what is enforced -------------------------------------------------------------------------------------------------


def guard(scratch: str) -> None:
    """Refuse sockets, further processes, and changes of files outside of the scratch folder, from now on."""
    inside = os.path.join(os.path.realpath(scratch), "")

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event.startswith("socket.") or event in _PROCESSES:
            raise PermissionError("refused while a checkpoint is verified: " + event)
        changes = event in _CHANGES or (event == "open" and _opens_to_write(arguments))
        if changes and not all(_is_in(path, inside) for path in arguments[: 2 if event == "os.rename" else 1]):
            raise PermissionError(f"refused while a checkpoint is verified: {event} of {arguments[0]!r}")

    sys.addaudithook(hook)


def _opens_to_write(arguments: tuple[Any, ...]) -> bool:
    path, mode, flags = (*arguments, None, None, None)[:3]
    if isinstance(path, int):
        return False
    if isinstance(mode, str):
        return any(letter in mode for letter in "wax+")
    return bool(isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC))


def _is_in(path: object, folder: str) -> bool:
    if isinstance(path, bytes):
        path = os.fsdecode(path)
    return isinstance(path, str) and os.path.realpath(path).startswith(folder)


def limit_memory(room: int) -> bool:
    """Let the process grow by `room` bytes of private memory at most; False where the system has no such limit."""
    if sys.platform != "linux":
        return False
    import resource

    try:
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        wanted = status("VmData") + room
        resource.setrlimit(resource.RLIMIT_DATA, (wanted if hard < 0 else min(wanted, hard), hard))
    except (OSError, ValueError):
        return False
    return True


def status(field: str) -> int:
    """A figure of /proc/self/status in bytes; 0 where there is none."""
    try:
        with open("/proc/self/status", encoding="ascii") as stream:
            found = re.search(rf"^{field}:\s+(\d+) kB", stream.read(), re.MULTILINE)
    except OSError:
        return 0
    return int(found.group(1)) * 1024 if found else 0


# -- loading ----------------------------------------------------------------------------------------------------------


def identity(path: str) -> list[int]:
    """What a file is told by: device, inode, size, time of change."""
    seen = os.stat(path)
    return [seen.st_dev, seen.st_ino, seen.st_size, seen.st_mtime_ns]


def load(torch: Any, path: str, options: dict[str, Any]) -> Any:
    """`torch.load` with what the job asks for; `mmap` and `weights_only` are only named where this torch has them."""
    known = inspect.signature(torch.load).parameters
    given = {name: value for name, value in options.items() if name in known or name == "weights_only"}
    if not given.get("mmap"):
        given.pop("mmap", None)
    return torch.load(path, **given)


def attempt(torch: Any, path: str, options: dict[str, Any]) -> tuple[dict[str, Any], Any]:
    """Load once: what came of it, and the object."""
    started = time.perf_counter()
    try:
        loaded = load(torch, path, options)
    except BaseException as error:  # whatever a load raises is the answer; SystemExit and KeyboardInterrupt, too
        return {"ok": False, **told(error), "seconds": time.perf_counter() - started}, None
    return {"ok": True, "seconds": time.perf_counter() - started}, loaded


def told(error: BaseException) -> dict[str, Any]:
    """An exception as data: its kind, the line that says why, and whether memory was short."""
    text = _ANSI.sub("", str(error))
    inner = re.search(r"WeightsUnpickler error:\s*(.+)", text)
    line = inner.group(1) if inner else next((line for line in text.splitlines() if line.strip()), "")
    short = isinstance(error, MemoryError) or bool(_MEMORY.search(text))
    line = line.split(" Please use `torch.serialization")[0].strip()
    return {"error": type(error).__name__, "message": line[:400], "memory": short}


# -- looking at what was loaded ---------------------------------------------------------------------------------------


class Container(str):
    """A container, in words: its parts follow."""


def entries(torch: Any, loaded: Any) -> Iterator[tuple[str, Any]]:
    """Every leaf with its path of keys, in order; containers by identity once. Iterative: files nest deep."""
    pending: list[tuple[str, Any]] = [("", loaded)]
    seen: set[int] = set()
    count = 0
    while pending and count < ENTRIES:
        path, value = pending.pop()
        count += 1
        if isinstance(value, (dict, list, tuple, set, frozenset)):
            if id(value) in seen:
                continue
            seen.add(id(value))
            yield path, Container(f"{type(value).__name__} of {len(value)}")
            if isinstance(value, dict):
                pending.extend(reversed([(f"{path}[{key!r}]", part) for key, part in value.items()]))
            elif not isinstance(value, (set, frozenset)):
                pending.extend(reversed([(f"{path}[{index}]", part) for index, part in enumerate(value)]))
        else:
            yield path, value


def described(torch: Any, value: Any) -> str:
    """A leaf in words that are equal where the leaves are, the elements of tensors left out."""
    if isinstance(value, torch.Tensor):
        if value.layout is torch.strided and not value.is_quantized:
            place = f"{tuple(value.stride())} {value.storage_offset()}"
        else:
            place = str(value.layout)
        return f"{type(value).__name__} {value.dtype} {tuple(value.shape)} {place}"
    if isinstance(value, Container):
        return str(value)
    if value is None or isinstance(value, (bool, int, float, complex, str, bytes)):
        return f"{type(value).__name__} {value!r}"
    return type(value).__name__


def summary(torch: Any, loaded: Any) -> dict[str, Any]:
    """What a load gave: its keys, how many tensors, where they are, and a digest of all but the elements."""
    digest = hashlib.sha256()
    devices: collections.Counter[str] = collections.Counter()
    for path, value in entries(torch, loaded):
        is_tensor = isinstance(value, torch.Tensor)
        digest.update((f"{path}\0{described(torch, value)}\n").encode("utf-8", "surrogatepass"))
        if is_tensor:
            devices[str(value.device)] += 1
    keys = [key for key in loaded if isinstance(key, str)] if isinstance(loaded, dict) else None
    return {
        "type": type(loaded).__name__,
        "keys": keys if keys is None or len(keys) <= 20_000 else keys[:20_000],
        "tensors": sum(devices.values()),
        "devices": sorted(devices),
        "structure": digest.hexdigest(),
    }


def storages(torch: Any, loaded: Any) -> list[Any]:
    """The storages of the strided CPU tensors, each once, as flat bytes, in the order of the walk."""
    found: dict[tuple[int, int], Any] = {}
    for _, value in entries(torch, loaded):
        if not isinstance(value, torch.Tensor) or value.layout is not torch.strided or value.device.type != "cpu":
            continue
        storage = value.untyped_storage() if hasattr(value, "untyped_storage") else value.storage()._untyped()
        size = storage.nbytes()
        if size and (storage.data_ptr(), size) not in found:
            flat = torch.empty(0, dtype=torch.uint8).set_(storage, 0, (size,), (1,))
            found[(storage.data_ptr(), size)] = flat
    return list(found.values())


def digests(torch: Any, loaded: Any) -> list[str]:
    """A digest of every storage's bytes, one storage at a time."""
    out = []
    for flat in storages(torch, loaded):
        digest = hashlib.blake2b(digest_size=16)
        for start in range(0, flat.numel(), CHUNK):
            digest.update(_bytes(flat[start : start + CHUNK]))
        out.append(digest.hexdigest())
    return out


def _bytes(flat: Any) -> Any:
    """The memory of a flat uint8 tensor, not copied; without NumPy, which a host may lack."""
    import ctypes

    return (ctypes.c_ubyte * flat.numel()).from_address(flat.data_ptr())


# -- --full -----------------------------------------------------------------------------------------------------------


def records(path: str) -> list[tuple[int, int, int, str]]:
    """Offset, size, CRC and name of the stored `data/` members of a torch zip, by offset."""
    out = []
    with zipfile.ZipFile(path) as archive, open(path, "rb") as stream:
        for member in archive.infolist():
            parts = member.filename.lower().split("/")
            if len(parts) < 2 or parts[-2] != "data" or not member.file_size or member.compress_type:
                continue
            stream.seek(member.header_offset)
            name, extra = _LOCAL.unpack(stream.read(30))
            out.append((member.header_offset + 30 + name + extra, member.file_size, member.CRC, member.filename))
    return sorted(out)


def compare_mapped(torch: Any, path: str, after: Any, before: Any) -> dict[str, Any]:
    """Hold every storage of a mapped load against the bytes of its record, its CRC, and the other load: byte by byte.

    Both lie in one mapping of the file, so storages and records correspond in the order of their addresses.
    """
    mine = sorted(storages(torch, after), key=lambda flat: flat.data_ptr())
    other = sorted(storages(torch, before), key=lambda flat: flat.data_ptr()) if before is not None else None
    found = records(path)
    if [flat.numel() for flat in mine] != [record[1] for record in found]:
        return {"compared": 0, "difference": "its records are not those that the load maps"}
    if other is not None and [flat.numel() for flat in other] != [record[1] for record in found]:
        return {"compared": 0, "difference": "the two loads map different records"}
    done, checked = 0, any(crc for _, _, crc, _ in found)
    with open(path, "rb", buffering=0) as stream:
        for index, (offset, size, crc, name) in enumerate(found):
            wrong = _compare_record(torch, stream, offset, crc if checked else None, mine[index],
                                    other[index] if other is not None else None)  # fmt: skip
            if wrong:
                return {"compared": done, "difference": f"{name}: {wrong}"}
            done += size
    return {"compared": done, "difference": None, "storages": len(found), "crc": checked}


def _compare_record(torch: Any, stream: Any, offset: int, crc: int | None, mine: Any, other: Any) -> str:
    buffer = torch.empty(CHUNK, dtype=torch.uint8)
    window = memoryview(_bytes(buffer)).cast("B")
    stream.seek(offset)
    seen = 0
    for start in range(0, mine.numel(), CHUNK):
        length = min(CHUNK, mine.numel() - start)
        if stream.readinto(window[:length]) != length:
            return "the file ends inside of it"
        if crc is not None:
            seen = zlib.crc32(window[:length], seen)
        if not _equal(torch, mine[start : start + length], buffer[:length]):
            return "the load gives other bytes than the file holds"
        if other is not None and not _equal(torch, other[start : start + length], buffer[:length]):
            return "the two loads give other bytes"
    return "" if crc is None or seen == crc else "its CRC is wrong: the file is damaged"


def _equal(torch: Any, one: Any, other: Any) -> bool:
    """Whether two runs of bytes are equal; by eight bytes where that goes, which is seven times as fast."""
    whole = one.numel() & -8
    if one.storage_offset() % 8 == 0 and whole:
        if not torch.equal(one[:whole].view(torch.int64), other[:whole].view(torch.int64)):
            return False
        one, other = one[whole:], other[whole:]
    return bool(torch.equal(one, other))


# -- one job ----------------------------------------------------------------------------------------------------------


def answer(torch: Any, job: dict[str, Any]) -> dict[str, Any]:
    """Do one job. `after` always, `before` where it is asked for; what is held in memory is held once."""
    path, out = job["path"], {"id": job["id"]}
    counted = _io()
    if identity(path) != job["seen"]:
        return {**out, "changed": True}
    mapped = bool(job["after"].get("mmap"))
    # The system counts private mappings of the file as data, although they take no memory.
    out["limited"] = limit_memory(job["room"] + (2 * job["seen"][2] if mapped else 0))
    after, loaded = attempt(torch, path, job["after"])
    if after["ok"]:
        after.update(summary(torch, loaded))
    out["after"] = after
    full = job["full"] and after["ok"]
    mine = digests(torch, loaded) if full and not mapped else []
    if not mapped:
        loaded = None  # one load in memory at a time
    before, old = None, None
    if job["before"] is not None and identity(path) == job["seen"]:
        before, old = attempt(torch, path, job["before"])
        if before["ok"]:
            before.update(summary(torch, old))
        out["before"] = before
    if full and mapped:
        out["full"] = compare_mapped(torch, path, loaded, old)
    elif full:
        same = mine == digests(torch, old) if old is not None else None
        out["full"] = {"digests": len(mine), "difference": "the two loads give other bytes" if same is False else None}
    out["changed"] = identity(path) != job["seen"]
    out["anonymous"] = status("RssAnon")
    out["io"] = [now - then for now, then in zip(_io(), counted)]
    return out


def _io() -> tuple[int, int]:
    """Bytes that this process has asked for by reads, and bytes that were fetched from the disk for it."""
    try:
        with open("/proc/self/io", encoding="ascii") as stream:
            found = dict(line.split(": ") for line in stream.read().splitlines())
    except (OSError, ValueError):
        return (0, 0)
    return int(found["rchar"]), int(found["read_bytes"])


def start(nonce: str, scratch: str, say: Callable[[dict[str, Any]], None]) -> Any:
    """Import torch, say hello, put the guard up. None where there is no torch."""
    folder = site.getusersitepackages()
    if os.path.isdir(folder) and folder not in sys.path:
        sys.path.append(folder)
    warnings.simplefilter("ignore")
    hello = {"hello": nonce, "python": platform.python_version(), "system": platform.system()}
    try:
        import torch
    except BaseException as error:  # a broken installation may raise anything, and has no torch to offer
        say({**hello, "missing": told(error)})
        return None
    torch.set_num_threads(1)  # comparing bytes waits for memory, and threads for each other
    known = inspect.signature(torch.load).parameters
    guard(scratch)
    say({
        **hello,
        "torch": str(torch.__version__),
        "weights_only": "weights_only" in known,
        "mmap": "mmap" in known,
        "anonymous": status("RssAnon"),
    })  # fmt: skip
    return torch


def main() -> int:
    """Serve until stdin ends. What others print goes to stderr."""
    out: TextIO = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def say(message: dict[str, Any]) -> None:
        out.write(json.dumps(message) + "\n")
        out.flush()

    torch = start(sys.argv[1], sys.argv[2], say)
    if torch is None:
        return 1
    for line in sys.stdin:
        job = json.loads(line)
        try:
            reply = answer(torch, job)
        except (OSError, zipfile.BadZipFile, MemoryError, RuntimeError, ValueError) as error:
            reply = {"id": job["id"], "failed": told(error)}
        say(reply)
    return 0


if __name__ == "__main__":
    sys.exit(main())
