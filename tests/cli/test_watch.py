"""`check --watch`: a process of its own, and files that really change."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.command import ckpt_lint

BAD = "import torch\nx = torch.load(p, weights_only=True)\n"
GOOD = "import torch\nx = torch.load(p, weights_only=True, map_location='cpu')\n"
READY = "Watching for changes"


class Watching:
    """The process, and what it has written."""

    def __init__(self, folder: Path, arguments: Sequence[str], log: Path) -> None:
        self.log, self.seen = log, 0
        with log.open("wb") as stream:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "ckpt_lint", "check", "--watch", *arguments],
                cwd=folder, stdout=stream, stderr=stream, env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
            )  # fmt: skip

    def next(self) -> str:
        """What the next run writes."""
        end = time.monotonic() + 60
        while time.monotonic() < end:
            text = self.log.read_text()
            at = text.find(READY, self.seen)
            if at >= 0 and "\n" in text[at:]:
                found, self.seen = text[self.seen : at], text.index("\n", at) + 1
                return found
            assert self.process.poll() is None, text
            time.sleep(0.02)
        raise AssertionError(self.log.read_text())

    def nothing_else(self) -> None:
        """Nothing has run since."""
        time.sleep(0.7)
        assert len(self.log.read_text()) == self.seen, self.log.read_text()[self.seen :]

    def interrupt(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout=60)


@contextmanager
def watching(folder: Path, *arguments: str) -> Iterator[Watching]:
    made = Watching(folder, arguments, folder.parent / f"{folder.name}.log")
    try:
        yield made
    finally:
        made.process.kill()
        made.process.wait()


def test_what_changes_is_checked_again(tmp_path: Path) -> None:
    """Files that change, come and go; ignored ones and others do not count; configurations, also from above, do."""
    project = tmp_path / "project"
    src = project / "src"
    for folder in (project / ".git", src / "build"):
        folder.mkdir(parents=True)
    (src / ".gitignore").write_text("build/\n")
    (src / "a.py").write_text(GOOD)
    with watching(project, "--output-format", "concise", "src") as process:
        assert "All checks passed" in process.next()
        (src / "a.py").write_text(BAD)
        assert "Changed: src/a.py" in (text := process.next()) and "src/a.py:2:5: CKP301" in text
        (src / "build" / "b.py").write_text(BAD)
        (src / "notes.md").write_text("")
        process.nothing_else()
        (src / "c.py").write_text(BAD)
        assert "src/c.py:2:5: CKP301" in process.next()
        (project / "ckpt-lint.toml").write_text('ignore = ["CKP301"]\n')
        assert "Changed: ckpt-lint.toml" in (text := process.next()) and "CKP301" not in text
        (src / "ckpt-lint.toml").write_text('selekt = ["CKP301"]\n')
        assert "ckpt-lint: error: src/ckpt-lint.toml" in process.next()
        (src / "ckpt-lint.toml").unlink()
        (src / "c.py").unlink()
        text = process.next()
        while "Changed: src/c.py" not in text and "src/c.py" not in text.partition("\n")[0]:
            text = process.next()
        assert "error" not in text and "\x1b" not in process.log.read_text()
        assert process.interrupt() == 0
    assert process.log.read_text().endswith("Stopped watching\n")


def test_fixing_while_watching_ends_in_peace(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    path = project / "a.py"
    path.write_text("import torch\nmodel.load_state_dict(torch.load(p, weights_only=True))\n")
    with watching(project, "--fix", "a.py") as process:
        assert "1 fixed" in process.next() and "map_location" in path.read_text()
        assert "All checks passed" in process.next()
        process.nothing_else()
        path.write_text(BAD)
        assert "CKP301" in process.next()
        assert process.interrupt() == 0


def test_the_screen_is_cleared_on_a_terminal(tmp_path: Path) -> None:
    pty = pytest.importorskip("pty")
    (tmp_path / "a.py").write_text(BAD)
    main, other = pty.openpty()
    command = [sys.executable, "-m", "ckpt_lint", "check", "--watch"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "TERM": "xterm"}
    process = subprocess.Popen(command, cwd=tmp_path, stdout=other, stderr=other, env=environment)
    os.close(other)
    text = b""
    while READY.encode() not in text:
        text += os.read(main, 10_000)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 0
    os.close(main)
    assert text.startswith(b"\x1b[2J\x1b[3J\x1b[H") and b"CKP301" in text


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["-"], "`-`"),
        (["https://example.org/a.pt"], "example.org"),
        (["--diff"], "--diff"),
        (["--add-noqa"], "--add-noqa"),
        (["--show-files"], "--show-files"),
        (["--baseline", "b.json", "--update-baseline"], "--update-baseline"),
        (["absent.py"], "absent.py"),
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path: Path, arguments: list[str], word: str) -> None:
    ran = ckpt_lint("check", "--watch", *arguments, cwd=tmp_path)
    assert ran.code == 2 and ran.err.count("\n") == 1 and word in ran.err and not ran.out


def test_without_watchfiles_it_says_what_to_install() -> None:
    code = "import sys; sys.modules['watchfiles'] = None; from ckpt_lint.cli import main; sys.exit(main(['check', '-w']))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == "ckpt-lint: error: --watch needs watchfiles: pip install 'ckpt-lint[watch]'\n"
