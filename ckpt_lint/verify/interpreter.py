"""Which Python has the torch that checkpoints are verified with. Nothing is started here.

Whose interpreter it is counts: the project that is verified may be anybody's, and running what it names, or holds, is
running its code. Only the command line and the environment of whoever starts the run can have that done.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

FLAG = "--trust-project-python"
_PYTHON = r"(python|pypy)[\d.]*t?(\.exe)?"
"""Names of which PATH decides, as in a shell: the working folder may be anybody's, and hold a file that is called so."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """An interpreter, and where we know it from.

    `only` says that somebody named it: no other one will do. `refused` says why it is not to be run, "" where it is.
    """

    python: str
    origin: str
    only: bool = False
    refused: str = ""


@dataclass(frozen=True, slots=True)
class Configured:
    """The setting `python`, relative to `root`, the folder of the configuration, where it is no absolute path.

    `foreign` says that a file of the project that is verified holds it, and nobody who started the run.
    """

    python: str | None
    root: str
    foreign: bool = True


def candidates(
    *,
    named: str | None,
    configured: Configured,
    trust: bool = False,
    environment: Mapping[str, str] = os.environ,
) -> tuple[Candidate, ...]:
    """The interpreters to try, in order: `--python`, the setting, the active environment, `.venv`, our own.

    What the project that is verified names or holds is run only with `trust`: it may be anybody's, and an interpreter is
    a program like any other. Without it that is refused, and stands in the answer for people to read.
    """
    if named is not None:
        return (Candidate(_program(named, os.getcwd()), "--python", only=True),)
    first = []
    if configured.python is not None:
        setting = Candidate(_program(configured.python, configured.root), "the setting `python`", only=True)
        if trust or not configured.foreign:
            return (setting,)
        first = [replace(setting, only=False, refused="the project's setting `python` names it")]
    active = [
        (environment.get("VIRTUAL_ENV"), "the active VIRTUAL_ENV"),
        (environment.get("CONDA_PREFIX"), "the active CONDA_PREFIX"),
    ]
    known = [Candidate(python, origin) for folder, origin in active if folder and (python := _in(folder))]
    own = Candidate(sys.executable, "our own")
    venv = _in(os.path.join(configured.root, ".venv"))
    if venv is None:
        return _once([*first, *known, own])
    theirs = Candidate(venv, "the project's .venv", refused="" if trust else "it lies in the project")
    return _once([*first, *known, theirs, own] if trust else [*first, *known, own, theirs])


def _once(found: Sequence[Candidate]) -> tuple[Candidate, ...]:
    """Each interpreter once, where it comes first; one that may be run for one reason is not refused for another."""
    allowed = {os.path.abspath(one.python) for one in found if not one.refused}
    kept: dict[str, Candidate] = {}
    for one in found:
        if not one.refused or os.path.abspath(one.python) not in allowed:
            kept.setdefault(os.path.abspath(one.python), one)
    return tuple(kept.values())


def _program(text: str, folder: str) -> str:
    """A path as it was given, the interpreter of an environment's folder, or a program of PATH."""
    path = os.path.join(folder, os.path.expanduser(text))
    if re.fullmatch(_PYTHON, text) and (found := shutil.which(text)):
        return found
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
