"""Read a checkpoint file, or a folder, into ArtifactFacts. Standard library only; nothing in a file is executed."""

from __future__ import annotations

import contextlib
import functools
import gc
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from ckpt_lint.artifact.access import BytesAccess, CachedAccess, CountingAccess, FileAccess, RandomAccess, Window
from ckpt_lint.artifact.assemble import assemble
from ckpt_lint.artifact.draft import Draft, PickleRun, storage_facts
from ckpt_lint.artifact.facts import ArtifactFacts
from ckpt_lint.artifact.foreign import looks_like_onnx, recognise, recognise_text
from ckpt_lint.artifact.inside import LZMA_ALONE, UNPACK_LIMIT, inner_files, opened_member, tar_files, unpacked
from ckpt_lint.artifact.legacy import TAR_PICKLES, is_tar, read_stream, read_tar
from ckpt_lint.artifact.limits import DEFAULT, LimitReached, Limits, Work
from ckpt_lint.artifact.other import is_safetensors, read_dcp, read_npy, read_safetensors
from ckpt_lint.artifact.torchzip import read_zip
from ckpt_lint.artifact.trust import allowable
from ckpt_lint.artifact.values import UNREAD, LongText, Storage, Value
from ckpt_lint.artifact.zipdir import LOCAL, NoDirectory, read_directory

_HEAD = 4096
_SMALL = 1 << 17
_PAYLOADS = 20_000
_OF_A_FILE = 1000
_BEHIND = (".pt", ".pth", ".ckpt", ".bin")


def read_artifact(path: str | os.PathLike[str], *, limits: Limits = DEFAULT) -> ArtifactFacts:
    """The facts of a local file or DCP folder. Raises OSError where it cannot be read at all."""
    if os.path.isdir(path):
        return _read_folder(os.fspath(path), limits)
    with FileAccess(path) as access:
        return read_access(access, os.fspath(path), limits=limits)


def read_access(access: RandomAccess, path: str, *, limits: Limits = DEFAULT) -> ArtifactFacts:
    """The facts of anything with random access; `path` is its name, of which only the suffix matters."""
    counting = CountingAccess(access)
    work = Work(limits, access.size)
    with _collector_paused():
        draft = _read(_cached(counting), path, limits, work)
        facts = assemble(draft, bytes_read=counting.bytes_read, reads=counting.reads)
        names = _safe_globals(facts, access, limits, work)
        _let_go(draft)
    return replace(facts, safe_globals=names) if names else facts


def _let_go(draft: Draft) -> None:
    """Cut the circle of a draft and its machines, so that they are freed at once and not by the collector."""
    draft.nested = None
    for run in draft.runs:
        run.machine.nested = None


@contextlib.contextmanager
def _collector_paused() -> Iterator[None]:
    """Many small objects that all stay alive: the cycle collector would only walk them again and again."""
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            gc.enable()


def _cached(access: RandomAccess) -> RandomAccess:
    """Small files whole in memory, large ones by their ends."""
    return BytesAccess(access.read_at(0, access.size)) if access.size <= _SMALL else CachedAccess(access)


def _read_folder(path: str, limits: Limits) -> ArtifactFacts:
    folder = Path(path)
    size = sum(file.stat().st_size for file in folder.iterdir() if file.is_file())
    draft = Draft(path, BytesAccess(b""), limits, Work(limits, size))
    if (folder / ".metadata").exists() or any(folder.glob("*.distcp")):
        try:
            for name, access in read_dcp(draft, folder):
                _look_into(draft, name, access)
        except LimitReached as error:
            draft.problem("limit", f"it could not be read to the end: {error}")
    else:
        draft.kind, draft.title = "folder", "a folder that is no checkpoint"
        draft.problem("foreign", "this is a folder without .metadata: it is no distributed checkpoint")
    facts = assemble(draft, bytes_read=0, reads=0)
    return replace(facts, size=sum(member.size for member in draft.members))


def _read(
    access: RandomAccess,
    path: str,
    limits: Limits,
    work: Work,
    *,
    accept: frozenset[str] = frozenset(),
    depth: int = 0,
) -> Draft:
    draft = Draft(path, access, limits, work, accept=accept, depth=depth)
    draft.nested = functools.partial(_payload, draft)
    try:
        work.spend(_OF_A_FILE)
        _dispatch(draft)
    except LimitReached as error:
        draft.problem("limit", f"it could not be read to the end: {error}")
    return draft


