"""What a process of the nursery says and does is what one of a new interpreter says and does."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.cli.command import Ran, ckpt_lint, write
from tests.cli.nursery import ROOT, own_environment, run, same_start
from tests.verify.projects import ANYWHERE, QUIET, RESTORE, project

HAZARD = "import torch\n\n\nx = torch.load(p)  # \u03b1\n"
_FIGURE = re.compile(r'\d[\d.e-]* (MB|s|ms)\b|(?<="anonymous": )\d+|(?<="peak": )\d+|(?<="seconds": )[\d.e-]+')
COMMANDS = (
    ("check", "--no-cache", "."),
    ("check", "--no-cache", "--output-format", "json", "."),
    ("check", "--no-cache", "--diff", "--unsafe-fixes", "."),
    ("check", "--no-cache", "--jobs", "2", "."),
    ("check", "--no-cache", "--stdin-filename", "b.py", "-"),
    ("check", "--no-cache", "--quiet", "--output-file", "/dev/stdout", "."),
    ("check", "nowhere.py"),
    ("check", "--no-such-option"),
    ("explain", "a.py:4"),
    ("rule", "CKP302"),
    ("inspect", "last.pt"),
    ("--version",),
    ("--help",),
    (),
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path, a=HAZARD, broken="def f(:\n")
    return project(tmp_path, RESTORE.format(name="last.pt"), last="state_dict.pt")


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_a_command(folder: Path, arguments: tuple[str, ...]) -> None:
    forked, new = (ckpt_lint(*arguments, cwd=folder, stdin=HAZARD.encode(), anew=anew) for anew in (False, True))
    assert forked == new


@pytest.mark.parametrize("more", [(), ("--output-format", "json"), ("--full", "--checkpoint", "last.pt")], ids=str)
def test_verify(folder: Path, more: tuple[str, ...]) -> None:
    """Nothing differs but figures of time and memory."""
    forked, new = (
        _without_figures(ckpt_lint("verify", ".", *more, cwd=folder, env=QUIET, anew=anew)) for anew in (False, True)
    )
    assert forked == new and "CKP302" in new.out


def _without_figures(ran: Ran) -> Ran:
    return Ran(ran.code, _FIGURE.sub("N", ran.out), ran.err)


def test_code_that_a_checkpoint_brings_finds_no_more_than_in_a_new_process(tmp_path: Path) -> None:
    """Neither the package nor the tests are there to be imported, though the nursery has imported them."""
    project(tmp_path, ANYWHERE, "whole_module_own_class.pt")
    arguments = ("verify", ".", "--checkpoint", "*.pt", "--trust")
    forked, new = (
        _without_figures(ckpt_lint(*arguments, cwd=tmp_path, env=QUIET, anew=anew)) for anew in (False, True)
    )
    assert forked == new and new.code == 1


PROBE = """\
import atexit, json, os, sys, threading, time
atexit.register(print, "at exit")
threading.Thread(target=lambda: (time.sleep(0.2), print("thread"))).start()
print(json.dumps([os.getcwd(), sys.argv[1:], sys.path, sys.stdin.read(), dict(os.environ), sys.stdout.isatty(),
                  [stream.encoding + stream.errors for stream in (sys.stdin, sys.stdout, sys.stderr)],
                  __name__, sorted(os.listdir("/proc/self/fd"))[:4], "cwd_module" in sys.modules]))
print("error", file=sys.stderr)
import cwd_module
"""


@pytest.mark.parametrize(
    ("last", "code"), [("", 0), ("sys.exit(7)", 7), ("sys.exit('why')", 1), ("1 / 0", 1), ("os.kill(os.getpid(), 9)", -9)]
)
def test_a_program(tmp_path: Path, last: str, code: int) -> None:
    (tmp_path / "cwd_module.py").write_text("print('imported from the working folder')\n")
    (tmp_path / "probe.py").write_text(PROBE + last)
    environment = {**own_environment(), "NEW": "1"}
    environment.pop("HOME", None)
    forked, new = (
        run("probe", "a", "", "\u03b1", cwd=tmp_path, stdin=b"in\n", environment=environment, anew=anew)
        for anew in (False, True)
    )
    assert (forked.returncode, forked.stdout) == (new.returncode, new.stdout) and new.returncode == code
    assert _last_line(forked.stderr) == _last_line(new.stderr)


def _last_line(text: bytes) -> bytes:
    """Of a traceback the error: the lines before it are those of two ways to start."""
    return text.splitlines()[-1]


def test_commands_do_not_see_each_other(tmp_path: Path) -> None:
    head = "import os, sys, ckpt_lint\n"
    (tmp_path / "leave.py").write_text(head + "ckpt_lint.left = sys.left = 1\nos.environ['LEFT'] = '1'\n")
    look = "print([hasattr(ckpt_lint, 'left'), hasattr(sys, 'left'), 'LEFT' in os.environ])\n"
    (tmp_path / "look.py").write_text(head + look)
    for module in ("leave", "look"):
        done = run(module, cwd=tmp_path, environment=own_environment())
        assert done.returncode == 0, done.stderr
    assert done.stdout == b"[False, False, False]\n"


@pytest.mark.parametrize("name", ["PYTHONHASHSEED", "PYTHONPATH", "PYTHONIOENCODING", "LC_ALL", "LANG"])
def test_what_is_read_at_the_start_asks_for_a_new_interpreter(name: str) -> None:
    assert same_start({**os.environ, "PYTHONPATH": str(ROOT), "HOME": "/", "COLUMNS": "1"})
    assert not same_start({**os.environ, "PYTHONPATH": str(ROOT), name: "other"})
