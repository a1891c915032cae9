"""`--output-file`, and the line that says how far a run is."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest

from ckpt_lint.cli.progress import Progress
from ckpt_lint.config.options import OUTPUT_FORMATS
from tests.cli.command import ckpt_lint, write

HAZARD = 'import torch\n\nx = torch.load(p, map_location="cpu")\n'


def test_the_report_goes_to_the_file(tmp_path: Path) -> None:
    write(tmp_path, a=HAZARD)
    plain = ckpt_lint("check", cwd=tmp_path)
    ran = ckpt_lint("check", "--output-file", "report.txt", cwd=tmp_path, env={"FORCE_COLOR": "1"})
    assert (ran.code, ran.out, ran.err) == (1, "", "")
    assert (tmp_path / "report.txt").read_text() == plain.out
    assert ckpt_lint("check", "--output-format", "json", "-o", "report.txt", cwd=tmp_path).code == 1
    assert json.loads((tmp_path / "report.txt").read_text())[0]["code"] == "CKP302"
    assert sorted(os.listdir(tmp_path)) == ["a.py", "report.txt"]


def test_a_device_is_written_to(tmp_path: Path) -> None:
    write(tmp_path, a=HAZARD)
    ran = ckpt_lint("check", "--output-format", "concise", "-q", "-o", "/dev/stdout", cwd=tmp_path)
    assert ran.code == 1 and ran.out.startswith("a.py:3:5: CKP302")


def test_a_full_disk_is_said_in_one_line(tmp_path: Path) -> None:
    write(tmp_path, a=HAZARD)
    ran = ckpt_lint("check", "-o", "/dev/full", cwd=tmp_path)
    reason = "could not be written: No space left on device"
    assert (ran.code, ran.err) == (2, f"ckpt-lint: error: --output-file /dev/full: {reason}\n")


@pytest.mark.parametrize("place", ["no/report.txt", "folder"])
def test_a_place_that_takes_no_file_is_said_in_one_line(tmp_path: Path, place: str) -> None:
    (tmp_path / "folder").mkdir()
    ran = ckpt_lint("check", "-o", place, cwd=tmp_path)
    assert ran.code == 2 and ran.err.startswith(f"ckpt-lint: error: --output-file {place}: ")


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def progress_of(stream: StringIO, files: int, *, seconds: float, wanted: bool = True) -> str:
    now = [0.0]
    progress = Progress(stream, wanted=wanted, clock=lambda: now[0])
    for _ in progress.watch(list(progress.counted(range(files)))):
        now[0] += seconds
    return stream.getvalue()


def test_a_long_run_shows_how_far_it_is_and_clears_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    shown = progress_of(Terminal(), 10, seconds=0.5)
    assert "\r\x1b[2KChecking [####" in shown and "10 of 10 files" in shown and shown.endswith("\r\x1b[2K")
    assert progress_of(Terminal(), 10, seconds=0.01) == "", "a short run"
    assert progress_of(StringIO(), 10, seconds=0.5) == "", "no terminal"
    assert progress_of(Terminal(), 10, seconds=0.5, wanted=False) == ""
    assert progress_of(Terminal(), 100_000, seconds=0.001).count("Checking") < 1100
    monkeypatch.setenv("TERM", "dumb")
    assert progress_of(Terminal(), 10, seconds=0.5) == ""


def test_on_a_real_terminal_the_line_is_on_stderr_only(tmp_path: Path) -> None:
    for number in range(1500):
        (tmp_path / f"f{number}.py").write_text(HAZARD.replace("p,", f"p{number},"))
    main, side = pty.openpty()
    root = str(Path(__file__).parents[2])
    command = [sys.executable, "-m", "ckpt_lint", "check", "--no-cache", "-j1", "--output-format", "concise"]
    environment = {**os.environ, "PYTHONPATH": root, "TERM": "xterm"}
    with open(tmp_path / "out.txt", "wb") as out:
        done = subprocess.Popen(command, cwd=tmp_path, stdout=out, stderr=side, env=environment)
        os.close(side)
        seen = b""
        while True:
            try:
                piece = os.read(main, 4096)
            except OSError:
                break
            if not piece:
                break
            seen += piece
    os.close(main)
    assert done.wait() == 1
    assert b"Checking [" in seen and b"of 1500 files" in seen and seen.endswith(b"\r\x1b[2K")
    assert b"\x1b" not in (tmp_path / "out.txt").read_bytes()


@pytest.mark.parametrize("output_format", OUTPUT_FORMATS)
def test_a_file_with_an_evil_name_and_source_is_shown_without_harm(tmp_path: Path, output_format: str) -> None:
    name = "\x1b[31m\u202e\x9b.py"
    (tmp_path / name).write_text(f'import torch\nx = torch.load("\x1b]0;t\x07\u202e", map_location="cpu")  # {name}\n')
    options = ("--output-format", output_format, "--baseline", "b.json")
    (tmp_path / "b.json").write_text('{"version": 1, "findings": []}')
    for more in ((), ("--update-baseline",), ()):
        ran = ckpt_lint("check", *options, *more, cwd=tmp_path)
        assert ran.code in (0, 1) and (ran.code == 1 or not more or "1 finding" in ran.out)
        assert not {"\x1b", "\x07", "\u202e", "\x9b"} & set(ran.out + ran.err)
    assert (tmp_path / "b.json").read_bytes().isascii() and b"\x1b" not in (tmp_path / "b.json").read_bytes()
