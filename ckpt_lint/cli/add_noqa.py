"""`ckpt-lint check --add-noqa`: a comment for every finding, so that only what is new is reported from now on."""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
from collections.abc import Iterable, Iterator

from ckpt_lint.add_noqa import annotated
from ckpt_lint.cli.clean import cache_of
from ckpt_lint.cli.show import Verdict
from ckpt_lint.config import ConfigError, Configs
from ckpt_lint.discover import discover
from ckpt_lint.model import Problem
from ckpt_lint.report import Look, renderer
from ckpt_lint.report.closing import count, remarks
from ckpt_lint.rules import ALL
from ckpt_lint.run import FileResult, Mode, Worker, run, usable_processors
from ckpt_lint.source.encode import encode
from ckpt_lint.source.text import Source
from ckpt_lint.write import write_atomic

_ROUNDS = 10
"""A comment lets weaker findings about the same call speak: so often is the text judged again."""


def add_noqa(arguments: argparse.Namespace, configs: Configs) -> int:
    """Write the comments; 0 where nothing is left, 1 where findings stand, 3 where something was not checked."""
    reason = _reason(arguments)
    targets = discover(arguments.paths or [os.curdir], configs)
    mode = Mode(deep=arguments.deep, cache=cache_of(arguments))
    results = run(targets, configs, mode, jobs=arguments.jobs or usable_processors())
    adding = Adding(Worker(configs, mode), reason)
    look = Look(rules=ALL, folder=os.getcwd())
    totals = Verdict()
    for piece in renderer("concise")(totals.watch(adding.annotated(results)), look):
        sys.stdout.write(piece)
    if not arguments.quiet:
        _close(adding, totals)
    return totals.exit_code(arguments, configs.settings_in(os.getcwd()))


def _reason(arguments: argparse.Namespace) -> str:
    reason: str = arguments.add_noqa.strip()
    if not reason.isprintable():
        raise ConfigError("--add-noqa: the reason has to fit on the line of a comment")
    for option in ("fix", "diff", "statistics", "baseline", "update_baseline", "output_file"):
        if getattr(arguments, option, None):
            raise ConfigError(f"--add-noqa: not together with --{option.replace('_', '-')}")
    return reason


def _close(adding: Adding, totals: Verdict) -> None:
    print(f"Added {count(adding.comments, '`noqa` comment')} to {count(adding.files, 'file')}.")
    if totals.findings:
        verb = "takes" if totals.findings == 1 else "take"
        print(f"{count(totals.findings, 'finding')} {verb} no comment; see --baseline and per-file-ignores.")
    sys.stdout.writelines(remarks(totals))


class Adding:
    """Writes comments into files, one after the other, and counts them."""

    def __init__(self, worker: Worker, reason: str) -> None:
        self.worker = worker
        self.reason = reason
        self.comments = self.files = 0

    def annotated(self, results: Iterable[FileResult]) -> Iterator[FileResult]:
        """What is left of each file."""
        for result in results:
            if result.source is None or not result.outcome.findings:
                yield result
            else:
                yield self._file(result, result.source)

    def _file(self, result: FileResult, source: Source) -> FileResult:
        path, original = result.outcome.path, source.data
        settings = self.worker.configs.settings_for(path)
        current, written, last = result, 0, original
        for _ in range(_ROUNDS):
            if current.source is None:
                break
            edited, number = annotated(current.source, current.outcome.findings, self.reason)
            data = encode(edited) if number else current.source.data
            if isinstance(data, Problem):
                return _with_problem(result, data)
            if data == current.source.data:
                break
            written, last = written + number, data
            current = self.worker.check_bytes(path, data, settings)
        if not written:
            return current
        problem = write_atomic(path, last, expected=original)
        if problem is not None:
            return _with_problem(result, problem)
        self.comments += written
        self.files += 1
        return current


def _with_problem(result: FileResult, problem: Problem) -> FileResult:
    outcome = dataclasses.replace(result.outcome, problems=(*result.outcome.problems, problem))
    return dataclasses.replace(result, outcome=outcome)
