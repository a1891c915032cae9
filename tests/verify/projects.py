"""Small training projects with real checkpoints, and the command that verifies them."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cli.command import ckpt_lint

CHECKPOINTS = Path(__file__).parents[2] / "fixtures" / "checkpoints" / "files"
MANIFEST = '[project]\nname = "p"\ndependencies = ["torch>=2.0"]\n'

RESUME = """\
import torch


def resume(model, optimizer):
    ckpt = torch.load("{name}", map_location="cpu", weights_only=False)
    model.load_state_dict(ckpt["model"])
    optimizer.load_state_dict(ckpt["optimizer"])
    return ckpt["epoch"] + 1
"""
RESTORE = """\
import torch


def restore(model):
    model.load_state_dict(torch.load("{name}"))
"""
ANYWHERE = """\
import torch


def restore(model, path):
    model.load_state_dict(torch.load(path, map_location="cpu"))
"""


@dataclass(frozen=True)
class Said:
    """What `verify --output-format json` answered."""

    code: int
    document: dict[str, Any]
    err: str

    @property
    def sites(self) -> list[dict[str, Any]]:
        return list(self.document["sites"])

    @property
    def verdicts(self) -> list[str]:
        return [site["verdict"] for site in self.sites]

    @property
    def checks(self) -> list[dict[str, Any]]:
        return [check for site in self.sites for check in site["checks"]]


def project(folder: Path, code: str, *names: str, **renamed: str) -> Path:
    """A project in `folder` with `train.py` and fixture checkpoints, some under another name (`last="cuda.pt"`)."""
    (folder / "pyproject.toml").write_text(MANIFEST)
    (folder / "train.py").write_text(code)
    for name in names:
        shutil.copy(CHECKPOINTS / name, folder / name)
    for stem, name in renamed.items():
        shutil.copy(CHECKPOINTS / name, folder / f"{stem}.pt")
    return folder


def verify(folder: Path, *arguments: str, env: dict[str, str] | None = None) -> Said:
    """Run the command on the whole project."""
    ran = ckpt_lint("verify", ".", "--output-format", "json", *arguments, cwd=folder, env={**QUIET, **(env or {})})
    return Said(ran.code, json.loads(ran.out), ran.err)


QUIET = {"VIRTUAL_ENV": "", "CONDA_PREFIX": ""}
"""No active environment: our own interpreter is used."""


def digests(folder: Path) -> dict[str, str]:
    """The content of every file, and there are no others."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
