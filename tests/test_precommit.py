"""The hooks, with the real pre-commit on a real git repository."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CHECKPOINTS = ROOT / "fixtures" / "checkpoints" / "files"
CLEAN = 'import torch\n\nmodel.load_state_dict(torch.load(p, map_location="cpu", weights_only=True))\n'
HAZARD = CLEAN.replace(', map_location="cpu"', "")


def git(*arguments: str, cwd: Path) -> str:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
    return subprocess.run(["git", *identity, *arguments], cwd=cwd, check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def hooks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository of this package as it stands in the working tree; pre-commit installs it from there."""
    folder = tmp_path_factory.mktemp("hooks") / "ckpt-lint"
    folder.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE", ".pre-commit-hooks.yaml"):
        shutil.copy(ROOT / name, folder / name)
    shutil.copytree(ROOT / "ckpt_lint", folder / "ckpt_lint", ignore=shutil.ignore_patterns("__pycache__"))
    git("init", "-q", cwd=folder)
    git("add", "-A", cwd=folder)
    git("commit", "-qm", "hooks", cwd=folder)
    return folder


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """pre-commit's own cache of environments, shared by the tests here."""
    return tmp_path_factory.mktemp("pre-commit")


def pre_commit(hooks: Path, hook: str, *, cwd: Path, home: Path) -> subprocess.CompletedProcess[str]:
    """Run one hook as the configuration of a project names it; it is installed once."""
    head = git("rev-parse", "HEAD", cwd=hooks).strip()
    config = {"repos": [{"repo": str(hooks), "rev": head, "hooks": [{"id": hook}]}]}
    (home / "config.yaml").write_text(json.dumps(config))
    git("add", "-A", cwd=cwd)
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("GIT_", "PYTHONPATH"))}
    return subprocess.run(
        [sys.executable, "-m", "pre_commit", "run", hook, "--verbose", "--config", str(home / "config.yaml")],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        env={**environment, "PRE_COMMIT_HOME": str(home)},
    )


def notebook(code: str) -> str:
    cell = {"cell_type": "code", "metadata": {}, "outputs": [], "source": code.splitlines(keepends=True)}
    return json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}, indent=1)


def test_a_clean_commit_passes_a_hazard_blocks_and_the_fix_blocks_once(tmp_path: Path, hooks: Path, home: Path) -> None:
    """pre-commit names the changed files alone; the wrapper that one of them calls was committed before."""
    git("init", "-q", cwd=tmp_path)
    (tmp_path / "disk.py").write_text("import torch\n\n\ndef keep(obj, path):\n    torch.save(obj, path)\n")
    git("add", "-A", cwd=tmp_path)
    git("commit", "-qm", "clean", cwd=tmp_path)
    (tmp_path / "a.py").write_text(CLEAN)
    (tmp_path / "notes.txt").write_text(HAZARD)
    clean = pre_commit(hooks, "ckpt-lint", cwd=tmp_path, home=home)
    assert clean.returncode == 0 and "Passed" in clean.stdout, clean

    (tmp_path / "a.py").write_text(HAZARD)
    (tmp_path / "b.ipynb").write_text(notebook(HAZARD))
    (tmp_path / "c.py").write_text("from torch import nn\nfrom disk import keep\n\nkeep(nn.Linear(1, 1), 'm.pt')\n")
    blocked = pre_commit(hooks, "ckpt-lint", cwd=tmp_path, home=home)
    assert blocked.returncode == 1 and "a.py:3:23" in blocked.stdout, blocked
    assert "b.ipynb:cell 1:3:23" in blocked.stdout and "c.py:4:6" in blocked.stdout, blocked
    assert (tmp_path / "a.py").read_text() == HAZARD

    (tmp_path / "c.py").unlink()
    fixed = pre_commit(hooks, "ckpt-lint-fix", cwd=tmp_path, home=home)
    assert fixed.returncode == 1 and "files were modified by this hook" in fixed.stdout, fixed
    assert 'map_location="cpu"' in (tmp_path / "a.py").read_text()
    assert (tmp_path / "b.ipynb").read_text() == notebook(HAZARD).replace("True))", r'True, map_location=\"cpu\"))')
    again = pre_commit(hooks, "ckpt-lint-fix", cwd=tmp_path, home=home)
    assert again.returncode == 0 and "Passed" in again.stdout, again


def test_the_hooks_take_python_and_notebooks_in_one_process() -> None:
    text = (ROOT / ".pre-commit-hooks.yaml").read_text()
    hooks = [hook for hook in text.split("- id: ")[1:] if "checkpoints" not in hook.partition("\n")[0]]
    assert len(hooks) == 2
    for hook in hooks:
        assert "types_or: [python, jupyter]" in hook and "require_serial: true" in hook and "--force-exclude" in hook


def test_excluded_files_are_passed_by_although_pre_commit_names_them(tmp_path: Path, hooks: Path, home: Path) -> None:
    git("init", "-q", cwd=tmp_path)
    (tmp_path / "gen").mkdir()
    (tmp_path / "gen" / "a.py").write_text(HAZARD)
    (tmp_path / "ckpt-lint.toml").write_text("extend-exclude = ['gen']\n")
    assert pre_commit(hooks, "ckpt-lint", cwd=tmp_path, home=home).returncode == 0


def test_checkpoint_files_are_checked_by_their_own_hook(tmp_path: Path, hooks: Path, home: Path) -> None:
    git("init", "-q", cwd=tmp_path)
    (tmp_path / "a.py").write_text(HAZARD)
    (tmp_path / "notes.txt").write_text("no checkpoint")
    (tmp_path / "weights").mkdir()
    shutil.copy(CHECKPOINTS / "state_dict.pt", tmp_path / "weights" / "model.pt")
    shutil.copytree(CHECKPOINTS / "dcp", tmp_path / "weights" / "dcp")
    clean = pre_commit(hooks, "ckpt-lint-checkpoints", cwd=tmp_path, home=home)
    assert clean.returncode == 0 and "Passed" in clean.stdout, clean

    shutil.copy(CHECKPOINTS / "evil_zip.pt", tmp_path / "weights" / "old.PTH")
    shutil.copy(CHECKPOINTS / "lfs_pointer.pt", tmp_path / "pytorch_model.bin")
    blocked = pre_commit(hooks, "ckpt-lint-checkpoints", cwd=tmp_path, home=home)
    assert blocked.returncode == 1 and "git lfs pull" in blocked.stdout, blocked
    assert "weights/old.PTH:1:1" in blocked.stdout and "CKP501" in blocked.stdout, blocked
    assert "CKP301" not in blocked.stdout and "notes.txt" not in blocked.stdout
