"""What a run does not need it does not import: the small ones stay fast, and torch is never touched."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {"libcst", "rich", "multiprocessing", "concurrent.futures", "http", "http.client", "torch", "numpy"}
HAZARD = "import torch\n\nx = torch.load(p)\n"


def imported(*arguments: str, cwd: Path) -> set[str]:
    """The modules that a run imports, by `-X importtime`."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "ckpt_lint", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    rows = (line.rsplit("|", 1) for line in done.stderr.splitlines() if line.startswith("import time:"))
    return {row[-1].strip() for row in rows}


@pytest.mark.parametrize(
    "text", ["x = 1\n", "import torch\n\nx = torch.zeros(3)\n", "def f(path):\n    return open(path)\n"]
)
def test_a_file_without_checkpoint_code_imports_nothing_heavy(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.py").write_text(text)
    modules = imported("check", "a.py", cwd=tmp_path)
    assert "ckpt_lint.run" in modules
    assert not HEAVY & modules
    assert not {"ckpt_lint.engine", "ckpt_lint.report.blocks", "packaging", "pathspec"} & modules


def test_a_small_run_with_findings_starts_no_processes(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(HAZARD)
    modules = imported("check", "--no-cache", ".", cwd=tmp_path)
    assert "libcst" in modules
    assert not {"multiprocessing", "concurrent.futures", "torch", "numpy", "http", "flake8", "rich"} & modules


def test_the_names_are_those_that_importtime_prints(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(HAZARD)
    modules = imported("check", "--no-cache", "--torch-version", "2.6", ".", cwd=tmp_path)
    assert {"ckpt_lint.engine", "ckpt_lint.report.blocks", "pathspec", "libcst"} <= modules
