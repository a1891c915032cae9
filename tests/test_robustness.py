"""What may happen to a run from outside: odd code, kills, full disks, configurations of repositories not trusted."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ckpt_lint import check_source
from ckpt_lint.settings import too_wild
from tests.cli.command import ckpt_lint

ROOT = Path(__file__).parents[1]
OLD = b"import torch\n\n\ndef restore(path):\n    return torch.load(path)\n"


def test_a_long_chain_of_calls_is_read() -> None:
    outcome = check_source("import torch\n\nx = torch.load(path)" + ".a(1)" * 170 + "\n", select=["ALL"])
    assert not outcome.problems and "CKP301" in {finding.code for finding in outcome.findings}


def test_lone_carriage_returns_are_newlines() -> None:
    body = "    y = [" + "1, " * 300 + "]\r    z = 2\r"
    plain = "".join(f"def plain_{number}():\r{body}" for number in range(3))
    outcome = check_source(
        f"import torch\r{plain}y = {' + '.join('x' * 200)}\rm = torch.load(path)\r", select=["CKP301"]
    )
    assert not outcome.problems and [finding.location.row for finding in outcome.findings] == [12]


def many(folder: Path, count: int = 60) -> list[Path]:
    paths = [folder / f"part_{number:03}.py" for number in range(count)]
    for path in paths:
        path.write_bytes(OLD)
    return paths


def fixing(folder: Path, **more: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "ckpt_lint", "check", "--fix", "--unsafe-fixes", "--no-cache", "."],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT), **more},
    )


def fixed_text(folder: Path) -> bytes:
    folder.mkdir()
    (path,) = many(folder, 1)
    fixing(folder).communicate()
    assert path.read_bytes() != OLD
    return path.read_bytes()


def test_killed_while_it_fixes_every_file_is_old_or_fixed(tmp_path: Path) -> None:
    new = fixed_text(tmp_path / "one")
    chance, seen = random.Random(1), set[bytes]()
    for number in range(5):
        folder = tmp_path / str(number)
        folder.mkdir()
        paths = many(folder)
        process = fixing(folder)
        end = time.monotonic() + 60
        while process.poll() is None and paths[0].read_bytes() == OLD and time.monotonic() < end:
            time.sleep(0.001)
        time.sleep(chance.random() * 0.1)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        texts = {path.read_bytes() for path in paths}
        assert texts <= {OLD, new}
        assert [path for path in folder.iterdir() if path.suffix == ".py"] and len(list(folder.iterdir())) <= 61
        seen |= texts
    assert seen == {OLD, new}, "no run was killed in the middle"


def test_two_runs_at_once_fix_every_file_once(tmp_path: Path) -> None:
    new = fixed_text(tmp_path / "one")
    folder = tmp_path / "both"
    folder.mkdir()
    paths = many(folder)
    runs = [fixing(folder), fixing(folder)]
    for run in runs:
        _, err = run.communicate()
        assert run.returncode in (0, 1, 3) and b"Traceback" not in err
    assert {path.read_bytes() for path in paths} == {new} and len(list(folder.iterdir())) == len(paths)


def test_a_full_disk_is_said_and_loses_nothing(tmp_path: Path) -> None:
    long = OLD + b"# " + b"x" * 20_000 + b"\n"
    (tmp_path / "train.py").write_bytes(long)
    code = (
        "import resource, signal, sys\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))\n"
        "from ckpt_lint.cli import main\n"
        "sys.exit(main(['check', '--fix', '--unsafe-fixes', '--no-cache', 'train.py']))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 3 and "Traceback" not in done.stderr and "arge" in done.stdout + done.stderr
    assert (tmp_path / "train.py").read_bytes() == long and len(list(tmp_path.iterdir())) == 1


def test_a_report_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_bytes(OLD)
    done = ckpt_lint("check", "--output-file", "/dev/full", "train.py", cwd=tmp_path)
    assert done.code in (2, 3) and "No space left" in done.err and "Traceback" not in done.err


def test_a_word_of_very_many_letters_costs_little() -> None:
    start = time.process_time()
    outcome = check_source(f"{OLD.decode()}    data = '{'x' * 200_000}'\n# {'y' * 200_000}\n", select=["CKP301"])
    assert len(outcome.findings) == 1 and time.process_time() - start < 5


NAME = "a" * 120 + "c.py"


@pytest.mark.parametrize(
    "line", ['exclude = ["{}"]', 'test-paths = ["x/{}"]', 'per-file-ignores = {{ "{}" = ["CKP301"] }}', 'include = ["!{}"]']
)
def test_a_pattern_that_could_take_for_ever_is_refused(tmp_path: Path, line: str) -> None:
    (tmp_path / NAME).write_text("import torch\ntorch.load('m.pt')\n")
    (tmp_path / "ckpt-lint.toml").write_text(line.format("a*" * 30 + "b"))
    ran = ckpt_lint("check", cwd=tmp_path)
    assert ran.code == 2 and "more than 4 `*`" in ran.err
    (tmp_path / "ckpt-lint.toml").write_text(line.format("**/" * 20 + "b"))
    assert "more than 6 `**`" in ckpt_lint("check", cwd=tmp_path).err


def test_such_a_pattern_of_gitignore_ignores_nothing(tmp_path: Path) -> None:
    (tmp_path / NAME).write_text("import torch\ntorch.load('m.pt')\n")
    (tmp_path / "other.py").write_text("import torch\ntorch.load('m.pt')\n")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".gitignore").write_text("a*" * 30 + "b\nother.*\n")
    ran = ckpt_lint("check", "--output-format", "concise", cwd=tmp_path)
    assert NAME in ran.out and "other.py" not in ran.out


def test_usual_patterns_are_fine() -> None:
    for glob in ("**/tests/**", "*_test.py", "src/**/gen_*/*.py", "[a-z]*-*.*.py", "a**b"):
        assert too_wild(glob) is None
