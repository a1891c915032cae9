"""The child that loads checkpoints: what it may not do, how it ends, and that nothing waits for it for ever."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import venv
from pathlib import Path

import pytest
import torch

from ckpt_lint.verify import child as child_module
from ckpt_lint.verify.child import Child, NoTorch
from ckpt_lint.verify.protocol import Job, LoadOptions, identity
from tests.cli.command import ckpt_lint
from tests.verify.projects import ANYWHERE, CHECKPOINTS, RESTORE, project, verify


def _fake_torch(folder: Path, version: str, load: str) -> Path:
    """An interpreter whose torch is a module of ours: for what a real one of that age cannot be had for here."""
    venv.create(folder, with_pip=False)
    site = next((folder / "lib").glob("python*")) / "site-packages"
    (site / "torch").mkdir()
    (site / "torch" / "__init__.py").write_text(
        f"__version__ = {version!r}\ndef set_num_threads(n): pass\n{load}\n"
    )
    return folder / "bin" / "python"


def test_a_torch_that_is_too_old(tmp_path: Path) -> None:
    python = _fake_torch(tmp_path / "old", "1.12.1", "def load(f, map_location=None, pickle_module=None): ...")
    with pytest.raises(NoTorch, match=r"torch 1\.12\.1 .* is too old"):
        Child(str(python), "a test", seconds=5)


# -- the child --------------------------------------------------------------------------------------------------------

OWN = "def load(f, map_location=None, *, weights_only=False, mmap=False):\n    "


def _job(path: Path, room: int = 1 << 30) -> Job:
    return Job(str(path), identity(str(path)), LoadOptions(True, "cpu"), None, False, room)


def _ask(python: Path, path: Path, *, seconds: float = 60, room: int = 1 << 30) -> child_module.Answer:
    with Child(str(python), "a test", seconds=seconds) as child:
        answer = child.ask(_job(path, room))
        assert answer.ended == "answered" or child._process is not None and child._process.poll() is not None
        return answer


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return Path(project(tmp_path, ANYWHERE, "state_dict.pt") / "state_dict.pt")


def test_a_child_that_hangs_is_ended(tmp_path: Path, checkpoint: Path) -> None:
    python = _fake_torch(tmp_path / "env", "2.13.0", OWN + "import time; time.sleep(600)")
    started = time.monotonic()
    answer = _ask(python, checkpoint, seconds=1)
    assert answer.ended == "timed out" and "1 seconds" in answer.reason and time.monotonic() - started < 20


def test_a_child_that_is_killed_is_said_to_be(tmp_path: Path, checkpoint: Path) -> None:
    python = _fake_torch(tmp_path / "env", "2.13.0", OWN + "import ctypes; ctypes.string_at(0)")
    answer = _ask(python, checkpoint)
    assert answer.ended == "crashed" and "SIGSEGV" in answer.reason


def test_a_child_that_closes_its_output_and_lives_on(
    tmp_path: Path, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child_module, "LAST_SECONDS", 0.5)
    close = "import os, time\n    for number in range(3, 64):\n        try: os.close(number)\n        except OSError: pass\n"
    python = _fake_torch(tmp_path / "env", "2.13.0", OWN + close + "    time.sleep(600)")
    started = time.monotonic()
    answer = _ask(python, checkpoint, seconds=300)
    assert answer.ended == "crashed" and "went on" in answer.reason and time.monotonic() - started < 60


def test_scratch_folders_are_removed(tmp_path: Path, checkpoint: Path) -> None:
    python = _fake_torch(tmp_path / "env", "2.13.0", OWN + "import ctypes; ctypes.string_at(0)")
    with Child(str(python), "a test", seconds=60) as child:
        scratch = Path(child.scratch)
        assert scratch.is_dir()
        child.ask(_job(checkpoint))
    assert not scratch.exists()


def test_a_child_that_is_killed_from_outside(tmp_path: Path, checkpoint: Path) -> None:
    python = _fake_torch(tmp_path / "env", "2.13.0", OWN + "import time; time.sleep(600)")
    with Child(str(python), "a test", seconds=60) as child:
        assert child._process is not None
        threading.Timer(0.5, os.kill, (child._process.pid, signal.SIGKILL)).start()
        answer = child.ask(_job(checkpoint))
        assert answer.ended == "crashed" and "SIGKILL" in answer.reason


@pytest.mark.skipif(sys.platform != "linux", reason="private memory is only told apart on Linux")
def test_a_child_that_eats_memory_slowly_is_ended_by_the_parent(tmp_path: Path, checkpoint: Path) -> None:
    eat = "import mmap, resource, time\n    held, (_, hard) = [], resource.getrlimit(resource.RLIMIT_DATA)\n"
    eat += "    resource.setrlimit(resource.RLIMIT_DATA, (hard, hard))\n    while True:\n"
    eat += "        held.append(mmap.mmap(-1, 1 << 22, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS))\n"
    eat += "        held[-1].write(b'x' * (1 << 22)); time.sleep(0.02)"
    python = _fake_torch(tmp_path / "env", "2.13.0", OWN + eat)
    answer = _ask(python, checkpoint, room=64 << 20)
    assert answer.ended == "crashed" and "MB were allowed" in answer.reason
    assert answer.peak < 1 << 30


@pytest.mark.skipif(sys.platform != "linux", reason="the system's limit is Linux's")
def test_a_sudden_allocation_meets_the_systems_limit(tmp_path: Path, checkpoint: Path) -> None:
    python = _fake_torch(tmp_path / "env", "2.13.0", OWN + "return bytearray(8 << 30)")
    answer = _ask(python, checkpoint, room=64 << 20)
    assert answer.after is not None and answer.after.memory and answer.after.error == "MemoryError"


@pytest.mark.parametrize(
    ("code", "event"),
    [
        ("import socket; socket.socket()", "socket"),
        ("import subprocess; subprocess.run(['true'])", "subprocess.Popen"),
        ("import os; os.system('true')", "os.system"),
        ("open('/tmp/ckpt-lint-canary', 'w')", "open"),
        ("import os; os.remove(f)", "os.remove"),
        ("import os; os.truncate(f, 0)", "os.truncate"),
    ],
)
def test_what_a_load_must_not_do_is_refused(tmp_path: Path, checkpoint: Path, code: str, event: str) -> None:
    python = _fake_torch(tmp_path / "env", "2.13.0", OWN + code)
    before = checkpoint.read_bytes()
    answer = _ask(python, checkpoint)
    assert answer.after is not None and answer.after.error == "PermissionError"
    assert f"refused while a checkpoint is verified: {event}" in answer.after.message
    assert checkpoint.read_bytes() == before and not Path("/tmp/ckpt-lint-canary").exists()


def test_a_load_may_write_to_its_scratch_folder_and_prints_do_not_disturb(tmp_path: Path, checkpoint: Path) -> None:
    python = _fake_torch(tmp_path / "env", "2.13.0", OWN + "print('{noise'); open('x', 'w').close(); raise ValueError(1)")
    answer = _ask(python, checkpoint)
    assert answer.after is not None and answer.after.error == "ValueError"


def test_a_checkpoint_that_changes_while_it_is_verified(tmp_path: Path, checkpoint: Path) -> None:
    """The load says in its scratch folder that it has begun, and goes on when the file has another time."""
    load = "import os, time; open('begun', 'x').close()\n    while os.stat(f).st_mtime != 1: time.sleep(0.01)\n"
    load += "    raise EOFError()"
    python = _fake_torch(tmp_path / "env", "2.13.0", OWN + load)
    with Child(str(python), "a test", seconds=60) as child:
        change = threading.Thread(target=_touch_when, args=(Path(child.scratch) / "begun", checkpoint))
        change.start()
        answer = child.ask(_job(checkpoint))
        change.join()
    assert answer.ended == "answered" and answer.changed


def _touch_when(there: Path, path: Path) -> None:
    until = time.monotonic() + 60
    while not there.exists() and time.monotonic() < until:
        time.sleep(0.01)
    os.utime(path, (1, 1))


def test_a_checkpoint_that_changed_after_its_header_was_read_is_not_loaded(checkpoint: Path) -> None:
    with Child(sys.executable, "a test", seconds=60) as child:
        seen = (*identity(str(checkpoint))[:3], 7)
        answer = child.ask(Job(str(checkpoint), seen, LoadOptions(True, "cpu"), None, False, 1 << 30))
    assert answer.changed and answer.after is None


def test_the_child_sees_neither_the_working_folder_nor_pythonpath(tmp_path: Path) -> None:
    project(tmp_path, RESTORE.format(name="last.pt"), last="state_dict.pt")
    canary = tmp_path / "canary"
    for folder in (tmp_path, tmp_path / "path"):
        folder.mkdir(exist_ok=True)
        (folder / "zipfile.py").write_text(f"open({str(canary)!r}, 'w')\n")
    with Child(sys.executable, "a test", seconds=60) as child:
        assert child.torch.version == str(torch.__version__)
    done = subprocess.run(
        [sys.executable, "-c", "import sys; from ckpt_lint.verify.child import Child\n"
         "with Child(sys.executable, 'a test', seconds=60): pass"],
        cwd=Path(__file__).parents[2], env={**os.environ, "PYTHONPATH": "."}, capture_output=True, check=True,
    )  # fmt: skip
    assert done.returncode == 0 and not canary.exists()


def test_a_thousand_checkpoints_share_a_child(tmp_path: Path) -> None:
    project(tmp_path, ANYWHERE)
    folder = tmp_path / "many"
    folder.mkdir()
    data = (CHECKPOINTS / "state_dict.pt").read_bytes()
    for number in range(1000):
        (folder / f"{number:04}.pt").write_bytes(data if number % 100 else data[:1000])
    said = verify(tmp_path, "--checkpoint", "many")
    statuses = [check["status"] for check in said.checks]
    assert (statuses.count("confirmed"), statuses.count("unreadable"), said.code) == (990, 10, 3)
    for path in folder.glob("*[!0].pt"):
        path.unlink()
    ran = ckpt_lint("verify", ".", "--checkpoint", "many", cwd=tmp_path)
    assert "and 85 more checkpoints: 85 confirmed" in ran.out
