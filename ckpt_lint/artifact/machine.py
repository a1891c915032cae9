"""The symbolic pickle machine: interprets every opcode, calls nothing, and predicts what weights_only would say.

One run gives two answers. The value that a full unpickler would have built, with every global that it would have
resolved; and the first reason (`refusal`) for which torch's weights-only unpickler would have stopped, if any.
`torch/_weights_only_unpickler.py` of the measured torch is the model; up to its first refusal both do the same.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from dataclasses import dataclass, field

from ckpt_lint.artifact.cursor import Cursor, Truncated
from ckpt_lint.artifact.limits import LimitReached, Limits, Work
from ckpt_lint.artifact.tables import Accepted
from ckpt_lint.artifact.values import Global, Later, Value, weight

STOP = 0x2E
_BINPUT, _BINGET, _BININT1 = 0x71, 0x68, 0x4B
_SHORT = frozenset((_BINPUT, _BINGET, _BININT1))
_CHECK_EVERY = 0x3FF
_OF_AN_OPCODE = 5
_SPEND_AT = 20_000
_MUCH = 1 << 14
ABSENT = Later()
_NAME = re.compile(r"[A-Za-z_<][\w.<> ]*\Z")


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why the weights-only unpickler stops: torch's words, the byte in the pickle, and the kind of obstacle.

    Kinds: global, blocked, import, operand, value (a call or build that it refuses), storage, damage, device.
    """

    message: str
    offset: int
    kind: str


@dataclass(slots=True)
class Repeated:
    """What the tensors of one pickle share: both globals, once they were called, and what their sizes say."""

    rebuilder: Global | None = None
    hooks: Global | None = None
    extents: dict[tuple[bytes, bytes], Extent | None] = field(default_factory=dict)


