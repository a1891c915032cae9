"""What our own fix makes of a program that stands alone: the fixer that proofs are run with."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from ckpt_lint import engine, rules
from ckpt_lint.facts.world import World
from ckpt_lint.model import Outcome, Problem
from ckpt_lint.project.bounds import NOT_DECLARED, TorchBounds
from ckpt_lint.settings import Settings
from ckpt_lint.source.module import ModuleFacts
from ckpt_lint.source.text import Source, source_of_text

NAME = "train.py"


@dataclasses.dataclass(frozen=True, slots=True)
class OneFile:
    """A project whose only file is the program (see `ckpt_lint.facts.world.Files`)."""

    modules: tuple[ModuleFacts, ...]

    def read(self, path: str) -> Sequence[ModuleFacts]:
        """The program."""
        return self.modules

    def resolve(self, path: str, module: str, level: int) -> str | None:
        """No import is one of the project."""
        return None

    def mentioning(self, words: Sequence[str]) -> Sequence[str]:
        """The program, which is always worth looking at."""
        return tuple({module.path: None for module in self.modules})


@dataclasses.dataclass(frozen=True, slots=True)
class Alone:
    """A project of one file, of which all is known: nothing on disk is looked at (see `engine.Project`)."""

    def world(self, replaced: Sequence[ModuleFacts]) -> World:
        """The modules of the program, and no others."""
        world = World(OneFile(tuple(replaced)))
        world.add(replaced)
        return world

    def bounds(self, source: Source) -> TorchBounds:
        """No torch is declared."""
        return NOT_DECLARED

    def display(self, path: str) -> str:
        """The one file's name."""
        return NAME

    def source(self, path: str) -> Source | None:
        """There is no other file."""
        return None


def check_program(text: str, codes: frozenset[str]) -> Outcome:
    """Judge a program with these codes on. Raises ValueError where it cannot be read."""
    return engine.check(_source(text), project=Alone(), settings=_settings(codes))


def fix_program(code: str, text: str) -> str:
    """The program after every fix of one rule, unsafe ones included. Raises ValueError where it cannot be read."""
    settings = _settings(frozenset({code}))
    fixed, outcome = engine.fix(_source(text), project=Alone(), settings=settings, unsafe=True)
    if outcome.problems:
        raise ValueError("; ".join(problem.message for problem in outcome.problems))
    return fixed.text


def _settings(codes: frozenset[str]) -> Settings:
    return dataclasses.replace(Settings.isolated(rules.ALL), selected=codes, in_tests=codes)


def _source(text: str) -> Source:
    source = source_of_text(NAME, text)
    if isinstance(source, Problem):
        raise ValueError(source.message)
    return source
