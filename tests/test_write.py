from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from ckpt_lint.model import Problem, Status
from ckpt_lint.write import write_atomic

OLD, NEW = b"old\r\n" * 1000, b"new\n" * 1000


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a.py"
    path.write_bytes(OLD)
    return path


def refused(path: Path, words: str, *, expected: bytes = OLD) -> None:
    before = {entry.name for entry in path.parent.iterdir()}
    problem = write_atomic(str(path), NEW, expected=expected)
    assert isinstance(problem, Problem) and problem.status is Status.NOT_FIXED
    assert words in problem.message and "\n" not in problem.message
    assert {entry.name for entry in path.parent.iterdir()} == before


def test_the_file_is_replaced_and_keeps_its_mode(file):
    file.chmod(0o754)
    before = file.stat()
    assert write_atomic(str(file), NEW, expected=OLD) is None
    assert file.read_bytes() == NEW
    after = file.stat()
    assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)
    assert after.st_ino != before.st_ino, "written in place: a crash would leave half a file"
    assert [entry.name for entry in file.parent.iterdir()] == ["a.py"]


def test_a_relative_path_without_folder(file, monkeypatch):
    monkeypatch.chdir(file.parent)
    assert write_atomic("a.py", NEW, expected=OLD) is None
    assert file.read_bytes() == NEW


def test_a_link_stays_a_link(file, tmp_path):
    folder = tmp_path / "links"
    folder.mkdir()
    (folder / "one").symlink_to("../a.py")
    (folder / "two.py").symlink_to("one")
    assert write_atomic(str(folder / "two.py"), NEW, expected=OLD) is None
    assert file.read_bytes() == NEW
    assert os.readlink(folder / "two.py") == "one" and os.readlink(folder / "one") == "../a.py"
    assert sorted(entry.name for entry in folder.iterdir()) == ["one", "two.py"]


def test_a_changed_file_is_left_alone(file):
    refused(file, "changed on disk", expected=OLD[:-1])
    refused(file, "changed on disk", expected=OLD + b"x")
    assert file.read_bytes() == OLD


def test_a_read_only_file_is_left_alone(file):
    file.chmod(0o444)
    refused(file, "read-only")
    assert file.read_bytes() == OLD and stat.S_IMODE(file.stat().st_mode) == 0o444


def test_what_is_no_file(tmp_path):
    (tmp_path / "gone.py").symlink_to("nowhere")
    (tmp_path / "loop.py").symlink_to("loop.py")
    (tmp_path / "folder.py").mkdir()
    os.mkfifo(tmp_path / "pipe.py")
    refused(tmp_path / "gone.py", "No such file")
    refused(tmp_path / "loop.py", "symbolic links")
    refused(tmp_path / "folder.py", "not a regular file")
    refused(tmp_path / "pipe.py", "not a regular file")


CHILD = """
import os, resource, signal, sys
from ckpt_lint.write import write_atomic
path, event, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
old, new = open(path, "rb").read(), b"new\\n" * 1000
if event == "disk full":
    resource.setrlimit(resource.RLIMIT_FSIZE, (count, count))
def hook(name, args):
    global count
    if name == event:
        count -= 1
        if count == 0:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(hook)
print(write_atomic(path, new, expected=old))
"""


def child(path: Path, event: str, count: int) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", CHILD, str(path), event, str(count)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.skipif(sys.platform != "linux", reason="the order of system calls is that of Linux")
@pytest.mark.parametrize(
    ("event", "count", "content", "names"),
    [
        ("open", 1, OLD, 1),  # before the new file is made
        ("os.chown", 1, OLD, 1),  # it is written, and has no name yet
        ("open", 3, OLD, 1),  # before the old file is compared
        ("os.link", 1, OLD, 1),
        ("os.rename", 1, OLD, 2),  # the one moment at which killing leaves a second name
    ],
)
def test_killed_at_any_moment_the_file_is_whole(file, event, count, content, names):
    result = child(file, event, count)
    assert result.returncode == -signal.SIGKILL, result
    assert file.read_bytes() == content
    assert len(list(file.parent.iterdir())) == names


def test_killed_after_the_rename_the_file_is_new(file):
    last = next(count for count in range(20, 0, -1) if child(file, "open", count).returncode == -signal.SIGKILL)
    file.write_bytes(OLD)
    child(file, "open", last)
    assert file.read_bytes() == NEW and len(list(file.parent.iterdir())) == 1


def test_a_full_disk_leaves_the_old_file_and_nothing_else(file):
    result = child(file, "disk full", 100)
    assert "could not be written: File too large" in result.stdout, result
    assert file.read_bytes() == OLD
    assert [entry.name for entry in file.parent.iterdir()] == ["a.py"]


def test_without_nameless_files(file, monkeypatch):
    """Systems without `O_TMPFILE` get a named temporary file, which goes away again, too."""
    monkeypatch.delattr(os, "O_TMPFILE", raising=False)
    refused(file, "changed on disk", expected=b"")
    file.chmod(0o640)
    assert write_atomic(str(file), NEW, expected=OLD) is None
    assert file.read_bytes() == NEW and stat.S_IMODE(file.stat().st_mode) == 0o640
    assert [entry.name for entry in file.parent.iterdir()] == ["a.py"]