@dataclass(slots=True)
class GlobalUse:
    """One global of a pickle: where it is first named, and how it is called (opcodes), if it is."""

    module: str
    name: str
    offset: int
    calls: dict[str, int] = field(default_factory=dict)

    @property
    def path(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(frozen=True, slots=True)
class Extent:
    """A size and a stride, and how many elements of a storage they span."""

    shape: tuple[int, ...]
    stride: tuple[int, ...]
    span: int


class Refuse(Exception):
    """Raised by a simulated call that torch would refuse; the message is torch's, or close to it."""

    def __init__(self, message: str, kind: str = "value") -> None:
        super().__init__(message)
        self.kind = kind


class Broken(Exception):
    """The opcodes make no sense to any unpickler."""


# Resolves a persistent id. Raises Refuse where torch would raise.
Persist = Callable[["Machine", Value], Value]
# Reads bytes (or a place in the file) that another unpickler would be given; the value that it would return.
Nested = Callable[[Value], Value]
Handler = Callable[["Machine"], None]


class Machine:
    """The state of one pickle. `accept` adds globals as `add_safe_globals` would."""

    def __init__(
        self,
        cursor: Cursor,
        limits: Limits,
        table: Accepted,
        persist: Persist,
        work: Work,
        *,
        accept: frozenset[str] = frozenset(),
    ) -> None:
        self.cursor = cursor
        self.limits = limits
        self.table = table
        self.persist = persist
        self.accept = accept
        self.stack: list[Value] = []
        self.frames: list[list[Value]] = []
        self.memo: list[Value] = [ABSENT] * 256
        self.far: dict[int, Value] = {}
        self.memo_count = 0
        self.work = work
        self.spent = 0
        self.tensors = Repeated()
        self.protocol = 0
        self.protocols: list[int] = []
        self.at = 0
        self.refusal: Refusal | None = None
        self.unsure: str | None = None
        self.broken: str | None = None
        self.alarms: list[str] = []
        self.uses: dict[tuple[str, str], GlobalUse] = {}
        self.named: dict[tuple[bytes, bytes, bool], Global] = {}
        self.nested: Nested | None = None
        self.operands_seen: set[str] = set()
        self.memory = 0
        self.memory_limit = limits.memory
        self.costly_keys = 0
        self.result: Value = None
        self.finished = False
        self.limited = False

    def refuse(self, message: str, kind: str = "value") -> None:
        """Note why torch stops here. Only the first reason counts: torch never gets further."""
        if self.refusal is None:
            self.refusal = Refusal(message, self.at, kind)

    def doubt(self, why: str) -> None:
        """Note that we cannot predict torch from here on."""
        if self.unsure is None and self.refusal is None:
            self.unsure = why

    def alarm(self, why: str) -> None:
        """Note something that no honest writer makes: a call that asks for gigabytes."""
        self.doubt(why)
        if len(self.alarms) < 8:
            self.alarms.append(why)

    def pop_mark(self) -> list[Value]:
        """The values above the last MARK, which goes away."""
        if not self.frames:
            raise Broken("no MARK on the stack")
        items = self.stack
        self.stack = self.frames.pop()
        return items

    def use(self, name: Global, how: str | None = None) -> None:
        """Record that `name` is resolved, and that it is called by `how`."""
        key = (name.module, name.name)
        found = self.uses.get(key)
        if found is None:
            if len(self.uses) >= self.limits.globals:
                raise LimitReached("it names too many globals")
            found = self.uses[key] = GlobalUse(name.module, name.name, self.at)
        if how is not None:
            found.calls.setdefault(how, self.at)

    def called_by_name(self) -> bool:
        """Whether something is called whose name could be a name: what random bytes hardly ever do."""
        return any(use.calls and _NAME.match(use.module) and _NAME.match(use.name) for use in self.uses.values())

    def forget(self) -> None:
        """Let go of what only a run needs."""
        self.stack, self.frames, self.memo = [], [], []
        self.far.clear()
        self.tensors = Repeated()

    def put(self, index: int, value: Value) -> None:
        """Write to the memo: a list, for writers count its places up; a place far off goes to a dict beside it."""
        memo = self.memo
        if index >= len(memo):
            if index >= 2 * len(memo):
                self.memo_count += index not in self.far
                self.far[index] = value
                return
            self.charge(len(memo) >> 3)
            memo.extend([ABSENT] * len(memo))
        if memo[index] is ABSENT:
            self.memo_count += index not in self.far
        memo[index] = value

    def get(self, index: int) -> Value:
        """Read from the memo. Raises KeyError where nothing was put."""
        value = self.memo[index] if index < len(self.memo) else ABSENT
        if value is ABSENT:
            return self.far[index]
        if value.__class__ is Later:
            value = self.memo[index] = value.made(self)
        return value

    def charge(self, units: int) -> None:
        """Count work beyond that of a plain opcode. Raises LimitReached."""
        self.spent += units
        if self.spent > _SPEND_AT:
            spent, self.spent = self.spent, 0
            self.work.spend(spent)

    def hold(self, size: int) -> None:
        """Count memory, before it is taken; where it is much, look at once whether it is too much. Raises LimitReached."""
        self.memory += size
        if size > _MUCH:
            self.check(0)

    def weigh(self, value: Value, least: int) -> None:
        """Count the work of looking at all parts of the arguments of a call. Raises LimitReached."""
        self.charge(least + weight(value, self.work.left))

    def run(self, handlers: list[Handler]) -> None:
        """Run to STOP. Raises LimitReached; what is broken is noted and ends the run."""
        try:
            self._loop(handlers)
            self.finished = True
        except Truncated:
            self._end("the pickle ends in the middle")
        except Broken as error:
            self._end(str(error))
        except (IndexError, KeyError):
            self._end("an opcode finds nothing on the stack or in the memo")
        except (struct.error, UnicodeDecodeError, ValueError, OverflowError) as error:
            self._end(f"an opcode cannot be read: {error}"[:200])

    def _end(self, message: str) -> None:
        self.broken = f"{message} (byte {self.at})"
        self.refuse(message, "damage")

    def _loop(self, handlers: list[Handler]) -> None:
        """The two-byte opcodes, half of all that a pickle has, are worked off in place."""
        cursor, memo, count, short = self.cursor, self.memo, 0, 0
        while True:
            buffer, position, stack = cursor.buffer, cursor.position, self.stack
            last = len(buffer) - 1
            try:
                while position < last:
                    operand = buffer[position]
                    if operand == _BINPUT:
                        index = buffer[position + 1]
                        if memo[index] is ABSENT:
                            self.memo_count += 1
                        memo[index] = stack[-1]
                    elif operand == _BINGET:
                        value = memo[buffer[position + 1]]
                        stack.append(self.get(buffer[position + 1]) if value.__class__ is Later else value)
                    elif operand == _BININT1:
                        stack.append(buffer[position + 1])
                    else:
                        break
                    position += 2
            finally:
                self.at = cursor.base + position
            short += position - cursor.position
            cursor.position = position
            if position >= last:
                operand, short = self._next_piece(short), 0
                if operand in _SHORT:
                    continue
                position = cursor.position
            self.at, cursor.position = cursor.base + position, position + 1
            if operand == STOP:
                self.result = self.stack.pop()
                return
            handlers[operand](self)
            count += 1
            if not count & _CHECK_EVERY:
                self.check((short * 3 >> 3) + _OF_AN_OPCODE * _CHECK_EVERY)
                short = 0

    def _next_piece(self, short: int) -> int:
        """Fetch more where at most one byte is left, and give the next opcode. Raises Truncated, LimitReached."""
        cursor = self.cursor
        self.check((short * 3 >> 3) + 1)
        if not cursor.refill(2):
            left = cursor.buffer[cursor.position :]
            if not left or left[0] in _SHORT:
                raise Truncated
        return cursor.buffer[cursor.position]

    def check(self, units: int) -> None:
        """Count `units` of work; raise LimitReached where work or memory is spent. `memory` is an estimate in bytes."""
        spent, self.spent = self.spent + units, 0
        self.work.spend(spent)
        if self.memo_count > self.limits.memo_entries:
            raise LimitReached("the memo is too large")
        live = self.memory + self.work.memory + 8 * len(self.memo) + 150 * len(self.far)
        if live + 64 * len(self.stack) + 120 * len(self.frames) > self.memory_limit:
            raise LimitReached(f"it would take more than {self.memory_limit >> 20} MB to read")
