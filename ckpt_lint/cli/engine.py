"""`ckpt-lint check --engine`: rows of findings and files, from wherever the files are checked."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator

from ckpt_lint.cli.configured import configs_from
from ckpt_lint.cli.engine_arguments import PARQUET
from ckpt_lint.cli.progress import Progress
from ckpt_lint.cluster import Engine, EngineError, FileRows, Item, Job, Run, Unit, engine_of, find, job_of, units
from ckpt_lint.cluster.journal import Journal, Tally, header, name_digest, read_back
from ckpt_lint.config import ConfigError, Configs
from ckpt_lint.discover import STDIN
from ckpt_lint.report.look import printable
from ckpt_lint.rules import ALL

FINDINGS, UNCHECKED = 1, 3
JSON_LINES = "json-lines"

_NOT_HERE = (
    "fix", "diff", "add_noqa", "baseline", "update_baseline", "statistics", "show_files", "show_settings", "jobs",
    "stdin_filename", "watch",
)  # fmt: skip


def check_on_engine(arguments: argparse.Namespace) -> int:
    """Check what the arguments name on an engine, and write rows; the exit code. Raises ConfigError."""
    parquet = arguments.output_format == PARQUET
    _check(arguments, parquet=parquet)
    configs = configs_from(argparse.Namespace(**{**vars(arguments), "output_format": None}), ALL)
    job = job_of(configs, deep=arguments.deep, cache=_cache(arguments))
    if arguments.resume and _is_finished(arguments.output_file):
        return _told(_finished(arguments.output_file, job, parquet=parquet), arguments, configs, "already finished: ")
    engine = engine_of(arguments.engine or "local")
    try:
        return _checked(arguments, configs, job, engine)
    finally:
        engine.close()


def _checked(arguments: argparse.Namespace, configs: Configs, job: Job, engine: Engine) -> int:
    parquet = arguments.output_format == PARQUET
    sink = Journal(arguments.output_file, job, resume=arguments.resume) if arguments.output_file else _Stdout(job)
    before = sink.tally.files
    try:
        _run(arguments, configs, job, engine, sink)
        sink.finish(parquet=parquet)
    except EngineError as error:
        hint = f"; {sink.tally.files} files are done, --resume goes on from there" if arguments.output_file else ""
        print(f"ckpt-lint: error: {printable(str(error))}{hint}", file=sys.stderr)
        return UNCHECKED
    finally:
        sink.close()
    return _told(sink.tally, arguments, configs, f"{before} of them before: " if before else "")


class _Stdout:
    """Rows as they come, to whoever reads them."""

    def __init__(self, job: Job) -> None:
        self.tally = Tally()
        print(header(job))

    def add(self, found: list[FileRows]) -> None:
        """Write the rows of some files."""
        for rows in found:
            self.tally.add(rows)
            print(*rows.lines, sep="\n")

    def finish(self, *, parquet: bool) -> None:
        """There is nothing to finish."""

    def close(self) -> None:
        """There is nothing to close."""


def _run(arguments: argparse.Namespace, configs: Configs, job: Job, engine: Engine, sink: Journal | _Stdout) -> None:
    progress = Progress(sys.stderr, wanted=not arguments.quiet)
    paths = arguments.paths or [os.curdir]
    run = Run(_left(units(find(paths, configs)), sink.tally.done), job, engine)
    try:
        for found in run:
            sink.add(found)
            progress.tell(f"Checking: {sink.tally.files} files done")
    finally:
        run.cancel()
        progress.clear()
    if run.retried and not arguments.quiet:
        print(f"ckpt-lint: {run.retried} tries were lost with workers, and made again", file=sys.stderr)


def _left(made: Iterator[Unit], done: set[bytes]) -> Iterator[Unit]:
    """The units, without what is done."""

    def is_left(item: Item) -> bool:
        return name_digest(item.target.path) not in done

    for unit in made:
        items = tuple(filter(is_left, unit.items)) if done else unit.items
        if items:
            yield Unit(items, unit.code)


def _check(arguments: argparse.Namespace, *, parquet: bool) -> None:
    """Raise ConfigError for what does not go together."""
    for name in _NOT_HERE:
        if getattr(arguments, name) not in (None, False):
            raise ConfigError(f"--{name.replace('_', '-')} does not go together with --engine")
    if STDIN in arguments.paths:
        raise ConfigError("`-` does not go together with --engine")
    if not parquet and arguments.output_format not in (None, JSON_LINES):
        raise ConfigError(
            f"--engine gives {JSON_LINES} or {PARQUET}, and not --output-format {arguments.output_format}"
        )
    if not arguments.output_file and (parquet or arguments.resume):
        raise ConfigError(f"{'--output-format parquet' if parquet else '--resume'} needs --output-file FILE")
    if parquet:
        from ckpt_lint.cluster.parquet import check_installed

        check_installed()


def _cache(arguments: argparse.Namespace) -> str | None:
    """A cache that workers share has to be named: the usual place is that of one user on one machine."""
    return os.path.abspath(arguments.cache_dir) if arguments.cache_dir and not arguments.no_cache else None


def _is_finished(path: str) -> bool:
    return os.path.isfile(path) and not os.path.exists(os.path.realpath(path) + ".partial")


def _finished(path: str, job: Job, *, parquet: bool) -> Tally:
    tally = Tally()
    if parquet:
        from ckpt_lint.cluster.parquet import count

        count(path, tally)
    else:
        read_back(path, job, tally)
    return tally


def _told(tally: Tally, arguments: argparse.Namespace, configs: Configs, lead: str) -> int:
    """Say what the run came to; the exit code."""
    if not arguments.quiet:
        found = f"{tally.errors + tally.warnings} findings ({tally.errors} errors)"
        print(f"{tally.files} files: {lead}{found}, {tally.unchecked} files not checked", file=sys.stderr)
    if tally.unchecked:
        return UNCHECKED
    settings = configs.settings_in(os.getcwd())
    counted = tally.errors + (tally.warnings if settings.fail_on.value == "warning" else 0)
    return FINDINGS if counted and not arguments.exit_zero else 0
