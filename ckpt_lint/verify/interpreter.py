"""Which Python has the torch that checkpoints are verified with. Nothing is started here."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Candidate:
    """An interpreter, and where we know it from. `only` says that somebody named it: no other one will do."""

    python: str
    origin: str
    only: bool = False


def candidates(
    *, named: str | None, configured: str | None, root: str, environment: Mapping[str, str] = os.environ
) -> tuple[Candidate, ...]:
    """The interpreters to try, in order: `--python`, the setting, the active environment, `.venv`, our own.

    `configured` is relative to `root`, the folder of the configuration, where it is no absolute path.
    """
    if named is not None:
        return (Candidate(_program(named, os.getcwd()), "--python", only=True),)
    if configured is not None:
        return (Candidate(_program(configured, root), "the setting `python`", only=True),)
    found = [
        (environment.get("VIRTUAL_ENV"), "the active VIRTUAL_ENV"),
        (environment.get("CONDA_PREFIX"), "the active CONDA_PREFIX"),
        (os.path.join(root, ".venv"), "the project's .venv"),
    ]
    known = [Candidate(python, origin) for folder, origin in found if folder and (python := _in(folder))]
    return tuple({one.python: one for one in (Candidate(sys.executable, "our own"), *reversed(known))}.values())[::-1]


def _program(text: str, folder: str) -> str:
    """A path as it was given, the interpreter of an environment's folder, or a program of PATH."""
    path = os.path.join(folder, os.path.expanduser(text))
    if os.path.isdir(path):
        return _in(path) or path
    if os.path.exists(path):
        return path
    return shutil.which(text) or path


def _in(folder: str) -> str | None:
    """The interpreter of a virtual or conda environment."""
    for parts in (("bin", "python"), ("Scripts", "python.exe"), ("python.exe",)):
        path = os.path.join(folder, *parts)
        if os.path.isfile(path):
            return path
    return None
