"""The sample project as the documentation uses it: under git, with checkpoints that its programs have written."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.docs.blocks import ROOT

SAMPLE = ROOT / "fixtures" / "projects" / "classifier"
CHECKPOINTS = ROOT / "fixtures" / "checkpoints" / "files"

_TRAIN = """\
import pathlib, sys

import torch

from classifier.model import Classifier

torch.manual_seed(0)
model = Classifier(3, width=8, depth=1)
optimizer = torch.optim.AdamW(model.parameters())
model(torch.rand(2, 3, 16, 16)).sum().backward()
optimizer.step()
runs = pathlib.Path(sys.argv[1])
torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, runs / "last.pt")
torch.save(model.state_dict(), runs / "best.pt")
torch.save(model, runs / "model.pt")
"""
"""The end of `classifier.train`, for a network that is small enough."""


def train(runs: Path) -> None:
    """Write last.pt, best.pt and model.pt into the folder."""
    environment = {**os.environ, "PYTHONPATH": str(SAMPLE), "PYTHONDONTWRITEBYTECODE": "1"}
    subprocess.run([sys.executable, "-c", _TRAIN, str(runs)], check=True, env=environment)


def make(folder: Path, runs: Path) -> None:
    """A clean checkout of the sample project, and the checkpoints of a run."""
    shutil.copytree(SAMPLE, folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(runs, folder / "runs")
    (folder / ".gitignore").write_text("runs/\n*.bak\n")


def commit(folder: Path, environment: dict[str, str]) -> None:
    """Put everything under git."""
    for command in ("init --quiet", "add --all", "commit --quiet --message project"):
        subprocess.run(["git", *command.split()], cwd=folder, check=True, env=environment)


def environment(home: Path, cache: Path) -> dict[str, str]:
    """Of a user with nothing of their own: our interpreter comes first, and this checkout is what it imports."""
    home.mkdir(exist_ok=True)
    who = {f"GIT_{role}_{part}": "somebody" for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")}
    return {
        **who,
        "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])),
        "HOME": str(home),
        "PYTHONPATH": str(ROOT),
        "CKPT_LINT_CACHE_DIR": str(cache),
        "GIT_CONFIG_NOSYSTEM": "1",
        "LC_ALL": "C.UTF-8",
        "NO_COLOR": "1",
    }
