"""What our own fix makes of a program that stands alone: the fixer that proofs are run with."""

from __future__ import annotations

import contextlib
import dataclasses
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ckpt_lint import engine, rules
from ckpt_lint.model import Outcome, Problem
from ckpt_lint.settings import Settings
from ckpt_lint.source.text import Source, read_source
from ckpt_lint.workspace import Workspace


def check_program(text: str, codes: frozenset[str]) -> Outcome:
    """Judge a program, the only file of its project, with these codes on. Raises ValueError where it cannot be read."""
    with _alone(text, codes) as (source, project, settings):
        return engine.check(source, project=project, settings=settings)


def fix_program(code: str, text: str) -> str:
    """The program after every fix of one rule, unsafe ones included. Raises ValueError where it cannot be read."""
    with _alone(text, frozenset({code})) as (source, project, settings):
        fixed, outcome = engine.fix(source, project=project, settings=settings, unsafe=True)
    if outcome.problems:
        raise ValueError("; ".join(problem.message for problem in outcome.problems))
    return fixed.text


@contextlib.contextmanager
def _alone(text: str, codes: frozenset[str]) -> Iterator[tuple[Source, engine.Project, Settings]]:
    """The program in a folder of its own, whose manifest keeps whatever lies around the folder out of the project."""
    with tempfile.TemporaryDirectory(prefix="ckpt-lint-program-") as folder:
        Path(folder, "pyproject.toml").write_text("[tool.ckpt-lint]\n", encoding="utf-8")
        path = Path(folder, "train.py")
        path.write_text(text, encoding="utf-8")
        source = read_source(str(path), path.read_bytes())
        if isinstance(source, Problem):
            raise ValueError(source.message)
        settings = dataclasses.replace(Settings.isolated(rules.ALL, root=folder), selected=codes, in_tests=codes)
        yield source, Workspace().project_of(source, settings), settings
