"""From the results of a run to a report, on the terminal or in a file, and to the exit code."""

from __future__ import annotations

import argparse
import functools
import os
import sys
from collections.abc import Callable, Iterable

from ckpt_lint.cli.progress import Progress
from ckpt_lint.cli.terminal import wants_color
from ckpt_lint.config import ConfigError, Configs
from ckpt_lint.model import Severity
from ckpt_lint.report import Look, renderer
from ckpt_lint.report.closing import closing, closing_after_diff, remarks
from ckpt_lint.report.totals import Totals
from ckpt_lint.rule_table import ALL
from ckpt_lint.run import FileResult
from ckpt_lint.settings import Settings
from ckpt_lint.write import write_output

FINDINGS, UNCHECKED = 1, 3
FOR_PEOPLE = ("full", "concise", "grouped")

Write = Callable[[str], object]


class Verdict(Totals):
    """Counts, and the exit code that follows from them."""

    def exit_code(self, arguments: argparse.Namespace, settings: Settings) -> int:
        """3 wins over 1: a run that did not see everything must not pass for one that did."""
        if self.unchecked:
            return UNCHECKED
        if arguments.diff:
            return FINDINGS if self.changed and not arguments.exit_zero else 0
        if arguments.exit_non_zero_on_fix and self.changed:
            return FINDINGS
        counted = [Severity.ERROR] if settings.fail_on is Severity.ERROR else list(Severity)
        return FINDINGS if any(self.by_severity[severity] for severity in counted) and not arguments.exit_zero else 0


def show(
    results: Iterable[FileResult],
    arguments: argparse.Namespace,
    settings: Settings,
    configs: Configs,
    progress: Progress | None = None,
) -> int:
    """Report the results as they come; the exit code. Raises ConfigError."""
    if arguments.baseline is None and not arguments.update_baseline:
        return report(results, arguments, settings, progress=progress)
    from ckpt_lint.cli import baseline

    compared = baseline.comparison(arguments, configs)
    if arguments.update_baseline:
        return baseline.update(compared, results, quiet=arguments.quiet)
    more = functools.partial(baseline.closing, compared)
    return report(compared.watch(results), arguments, settings, progress=progress, more=more)


def report(
    results: Iterable[FileResult],
    arguments: argparse.Namespace,
    settings: Settings,
    *,
    progress: Progress | None = None,
    more: Callable[[], Iterable[str]] = tuple,
) -> int:
    """Write the report; `more` gives further closing lines once all is seen. Raises ConfigError."""
    pieces: list[str] = []
    _check_place(arguments.output_file)
    write: Write = pieces.append if arguments.output_file else sys.stdout.write
    output_format = _format(arguments, settings)
    for_people = output_format in (*FOR_PEOPLE, "statistics", "diff")
    look = Look(
        rules=ALL,
        folder=os.getcwd(),
        color=for_people and not arguments.output_file and wants_color(sys.stdout),
        unsafe=settings.unsafe_fixes,
        terminal=not arguments.output_file and sys.stdout.isatty(),
    )
    totals = Verdict()
    for piece in renderer(output_format)(totals.watch(results), look):
        if progress is not None:
            progress.clear()
        write(piece)
    if progress is not None:
        progress.clear()
    if not arguments.quiet:
        _close(totals, look, output_format, write)
        (write if for_people and output_format != "diff" else sys.stderr.write)("".join(more()))
    if arguments.output_file:
        _write_file(arguments.output_file, "".join(pieces))
    return totals.exit_code(arguments, settings)


def _close(totals: Totals, look: Look, output_format: str, write: Write) -> None:
    """What a run came to; beside a format for machines only what they cannot know, on stderr."""
    if output_format == "diff":
        sys.stderr.writelines(closing_after_diff(totals, look))
    elif output_format in (*FOR_PEOPLE, "statistics"):
        write("".join(closing(totals, look, counted=output_format == "statistics")))
    else:
        sys.stderr.writelines(remarks(totals))


def _format(arguments: argparse.Namespace, settings: Settings) -> str:
    if arguments.diff:
        return "diff"
    if arguments.statistics:
        return "statistics-json" if settings.output_format == "json" else "statistics"
    return settings.output_format


def _check_place(path: str | None) -> None:
    """Raise ConfigError for a file that cannot be written, before the work is done and not after."""
    if path is None:
        return
    folder = os.path.dirname(os.path.realpath(path))
    if os.path.isdir(path):
        raise ConfigError(f"--output-file {path}: is a folder")
    if not os.path.isdir(folder):
        raise ConfigError(f"--output-file {path}: there is no folder {os.path.dirname(path)}")


def _write_file(path: str, text: str) -> None:
    try:
        write_output(path, text)
    except OSError as error:
        raise ConfigError(f"--output-file {path}: could not be written: {error.strerror or error}") from None
