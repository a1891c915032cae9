"""`ckpt-lint check`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable, Iterator, Sequence

from ckpt_lint.cli.clean import cache_of
from ckpt_lint.cli.configured import configs_from
from ckpt_lint.cli.terminal import wants_color
from ckpt_lint.config import ConfigError, Configs
from ckpt_lint.discover import STDIN, Target, discover, is_url
from ckpt_lint.model import Applicability, Severity
from ckpt_lint.report import Look, renderer
from ckpt_lint.report.closing import closing, closing_after_diff, remarks
from ckpt_lint.report.totals import Totals
from ckpt_lint.rules import ALL
from ckpt_lint.run import FileResult, Mode, run, usable_processors
from ckpt_lint.settings import Settings

FINDINGS, UNCHECKED = 1, 3
_FOR_PEOPLE = ("full", "concise")


def check(arguments: argparse.Namespace) -> int:
    """Check what the arguments name; the exit code. Raises ConfigError."""
    configs = configs_from(arguments, ALL)
    paths = arguments.paths or [os.curdir]
    if STDIN in paths:
        from ckpt_lint.cli.stdin import check_stdin

        if len(paths) > 1:
            raise ConfigError("`-` stands alone")
        if arguments.add_noqa is not None:
            raise ConfigError("`-` is no file to write comments to")
        return check_stdin(arguments, configs)
    if arguments.show_settings:
        return _show_settings(paths, configs)
    if arguments.add_noqa is not None:
        from ckpt_lint.cli.add_noqa import add_noqa

        return add_noqa(arguments, configs)
    targets = discover(paths, configs)
    if arguments.show_files:
        return _show_files(targets)
    settings = configs.settings_in(os.getcwd())
    results = run(targets, configs, mode_of(arguments, settings), jobs=arguments.jobs or usable_processors())
    return show(results, arguments, settings)


def mode_of(arguments: argparse.Namespace, settings: Settings) -> Mode:
    """What to do about fixes. Options of a run come from the configuration of the working folder."""
    if not (arguments.diff or settings.fix):
        return Mode(deep=arguments.deep, cache=cache_of(arguments))
    wanted = {Applicability.SAFE, *([Applicability.UNSAFE] if settings.unsafe_fixes else [])}
    return Mode(frozenset(wanted), write=not arguments.diff, deep=arguments.deep, cache=cache_of(arguments))


def show(results: Iterable[FileResult], arguments: argparse.Namespace, settings: Settings) -> int:
    """Print a report of the results as they come; the exit code."""
    output_format = _format(arguments, settings)
    for_people = output_format in (*_FOR_PEOPLE, "statistics", "diff")
    look = Look(
        rules=ALL,
        folder=os.getcwd(),
        color=for_people and wants_color(sys.stdout),
        unsafe=settings.unsafe_fixes,
    )
    totals = Verdict()
    for piece in renderer(output_format)(totals.watch(results), look):
        sys.stdout.write(piece)
    if not arguments.quiet:
        _close(totals, look, output_format)
    return totals.exit_code(arguments, settings)


def _close(totals: Totals, look: Look, output_format: str) -> None:
    """What a run came to; beside a format for machines only what they cannot know, on stderr."""
    if output_format == "diff":
        sys.stderr.writelines(closing_after_diff(totals, look))
    elif output_format in (*_FOR_PEOPLE, "statistics"):
        sys.stdout.writelines(closing(totals, look, counted=output_format == "statistics"))
    else:
        sys.stderr.writelines(remarks(totals))


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


def _format(arguments: argparse.Namespace, settings: Settings) -> str:
    if arguments.diff:
        return "diff"
    if arguments.statistics:
        return "statistics-json" if settings.output_format == "json" else "statistics"
    return settings.output_format


def _show_files(targets: Iterator[Target]) -> int:
    code = 0
    for target in targets:
        if target.problem is None:
            print(target.path if is_url(target.path) else os.path.abspath(target.path))
        else:
            print(f"{target.path}: {target.problem.message}", file=sys.stderr)
            code = UNCHECKED
    return code


def _show_settings(paths: Sequence[str], configs: Configs) -> int:
    from ckpt_lint.report.settings_text import settings_text

    target = next(iter(discover(paths, configs)), None)
    path = target.path if target is not None else os.path.join(paths[0], "_.py")
    sys.stdout.writelines(settings_text(path, configs.settings_for(path), ALL))
    return 0
