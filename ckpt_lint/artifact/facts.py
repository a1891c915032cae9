"""ArtifactFacts: everything that is known of one checkpoint file. Frozen; sizes are bytes, counts are elements."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TensorFacts:
    """One tensor. `key` is its path of keys. `shape`, `stride`, `storage_offset` count elements, `storage_size` bytes.

    `device` is the tag that was saved with its storage. A sparse or nested tensor has no stride.
    """

    key: str
    shape: tuple[int, ...]
    dtype: str
    stride: tuple[int, ...]
    storage_key: str | None
    storage_offset: int
    storage_size: int
    device: str
    requires_grad: bool
    parameter: bool
    layout: str
    item_size: int

    @property
    def elements(self) -> int:
        count = 1
        for length in self.shape:
            count *= length
        return count

    @property
    def size(self) -> int:
        """Bytes of the elements themselves."""
        return self.elements * self.item_size


@dataclass(frozen=True, slots=True)
class StorageFacts:
    """One record of tensor data. `member` and `offset` say where its bytes lie, where that is known."""

    key: str
    dtype: str
    size: int
    device: str
    member: str | None
    offset: int | None = None


@dataclass(frozen=True, slots=True)
class GlobalFacts:
    """A global that the file names. `trust` is allowed, data or unknown; `calls` the opcodes that call it."""

    path: str
    trust: str
    member: str | None
    offset: int
    calls: tuple[str, ...]
    keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with the file. Kinds: damage, foreign, hidden, limit, unreadable, disguise."""

    kind: str
    message: str
    member: str | None = None
    offset: int | None = None
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What `torch.load(f, map_location="cpu", weights_only=True)` does; `loads` is None where we cannot tell.

    `version` is the torch that it speaks of. `kind` is the sort of obstacle (global, operand, value, storage, ...).
    """

    version: str
    loads: bool | None
    message: str = ""
    kind: str = ""
    member: str | None = None
    offset: int | None = None
    source: str = ""


@dataclass(frozen=True, slots=True)
class Node:
    """One node of the tree of keys. `size` is the bytes of the storages that are first used beneath it."""

    key: str
    kind: str
    detail: str = ""
    size: int = 0
    parameters: int = 0
    children: tuple[Node, ...] = ()
    tensor: int | None = None


@dataclass(frozen=True, slots=True)
class Bloat:
    """A storage of which the tensors that were saved use only a part; `used` and `size` are bytes."""

    storage_key: str
    size: int
    used: int
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StateDict:
    """A model's state dict: where it lies, how many tensors, and the wrapper's prefix that all its keys carry."""

    key: str
    tensors: int
    prefix: str | None = None
    ema: bool = False


@dataclass(frozen=True, slots=True)
class TrainingFacts:
    """Key paths of the training state that was found; `progress` holds counters with their values."""

    models: tuple[StateDict, ...] = ()
    optimizers: tuple[str, ...] = ()
    schedulers: tuple[str, ...] = ()
    scalers: tuple[str, ...] = ()
    empty_scalers: tuple[str, ...] = ()
    rng: tuple[str, ...] = ()
    ema: tuple[str, ...] = ()
    progress: tuple[tuple[str, int], ...] = ()
    versions: tuple[str, ...] = ()
    scheduled: bool = False
    whole_modules: tuple[str, ...] = ()
    optimizer_bytes: int = 0


@dataclass(frozen=True, slots=True)
class MemberFacts:
    """A member of the archive, or a file of the folder; `offset` is where its header begins."""

    name: str
    size: int
    packed: int
    method: int
    crc: int
    offset: int


@dataclass(frozen=True, slots=True)
class ArtifactFacts:
    """What one file, or one folder, is and holds.

    `kind` is the container (torch-zip, torch-legacy, torch-tar, torchscript, pt2, dcp, safetensors, pickle, npy, npz,
    or what a foreign file is); `title` says it in words. `fingerprint` depends on the content alone.
    """

    path: str
    size: int
    kind: str
    title: str
    format_version: str | None = None
    fingerprint: str | None = None
    root: str | None = None
    byte_order: str | None = None
    crc_written: bool | None = None
    members: tuple[MemberFacts, ...] = ()
    tree: Node | None = None
    tensors: tuple[TensorFacts, ...] = ()
    storages: tuple[StorageFacts, ...] = ()
    parameters: int = 0
    tied: tuple[tuple[str, ...], ...] = ()
    bloat: tuple[Bloat, ...] = ()
    training: TrainingFacts = TrainingFacts()
    globals: tuple[GlobalFacts, ...] = ()
    protocols: tuple[int, ...] = ()
    operands: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    verdict: Verdict = Verdict("", None)
    safe_globals: tuple[str, ...] = ()
    metadata: tuple[tuple[str, str], ...] = ()
    bytes_read: int = 0
    reads: int = 0

    @property
    def devices(self) -> tuple[str, ...]:
        """The device tags, sorted."""
        return tuple(sorted({storage.device for storage in self.storages} | {t.device for t in self.tensors}))

    @property
    def unknown_globals(self) -> tuple[GlobalFacts, ...]:
        """Globals that are neither on torch's list nor known data."""
        return tuple(item for item in self.globals if item.trust == "unknown")

    @property
    def data_globals(self) -> tuple[GlobalFacts, ...]:
        """Known data that torch's weights-only unpickler refuses."""
        return tuple(item for item in self.globals if item.trust == "data")

    def has(self, *kinds: str) -> bool:
        """Whether there is a problem of one of these kinds."""
        return any(problem.kind in kinds for problem in self.problems)
