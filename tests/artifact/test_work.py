"""What a file may cost is counted, not timed: floods of every kind end in time, and honest large headers are read."""

from __future__ import annotations

import dataclasses
import io
import pickle
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest

from ckpt_lint.artifact.access import BytesAccess
from ckpt_lint.artifact.cursor import Cursor
from ckpt_lint.artifact.facts import ArtifactFacts
from ckpt_lint.artifact.judge import findings, unreadable
from ckpt_lint.artifact.limits import DEFAULT, Limits, Work
from ckpt_lint.artifact.machine import Machine
from ckpt_lint.artifact.op_containers import mark
from ckpt_lint.artifact.opcodes import handlers_for
from ckpt_lint.artifact.reader import read_access
from ckpt_lint.artifact.storages import ZipStorages
from ckpt_lint.artifact.tables import accepted
from ckpt_lint.artifact.values import Later, Value
from tests.artifact import hostile_floods

FLOODS = {**dict(hostile_floods.opcode_floods()), **dict(hostile_floods.container_floods())}
# Those that come nearest to the bar of time, and of memory: read at full size.
WORST = [
    "tensors in a zip", "legacy tensors", "progress counters", "SETITEM of a tuple of large numbers", "bzip2",
    "DUP and POP", "dicts of text", "MEMO of many places", "safetensors of names", "zip members", "tensors of one storage",
    "BINPUT", "decimal numbers", "skipped in deflate", "safetensors of small tensors",
]  # fmt: skip
LARGEST = [
    "safetensors of metadata", "bzip2", "bzip2 of zeros", "EMPTY_SET left", "legacy tensors", "zip members",
    "copies of a bytearray", "copies by a codec", "STACK_GLOBAL of a long text", "GLOBAL of long names",
]  # fmt: skip
# A tenth of the work, a tenth of the file: what holds for it holds for the whole.
TENTH = dataclasses.replace(DEFAULT, work=DEFAULT.work // 10, memory=DEFAULT.memory // 10)


def seconds(data: bytes, limits: Limits = DEFAULT) -> tuple[float, ArtifactFacts]:
    """Processor time of a reading and its judgement."""
    start = time.thread_time()
    facts = read_access(BytesAccess(data), "model.pt", limits=limits)
    list(findings(facts))
    return time.thread_time() - start, facts


def soon(data: bytes, bar: float, limits: Limits) -> tuple[float, ArtifactFacts]:
    """The first reading within the bar: other work on the machine makes some of them slow, but not five."""
    for _ in range(5):
        spent, facts = seconds(data, limits)
        if spent < bar:
            break
    return spent, facts


def wrapped(data: bytes, number: int) -> bytes:
    """A flood of opcodes as a plain pickle, as a legacy file, or deflated in a torch zip."""
    if not data.startswith(b"\x80\x02") or number % 3 == 0:
        return data
    return hostile_floods.legacy(data) if number % 3 == 1 else hostile_floods.torch_zip(data, method=8)


SLOWNESS = 1 if sys.version_info >= (3, 11) else 1.4
"""Python 3.10 runs the same code about a third slower."""
BAR = 0.1 * SLOWNESS


@pytest.mark.parametrize("name", FLOODS)
def test_a_flood_of_anything_ends_in_time(name: str) -> None:
    data = wrapped(FLOODS[name](400_000), list(FLOODS).index(name))
    spent, facts = soon(data, BAR, TENTH)
    assert spent < BAR, f"{spent:.3f} s: {facts.problems}"
    assert unreadable(facts) or list(findings(facts)) or facts.verdict.loads is not None


@pytest.mark.parametrize("name", WORST)
def test_the_worst_floods_take_less_than_a_second(name: str) -> None:
    assert soon(FLOODS[name](8_000_000), SLOWNESS, DEFAULT)[0] < SLOWNESS


# The most that a process has held: of its own memory alone, unlike getrusage, which counts what it was forked from.
CHECKED = """
import contextlib, io, pathlib, re, sys
from ckpt_lint.cli import main
with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
    code = main(["check", "--isolated", "--no-cache", sys.argv[1]])
print(code, re.search(r"VmHWM:\\s+(\\d+) kB", pathlib.Path("/proc/self/status").read_text())[1])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the peak of a process stands in /proc")
@pytest.mark.parametrize("name", LARGEST)
def test_a_process_that_checks_a_flood_stays_under_128_mb(name: str, tmp_path: Path) -> None:
    path = tmp_path / "flood.pt"
    path.write_bytes(FLOODS[name](8_000_000))
    done = subprocess.run([sys.executable, "-c", CHECKED, str(path)], capture_output=True, text=True, check=True)
    code, peak = map(int, done.stdout.split())
    assert code in (0, 1, 3)
    assert peak < 128 << 10


IMPORTED = """
import contextlib, io, sys
from ckpt_lint.cli import main
with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
    code = main(["check", "--isolated", "--no-cache", sys.argv[1]])
print(code, *(name for name in sys.modules if name.startswith(("ckpt_lint.rules", "ckpt_lint.facts", "ckpt_lint.engine"))))
"""


def test_a_checkpoint_file_needs_no_rule_about_code(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    path.write_bytes(hostile_floods.torch_zip(pickle.dumps({"epoch": 1}, protocol=2)))
    done = subprocess.run([sys.executable, "-c", IMPORTED, str(path)], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0"]


def test_the_same_file_ends_at_the_same_place() -> None:
    data = FLOODS["SETITEM"](4_000_000)
    places = {(one.message, one.offset) for _ in range(3) for one in seconds(data)[1].problems}
    assert len(places) == 1 and "steps of reading" in next(iter(places))[0]


def test_a_small_file_may_have_20_000_tensors() -> None:
    import torch

    buffer = io.BytesIO()
    torch.save({f"layer{number}.weight": torch.ones(2, 3) for number in range(20_000)}, buffer)
    facts = seconds(buffer.getvalue())[1]
    assert len(facts.tensors) == 20_000 and facts.verdict.loads is True and not facts.problems


def test_work_grows_with_the_file() -> None:
    for count, size in ((50_000, 256 << 20), (150_000, 1 << 30)):
        work = Work(DEFAULT, size)
        # read, listed, walked: about 220 units for each tensor
        assert work.granted >= 220 * count
        assert work.memory_limit >= 2300 * count


def test_many_plain_values_are_no_reason_to_stop() -> None:
    vocabulary = {f"token{number}": number for number in range(100_000)}
    facts = seconds(hostile_floods.torch_zip(pickle.dumps({"vocab": vocabulary, "tail": {"a": 1}}, protocol=2)))[1]
    assert not facts.problems and facts.verdict.loads is True
    assert facts.tree is not None and [child.key for child in facts.tree.children] == ["vocab", "tail"]


def run(data: bytes, *, at_once: bool) -> Machine:
    table = accepted()
    handlers = handlers_for(table.operands)
    if not at_once:
        handlers[ord("(")] = mark
    members = list[Any]()
    cursor = Cursor(io.BytesIO(data).read, len(data), DEFAULT)
    machine = Machine(cursor, DEFAULT, table, ZipStorages("archive", members), Work(DEFAULT, 1 << 30))
    machine.run(handlers)
    return machine


def plain(value: Value, seen: dict[int, int]) -> object:
    """A value that compares: by what it holds, and by which parts of it are one and the same."""
    object_ = dataclasses.is_dataclass(value)
    if object_ or isinstance(value, (dict, list)):
        if id(value) in seen:
            return ("again", seen[id(value)])
        seen[id(value)] = len(seen)
    if object_:
        names = [field.name for field in dataclasses.fields(value)]
        return (type(value), [plain(getattr(value, name), seen) for name in names])
    if isinstance(value, dict):
        return (type(value), [(plain(key, seen), plain(part, seen)) for key, part in value.items()])
    if isinstance(value, (list, tuple)):
        return (type(value), [plain(part, seen) for part in value])
    return (type(value), str(value))


def shown(machine: Machine) -> object:
    """All that one may see of a machine at its end, each place of the memo included."""
    memo = []
    for index in range(len(machine.memo)):
        try:
            memo.append(machine.get(index))
        except KeyError:
            memo.append("nothing")
    state = (machine.refusal, machine.unsure, machine.broken, machine.memo_count, machine.cursor.offset, machine.uses)
    return plain([machine.result, memo], {}), repr(state)


@pytest.fixture(scope="module")
def pickled() -> bytes:
    """The pickle of tensors of every usual sort, as torch.save writes it."""
    import torch

    state: dict[str, Any] = {
        "a": torch.zeros(2, 3), "b": torch.zeros(4), "scalar": torch.tensor(1.0), "half": torch.zeros(3, dtype=torch.half),
        "grad": torch.zeros(300, 2, requires_grad=True), "four": torch.zeros(1, 2, 3, 4),
        "parameter": torch.nn.Parameter(torch.ones(70000)),
        "view": torch.arange(10)[2:8:2], "empty": torch.zeros(0, 5), "integers": torch.arange(3),
    }  # fmt: skip
    state["tied"] = state["a"]
    state.update({f"more{number}": torch.zeros(number % 5 + 1, 2) for number in range(60)})
    buffer = io.BytesIO()
    torch.save(state, buffer)
    with zipfile.ZipFile(io.BytesIO(buffer.getvalue())) as archive:
        return archive.read("archive/data.pkl")


def test_tensors_at_once_are_as_opcode_by_opcode(pickled: bytes) -> None:
    for data in (pickled, hostile_floods.tensors(40), hostile_floods.tensors(9, shape=b"(K\x01K\x01K\x01K\x01t")):
        for memo in (b"", *(b"h" + bytes([place]) + b"0" for place in range(10, 200, 3))):
            copy = data[:-1] + memo + b"."
            fast, slow = run(copy, at_once=True), run(copy, at_once=False)
            assert any(isinstance(one, Later) and one.tensor is not None for one in fast.memo)
            assert shown(fast) == shown(slow)


def test_damaged_tensors_at_once_are_as_opcode_by_opcode() -> None:
    data = hostile_floods.tensors(4)
    for place in range(data.index(b"model.layers"), len(data)):  # the first tensor is read opcode by opcode
        for byte in (0, 0x30, 0x71, 0xFF):
            flipped = data[:place] + bytes([byte]) + data[place + 1 :]
            assert shown(run(flipped, at_once=True)) == shown(run(flipped, at_once=False)), (place, byte)