def _dispatch(draft: Draft) -> None:
    """By magic bytes; a suffix decides nothing."""
    head = draft.access.read_at(0, _HEAD)
    if head.startswith(LOCAL) and draft.path.lower().endswith(".distcp"):
        _say_foreign(draft, "dcp-part", "one part of a distributed checkpoint", "name the folder that it lies in")
        _read_zip_behind(draft)
        return
    if head.startswith(LOCAL):
        read_zip(draft)
        _read_nested(draft)
        _read_behind_zip(draft)
        return
    foreign = recognise(head, draft.access.size)
    if foreign is not None:
        _say_foreign(draft, foreign.kind, foreign.title, foreign.advice)
        if foreign.kind == "zero-filled":
            _still_zero(draft)
        read_stream_for_torch(draft)
        _read_packed(draft, head)
        _read_local_zip_behind(draft)
    elif is_safetensors(head, draft.access.size):
        read_safetensors(draft)
        read_stream_for_torch(draft)
        _read_local_zip_behind(draft)
    elif head.startswith(b"\x93NUMPY"):
        draft.kind, draft.title = "npy", "a NumPy array (npy)"
        draft.problem("foreign", "this is a NumPy array (npy): read it with numpy.load(..., allow_pickle=False)")
        _read_rest(draft, read_npy(draft, draft.access))
        _read_local_zip_behind(draft)
    elif is_tar(head):
        read_tar(draft)
        read = TAR_PICKLES if draft.kind == "torch-tar" else ()
        for name, access in tar_files(draft.access, draft.members):
            if name.lstrip("./") not in read:
                _look_into(draft, name, access)
        if draft.kind == "tar":
            read_stream_for_torch(draft)
        _read_local_zip_behind(draft)
    else:
        _read_unknown(draft, head)


def read_stream_for_torch(draft: Draft) -> None:
    """What torch's legacy loader says of a file that is something else; keeps the runs only where they call things."""
    kind, title = draft.kind, draft.title
    if read_stream(draft):
        draft.problem("disguise", f"it begins as {title} and is a pickle as well")
    draft.kind, draft.title = kind, title


def _say_foreign(draft: Draft, kind: str, title: str, advice: str) -> None:
    draft.kind, draft.title = kind, title
    draft.problem("foreign", f"this is {title}: {advice}")


