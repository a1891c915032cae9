"""`ckpt-lint check -`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.cli.command import ckpt_lint

HAZARD = b"import torch\n\nx = torch.load(p)\n"
FIXABLE = (
    b"# -*- coding: latin-1 -*-\r\n# \xe9\r\nimport torch\r\nmodel.load_state_dict(torch.load(p, weights_only=True))"
)


def test_findings_of_stdin(tmp_path: Path) -> None:
    ran = ckpt_lint("check", "--output-format", "concise", "-", cwd=tmp_path, stdin=HAZARD)
    assert ran.code == 1
    assert ran.out.startswith("-:3:5: CKP301 ")
    named = ckpt_lint(
        "check", "--output-format", "json", "-", "--stdin-filename", "pkg/a.py", cwd=tmp_path, stdin=HAZARD
    )
    assert {row["filename"] for row in json.loads(named.out)} == {str(tmp_path / "pkg" / "a.py")}


def test_the_name_decides_configuration_tests_and_exclusion(tmp_path: Path) -> None:
    (tmp_path / "ckpt-lint.toml").write_text("extend-exclude = ['gen']\n[per-file-ignores]\n'a.py' = ['CKP3']\n")

    def code(*options: str) -> int:
        return ckpt_lint("check", "-", *options, cwd=tmp_path, stdin=HAZARD).code

    assert code() == 1
    assert code("--stdin-filename", "a.py") == 0
    assert code("--stdin-filename", "tests/test_b.py") == 0
    assert code("--stdin-filename", "gen/b.py") == 1
    assert code("--stdin-filename", "gen/b.py", "--force-exclude") == 0


def test_fix_writes_to_stdout_byte_for_byte(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "ckpt_lint", "check", "--fix", "-"]
    env = {"PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(command, cwd=tmp_path, input=FIXABLE, capture_output=True, check=False, env=env)
    assert done.stdout == FIXABLE.replace(b"weights_only=True)", b'weights_only=True, map_location="cpu")')
    assert b"1 fixed" in done.stderr and done.returncode == 0


def test_what_cannot_be_fixed_comes_back_as_it_was(tmp_path: Path) -> None:
    for text in (b"import torch\ntorch.load(\n", b"x = 1", b"", b"import torch\nx = 1\n"):
        ran = ckpt_lint("check", "--fix", "-", cwd=tmp_path, stdin=text)
        assert ran.out.encode() == text


def test_diff_of_stdin(tmp_path: Path) -> None:
    ran = ckpt_lint("check", "--diff", "-", cwd=tmp_path, stdin=FIXABLE.replace(b"\xe9", b"e"))
    assert ran.code == 1 and "--- -\n+++ -\n" in ran.out


def test_stdin_stands_alone(tmp_path: Path) -> None:
    assert ckpt_lint("check", "-", "a.py", cwd=tmp_path, stdin=HAZARD).code == 2
