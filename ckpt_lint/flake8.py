"""The flake8 plugin: the same engine, on the lines that flake8 has read.

flake8 itself applies `# noqa`, `--select` and `--ignore` to what a plugin yields; they are applied here too, since an
off rule must stay off under them, and since a finding that is not wanted lets a weaker one about the same call speak.
"""

from __future__ import annotations

import argparse
import ast
import dataclasses
import functools
import gc
import os
from collections.abc import Iterator, Sequence
from multiprocessing.util import Finalize
from typing import ClassVar

from flake8.exceptions import ExecutionError
from flake8.style_guide import Decision, DecisionEngine

import ckpt_lint
from ckpt_lint.cache_folder import default_folder, prepared
from ckpt_lint.config import ConfigError, Configs
from ckpt_lint.file_verdicts import FileVerdicts
from ckpt_lint.model import Outcome, Problem, Status
from ckpt_lint.rules import ALL
from ckpt_lint.run import Mode, Worker
from ckpt_lint.select import PREFIX, UnknownSelector, selected_by
from ckpt_lint.settings import Settings
from ckpt_lint.source.collector import collector_aside

UNCHECKED = "E902"
"""flake8's own code for a file that it could not read; it stands for what we could not check."""

Row = tuple[int, int, str, type]


class Plugin:
    """One file; flake8 makes one of these for each and calls `run`."""

    name = "ckpt-lint"
    version = ckpt_lint.__version__
    options: ClassVar[argparse.Namespace]

    def __init__(self, tree: ast.AST, filename: str, lines: Sequence[str]) -> None:
        self.filename = filename
        self.lines = lines

    @classmethod
    def parse_options(cls, options: argparse.Namespace) -> None:
        """Keep flake8's options; it gives them once, before the first file and before it starts processes.

        Raises flake8's ExecutionError where the configuration of the working folder is bad. Raised while a file is checked,
        it has flake8 kill its processes, and wait for ever where one of them held a lock (`multiprocessing.Pool.terminate`).
        """
        cls.options = options
        try:
            Configs(ALL, working_folder=os.getcwd()).settings_in(os.getcwd())
        except ConfigError as error:
            raise ExecutionError(f"ckpt-lint: {error}") from None
        gc.freeze()  # what is imported stays: no collection need look through it

    def run(self) -> Iterator[Row]:
        """Row from 1, column from 0, and `CODE message`. Raises flake8's ExecutionError for a bad configuration."""
        try:
            outcome = self._outcome()
        except ConfigError as error:
            raise ExecutionError(f"ckpt-lint: {error}") from None
        for finding in outcome.findings:
            text = f"{finding.code} {finding.message}"
            yield finding.location.row, finding.location.column - 1, text, type(self)
        for problem in outcome.problems:
            if problem.status is not Status.SYNTAX_ERROR:
                yield *_position(problem), f"{UNCHECKED} ckpt-lint could not check this: {problem.message}", type(self)

    @collector_aside()
    def _outcome(self) -> Outcome:
        options = self.options
        path, text = self.filename, "".join(self.lines)
        worker, verdicts = _worker(os.getcwd())
        settings = _with_options(worker.configs.settings_for(path), options)
        if path == "stdin" and options.stdin_display_name == "stdin":
            return worker.check_text(path, text, settings, named=False).outcome
        outcome = verdicts.get(path, text, settings) if verdicts is not None else None
        if outcome is None:
            outcome = worker.check_text(path, text, settings).outcome
            if verdicts is not None:
                verdicts.add(path, text, settings, outcome)
        return outcome


@functools.lru_cache(maxsize=1)
def _worker(folder: str) -> tuple[Worker, FileVerdicts | None]:
    cache = prepared(default_folder())
    verdicts = FileVerdicts(cache) if cache is not None else None
    if verdicts is not None:
        # Called when a process ends, one of flake8's pool or its own: `atexit` knows only the latter.
        Finalize(verdicts, verdicts.write, exitpriority=0)
    return Worker(Configs(ALL, working_folder=folder), Mode(cache=cache)), verdicts


_SETTINGS: dict[int, tuple[Settings, argparse.Namespace, Settings]] = {}


def _with_options(settings: Settings, options: argparse.Namespace) -> Settings:
    """Settings with what flake8's options name: one object for all files that share both."""
    known = _SETTINGS.get(id(settings))
    if known is None or known[0] is not settings or known[1] is not options:
        selected = (settings.selected | _named(options)) & _wanted(options)
        made = dataclasses.replace(settings, selected=selected, noqa=not options.disable_noqa)
        known = _SETTINGS[id(settings)] = (settings, options, made)
    return known[2]


def _named(options: argparse.Namespace) -> frozenset[str]:
    """The rules that flake8's options turn on, whatever our configuration says."""
    selectors = (*(options.select or ()), *(options.extend_select or ()))
    return frozenset(code for selector in selectors for code in _named_by(selector))


def _wanted(options: argparse.Namespace) -> frozenset[str]:
    """The rules whose findings flake8 would report."""
    engine = DecisionEngine(options)
    return frozenset(rule.code for rule in ALL if engine.decision_for(rule.code) is Decision.Selected)


def _named_by(selector: str) -> frozenset[str]:
    """The codes that a flake8 selector turns on: a whole code turns an off rule on, a prefix does not."""
    if PREFIX.startswith(selector):
        selector = PREFIX
    if not selector.startswith(PREFIX):
        return frozenset()
    try:
        return selected_by(ALL, selector)
    except UnknownSelector:
        return frozenset()


def _position(problem: Problem) -> tuple[int, int]:
    return (1, 0) if problem.location is None else (problem.location.row, problem.location.column - 1)