def _still_zero(draft: Draft) -> None:
    """Zeros at the front only mean zeros throughout where the rest agrees: look at a few places."""
    size = draft.access.size
    for part in range(1, 9):
        if draft.access.read_at(size * part // 9, 512).strip(b"\x00"):
            draft.kind, draft.title = "unknown", "a file whose beginning is all zeros"
            draft.problems.clear()
            draft.problem("damage", "its beginning is all zeros: the copy was broken off, or the disk was full")
            return


def _read_unknown(draft: Draft, head: bytes) -> None:
    if read_stream(draft):
        if draft.depth == 0:
            _read_local_zip_behind(draft)
        return
    if head.startswith((b"x", LZMA_ALONE)):
        _read_packed(draft, head)
    text = recognise_text(head)
    if text is not None:
        _say_foreign(draft, text.kind, text.title, text.advice)
        _read_local_zip_behind(draft)
    elif looks_like_onnx(head):
        _say_foreign(draft, "onnx", "an ONNX model or another protobuf", "torch.load does not read it")
        _read_local_zip_behind(draft)
    elif _read_zip_behind(draft):
        draft.kind, draft.title = "disguised-zip", "a zip archive with other bytes in front"
        draft.problem("damage", "bytes stand in front of its zip archive: torch does not read it so")
    else:
        _say_foreign(draft, "unknown", "no kind of checkpoint that we know", "look at where it came from")


def _read_nested(draft: Draft) -> None:
    """Checkpoints, pickles and arrays that lie as members in a zip."""
    if draft.directory is None:
        return
    for name, access in inner_files(draft.access, draft.directory, draft.root_name or "", _room(draft)):
        _look_into(draft, name, access)


def _room(draft: Draft) -> int:
    """Bytes that a file inside of this one may unpack to: all those that wait for the innermost are held at once."""
    return UNPACK_LIMIT >> draft.depth


def _look_into(draft: Draft, name: str, access: RandomAccess | None) -> None:
    """Read a file inside of this one; what cannot be read is said, for it may be anything."""
    if access is None or draft.depth + 1 >= draft.limits.nesting:
        draft.problem("limit", "a file inside of it is packed too large, or too deep, to be read", member=name)
        return
    inner = _read(access, name.lower(), draft.limits, draft.work, accept=draft.accept, depth=draft.depth + 1)
    _take_nested(draft, inner, name)
    draft.work.spend(0)  # the inner one may have spent all


def _read_packed(draft: Draft, head: bytes) -> None:
    """Pickles under gzip, bzip2, xz, lzma or zlib: torch.load does not unpack them, joblib and others do."""
    data = unpacked(draft.access, head, _room(draft), draft.work)
    if data is not None and draft.depth + 1 < draft.limits.nesting:
        _look_into(draft, "(unpacked)", BytesAccess(data))


def _read_rest(draft: Draft, start: int | None) -> None:
    """What follows the first thing in a file: who reads one array after the other comes to it."""
    if start is not None and start < draft.access.size:
        _look_into(draft, "(behind it)", Window(draft.access, start, draft.access.size - start))


def _read_behind_zip(draft: Draft) -> None:
    """Bytes behind an archive's end record, its comment among them: torch passes them by."""
    if draft.directory is not None and draft.access.seeks_are_cheap:
        _read_rest(draft, draft.directory.behind)


def _read_local_zip_behind(draft: Draft) -> None:
    """A zip at the end of a file of another kind, where looking for it costs no request."""
    if draft.access.seeks_are_cheap:
        _read_zip_behind(draft)


def _read_zip_behind(draft: Draft) -> bool:
    """A zip that ends a file which does not begin as one: other readers open it. False where there is none."""
    try:
        directory = read_directory(draft.access, draft.limits, draft.work)
    except NoDirectory:
        return False
    if not directory.members and not directory.hidden:
        return False
    for member in [*directory.members, *directory.hidden]:
        if not member.folded.endswith((".pkl", *_BEHIND)):
            continue
        try:
            _look_into(draft, member.name, opened_member(draft.access, member, _room(draft)))
        except NoDirectory:
            continue
    return True


def _take_nested(draft: Draft, inner: Draft, name: str | None) -> None:
    """What a nested file holds counts for the whole: its pickles, and its limits."""
    for run in inner.runs:
        role = "script" if "script" in (run.role, draft.kind.removeprefix("torch")) else "nested"
        member = name if run.member is None else f"{name}/{run.member}"
        draft.runs.append(PickleRun(role, member, run.base, run.machine))
    for problem in inner.problems:
        if problem.kind in ("limit", "hidden", "disguise"):
            draft.problem(problem.kind, problem.message, member=name)


def _payload(draft: Draft, data: Value) -> Value:
    """Bytes that the pickle hands to another unpickler (`_load_from_bytes`): read as a file of its own."""
    draft.payloads += 1
    access: RandomAccess | None = None
    if isinstance(data, (bytes, bytearray)):
        access = BytesAccess(bytes(data))
    elif isinstance(data, LongText) and data.offset is not None and draft.raw:
        access = Window(draft.access, data.offset, data.length)
    if access is None or draft.depth + 1 >= draft.limits.nesting or draft.payloads > _PAYLOADS:
        draft.problem("limit", "it could not be read to the end: a pickle is nested in it that is too long or too deep")
        return UNREAD
    inner = _read(access, "", draft.limits, draft.work, accept=draft.accept, depth=draft.depth + 1)
    _take_nested(draft, inner, None)
    if isinstance(inner.root, Storage):
        draft.inline += 1
        inner.root.key = f"inline {draft.inline}"
        draft.storages.append(storage_facts(inner.root))
    return inner.root


def _safe_globals(facts: ArtifactFacts, access: RandomAccess, limits: Limits, work: Work) -> tuple[str, ...]:
    """The classes whose allow-listing lets the file load, where known harmless ones suffice; else nothing.

    The file is read once more, as far as the work that is granted for it goes.
    """
    named = {item.path for item in facts.data_globals}
    possible = facts.verdict.loads is False and facts.verdict.kind == "global" and bool(named)
    if not possible or facts.unknown_globals or not all(allowable(path) for path in named):
        return ()
    draft = _read(_cached(access), facts.path, limits, work, accept=frozenset(named))
    second = assemble(draft, bytes_read=0, reads=0)
    return tuple(sorted(named)) if second.verdict.loads else ()
