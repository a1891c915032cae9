"""What the readers of containers fill in while they read one file; `assemble` turns it into ArtifactFacts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ckpt_lint.artifact.access import RandomAccess
from ckpt_lint.artifact.cursor import Cursor
from ckpt_lint.artifact.facts import MemberFacts, Problem, StorageFacts, TensorFacts
from ckpt_lint.artifact.limits import LimitReached, Limits, Work
from ckpt_lint.artifact.machine import Machine, Nested, Persist, Refuse
from ckpt_lint.artifact.opcodes import handlers_for
from ckpt_lint.artifact.tables import Accepted, accepted
from ckpt_lint.artifact.values import Storage, Value
from ckpt_lint.artifact.zipdir import Directory, Opened

_MOST_PROBLEMS = 300
_OF_A_PICKLE = 800


@dataclass(slots=True)
class PickleRun:
    """One pickle that was read. `role`: object (what torch.load returns), header, nested, extra or hidden."""

    role: str
    member: str | None
    base: int
    machine: Machine


@dataclass(slots=True)
class Draft:
    """One file in the making.

    `work` is shared by all files inside of one. `obstacle` is torch's first refusal for reasons outside of the pickles;
    `doubt` says why it may refuse the file.
    `raw`: places in the pickle are places in the file.
    """

    path: str
    access: RandomAccess
    limits: Limits
    work: Work
    table: Accepted = field(default_factory=accepted)
    kind: str = "unknown"
    title: str = "a file of unknown kind"
    depth: int = 0
    problems: list[Problem] = field(default_factory=list)
    noted: dict[str, int] = field(default_factory=dict)
    runs: list[PickleRun] = field(default_factory=list)
    members: list[MemberFacts] = field(default_factory=list)
    storages: list[StorageFacts] = field(default_factory=list)
    tensors: list[TensorFacts] | None = None
    metadata: list[tuple[str, str]] = field(default_factory=list)
    obstacle: tuple[str, str] | None = None
    doubt: str | None = None
    loads_elsewhere: bool = False
    root: Value = None
    has_root: bool = False
    format_version: str | None = None
    fingerprint: str | None = None
    root_name: str | None = None
    byte_order: str | None = None
    crc_written: bool | None = None
    accept: frozenset[str] = frozenset()
    directory: Directory | None = None
    opened: dict[tuple[int, int], Opened | None] = field(default_factory=dict)
    nested: Nested | None = None
    raw: bool = False
    payloads: int = 0
    inline: int = 0

    def problem(
        self, kind: str, message: str, *, member: str | None = None, offset: int | None = None, key: str | None = None
    ) -> None:
        """Note a problem once; of those of one kind, a file full of them included, the first few hundred."""
        found = Problem(kind, message, member, offset, key)
        count = self.noted.get(kind, 0)
        if count < _MOST_PROBLEMS and found not in self.problems:
            self.noted[kind] = count + 1
            self.problems.append(found)

    def obstruct(self, message: str, kind: str) -> None:
        """Note that torch refuses the file whatever its pickles say; the first reason counts."""
        if self.obstacle is None:
            self.obstacle = (message, kind)

    def object_run(self) -> PickleRun | None:
        """The pickle whose value torch.load returns."""
        return next((run for run in self.runs if run.role == "object"), None)

    def run_pickle(self, cursor: Cursor, persist: Persist, role: str, member: str | None = None) -> PickleRun:
        """Read one pickle from the cursor; a limit that it hits becomes a problem of the file."""
        self.work.spend(_OF_A_PICKLE)
        machine = Machine(cursor, self.limits, self.table, persist, self.work, accept=self.accept)
        machine.nested = self.nested
        machine.memory_limit = self.work.memory_limit
        run = PickleRun(role, member, cursor.offset, machine)
        self.runs.append(run)
        try:
            machine.run(_handlers(self.table))
        except LimitReached as error:
            machine.broken = str(error)
            machine.limited = True
            machine.doubt(f"a limit was reached: {error}")
            self.problem("limit", f"it could not be read to the end: {error}", member=member, offset=machine.at)
        machine.forget()
        self.work.memory += machine.memory
        for alarm in machine.alarms:
            self.problem("damage", f"loading it takes down the machine: {alarm}", member=member)
        return run


_TABLES: dict[str, list[Callable[[Machine], None]]] = {}


def _handlers(table: Accepted) -> list[Callable[[Machine], None]]:
    """The 256 handlers of a table, made once a version."""
    if table.version not in _TABLES:
        _TABLES[table.version] = handlers_for(table.operands)
    return _TABLES[table.version]


def no_persistent(machine: Machine, identifier: Value) -> Value:
    """Persistent ids outside of the one pickle that may hold them."""
    raise Refuse("unsupported persistent id encountered")


def storage_facts(storage: Storage) -> StorageFacts:
    """The frozen form of a storage."""
    return StorageFacts(storage.key, storage.dtype, storage.size, storage.location, storage.member)
