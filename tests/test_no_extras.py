"""A fresh environment with the package and nothing else: the command line works without torch, flake8 and the like."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.command import ckpt_lint

ROOT = Path(__file__).parents[1]
SAMPLE = ROOT / "fixtures" / "projects" / "classifier"
CHECKPOINT = ROOT / "fixtures" / "checkpoints" / "files" / "train_full.pt"
ABSENT = ("torch", "numpy", "flake8", "safetensors", "fsspec", "rich", "pygls", "watchfiles", "shtab", "hypothesis", "pytest")


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a new virtual environment that only the package is installed into."""
    folder = tmp_path_factory.mktemp("bare")
    (folder / "source").mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder / "source" / name)
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "ckpt_lint", folder / "source" / "ckpt_lint", ignore=ignored)
    subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True)
    python = folder / "venv" / ("Scripts" if os.name == "nt" else "bin") / "python"
    subprocess.run([str(python), "-m", "pip", "install", "-q", str(folder / "source")], check=True)
    return python


def run(python: Path, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    command = [str(python.with_name("ckpt-lint")), *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, env=environment)


def test_none_of_the_extras_is_there(python: Path) -> None:
    code = f"import importlib.util as u; print([m for m in {ABSENT!r} if u.find_spec(m)])"
    done = subprocess.run([str(python), "-I", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_the_sample_project_has_the_findings_that_it_has_here(python: Path) -> None:
    done = run(python, "check", "--output-format", "json", cwd=SAMPLE)
    assert done.returncode == 1 and not done.stderr
    assert json.loads(done.stdout) == json.loads(ckpt_lint("check", "--output-format", "json", cwd=SAMPLE).out)


@pytest.mark.parametrize("output_format", ["full", "concise", "github", "sarif"])
def test_every_format(python: Path, output_format: str) -> None:
    done = run(python, "check", "--output-format", output_format, cwd=SAMPLE)
    assert done.returncode == 1 and "CKP302" in done.stdout and not done.stderr


def test_fixing(python: Path, tmp_path: Path) -> None:
    sample = tmp_path / "sample"
    shutil.copytree(SAMPLE, sample)
    before = json.loads(run(python, "check", "--output-format", "json", cwd=sample).stdout)
    done = run(python, "check", "--fix", "--unsafe-fixes", cwd=sample)
    assert "fixed, " in done.stdout and not done.stderr
    after = json.loads(run(python, "check", "--output-format", "json", cwd=sample).stdout)
    assert 0 < len(after) < len(before) / 2


def test_the_other_commands(python: Path, tmp_path: Path) -> None:
    for arguments, words in (
        (("rule", "CKP302"), "load-without-weights-only"),
        (("rule", "--all", "--output-format", "json"), '"CKP302"'),
        (("explain", "classifier/train.py:39"), "load: torch.load"),
        (("inspect", str(CHECKPOINT)), "optimizer"),
        (("check", "--show-settings"), "torch-version"),
    ):
        done = run(python, *arguments, cwd=SAMPLE)
        assert done.returncode == 0 and words in done.stdout and not done.stderr, done
    wanted = run(python, "check", "--torch-version", "installed", cwd=SAMPLE)
    assert wanted.returncode == 2 and wanted.stderr.count("\n") == 1 and "torch" in wanted.stderr, wanted


def test_what_needs_an_extra_says_which(python: Path, tmp_path: Path) -> None:
    for arguments, extra in ((("server",), "lsp"), (("check", "--watch"), "watch"), (("completion", "bash"), "completion")):
        done = run(python, *arguments, cwd=tmp_path)
        assert done.returncode == 2 and not done.stdout, done
        assert done.stderr.count("\n") == 1 and f"pip install 'ckpt-lint[{extra}]'" in done.stderr, done
