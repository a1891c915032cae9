"""The fact cache: the same answers with it and without, whatever has happened to it."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ckpt_lint.cache_folder import TAG, default_folder
from ckpt_lint.source import parse
from ckpt_lint.source.cache import FactCache, key_of
from tests.cli.nursery import own_environment, run

SAMPLE = Path(__file__).parents[1] / "fixtures" / "projects" / "classifier"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SAMPLE, tmp_path / "classifier"))


def check(project: Path, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = ("check", "--output-format", "json", *options, ".")
    done = run("ckpt_lint", *command, cwd=project, environment={**own_environment(), **environment})
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


def entries(folder: Path) -> list[Path]:
    """The facts that are kept; verdicts have tests of their own."""
    found = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != TAG)
    return [path for path in found if path.parent.name != "verdicts"]


def test_a_warm_run_parses_nothing_and_says_the_same(project: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    plain = check(project, "--no-cache")
    cold = check(project, "--cache-dir", str(cache))
    assert json.loads(plain.stdout) and (plain.stdout, plain.returncode) == (cold.stdout, cold.returncode)
    written = {path: path.stat().st_mtime_ns for path in entries(cache)}
    assert written
    code = "import sys; from ckpt_lint.cli import main; main(sys.argv[1:]); assert 'libcst' not in sys.modules"
    command = [sys.executable, "-c", code, "check", "--output-format", "json", "--cache-dir", str(cache), "."]
    warm = subprocess.run(command, cwd=project, capture_output=True, text=True, check=True)
    assert warm.stdout == plain.stdout
    assert {path: path.stat().st_mtime_ns for path in entries(cache)} == written


def test_no_cache_writes_none(project: Path, tmp_path: Path) -> None:
    check(project, "--no-cache", CKPT_LINT_CACHE_DIR=str(tmp_path / "cache"))
    assert not (tmp_path / "cache").exists()
    check(project, CKPT_LINT_CACHE_DIR=str(tmp_path / "cache"))
    assert entries(tmp_path / "cache")


@pytest.mark.parametrize("damage", ["cut", "flipped", "emptied", "foreign"])
def test_a_damaged_entry_heals(project: Path, tmp_path: Path, damage: str) -> None:
    cache = tmp_path / "cache"
    plain = check(project, "--cache-dir", str(cache))
    good = {path: path.read_bytes() for path in entries(cache)}
    shutil.rmtree(cache / "verdicts")  # with them nothing would be read
    for path, data in good.items():
        middle = len(data) // 2
        path.write_bytes(
            {
                "cut": data[:middle],
                "flipped": data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :],
                "emptied": b"",
                "foreign": b"not facts",
            }[damage]
        )
    again = check(project, "--cache-dir", str(cache))
    assert (again.stdout, again.returncode, again.stderr) == (plain.stdout, plain.returncode, plain.stderr)
    assert {path: path.read_bytes() for path in entries(cache)} == good


def test_a_changed_file_is_another_entry(project: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    before = json.loads(check(project, "--cache-dir", str(cache)).stdout)
    name = before[0]["filename"]
    Path(name).write_text("x = 1\n" + Path(name).read_text(encoding="utf-8"), encoding="utf-8")
    after = json.loads(check(project, "--cache-dir", str(cache)).stdout)
    moved = [f["location"]["row"] for f in after if f["filename"] == name]
    assert moved == [f["location"]["row"] + 1 for f in before if f["filename"] == name]


def test_the_key_tells_all_that_decides_the_facts_apart() -> None:
    keys = {
        key_of("x = 1", base=0, slicing=True),
        key_of("x = 2", base=0, slicing=True),
        key_of("x = 1", base=3, slicing=True),
        key_of("x = 1", base=0, slicing=False),
    }
    assert len(keys) == 4


def test_an_entry_comes_back(tmp_path: Path) -> None:
    cache = FactCache(str(tmp_path))
    code = "import torch\nmodel = torch.load('é.pt', map_location=None)\n"
    key = key_of(code, base=0, slicing=True)
    assert cache.get(key) is None
    parsed = parse.parse(code)
    cache.put(key, parsed)
    found = cache.get(key)
    assert found is not None and found.size == parsed.size
    assert repr(found.module) == repr(parsed.module)


@pytest.mark.skipif(sys.platform == "win32", reason="permissions of POSIX")
@pytest.mark.parametrize("obstacle", ["a file", "under a file"])
def test_a_cache_that_cannot_be_written_is_said_once(project: Path, tmp_path: Path, obstacle: str) -> None:
    (tmp_path / "file").write_text("")
    folder = tmp_path / "file" / "below" if obstacle == "under a file" else tmp_path / "file"
    plain = check(project, "--no-cache")
    ran = check(project, "--cache-dir", str(folder))
    assert (ran.stdout, ran.returncode) == (plain.stdout, plain.returncode)
    assert ran.stderr.count("\n") == 1 and "no cache is kept" in ran.stderr


def test_runs_at_once_and_kills_leave_nothing_broken(project: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    plain = check(project, "--no-cache")
    command = [sys.executable, "-m", "ckpt_lint", "check", "--output-format", "json", "--cache-dir", str(cache), "."]
    for wait in (0.1, 0.25, 0.4, 0.6):
        running = [
            subprocess.Popen(command, cwd=project, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for _ in range(2)
        ]
        time.sleep(wait)
        for process in running:
            process.send_signal(signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)
            process.wait()
    both = [subprocess.Popen(command, cwd=project, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert [process.communicate()[0] for process in both] == [plain.stdout] * 2


def test_clean(project: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    check(project, "--cache-dir", str(cache))
    count = len(entries(cache)) + 1  # and the verdicts on the project

    def clean(folder: Path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "ckpt_lint", "clean", "--cache-dir", str(folder)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    first = clean(cache)
    assert first.returncode == 0 and first.stdout.startswith(f"Removed {count} entries")
    assert not cache.exists()
    assert clean(cache).stdout.startswith("Nothing to remove")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "kept").write_text("")
    refused = clean(tmp_path / "other")
    assert refused.returncode == 3 and "is not a cache of ckpt-lint" in refused.stderr
    assert (tmp_path / "other" / "kept").exists()


def test_a_repository_cannot_name_the_cache(project: Path) -> None:
    (project / "ckpt-lint.toml").write_text('cache-dir = "here"\n')
    ran = check(project)
    assert ran.returncode == 2 and "cache-dir" in ran.stderr


def test_where_the_cache_lies(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CKPT_LINT_CACHE_DIR", str(tmp_path / "named"))
    assert default_folder() == str(tmp_path / "named")
    monkeypatch.delenv("CKPT_LINT_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    if sys.platform == "linux":
        assert default_folder() == str(tmp_path / "xdg" / "ckpt-lint")
