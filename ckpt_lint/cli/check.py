"""`ckpt-lint check`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence

from ckpt_lint.cli.clean import cache_of
from ckpt_lint.cli.configured import configs_from
from ckpt_lint.cli.engine_arguments import wanted as on_engine
from ckpt_lint.cli.progress import Progress
from ckpt_lint.cli.show import UNCHECKED, show
from ckpt_lint.config import ConfigError, Configs
from ckpt_lint.discover import STDIN, Target, discover, is_url
from ckpt_lint.model import Applicability
from ckpt_lint.report.look import printable
from ckpt_lint.rule_table import ALL
from ckpt_lint.run import Mode, run, usable_processors
from ckpt_lint.settings import Settings


def check(arguments: argparse.Namespace) -> int:
    """Check what the arguments name; the exit code. Raises ConfigError."""
    if on_engine(arguments):
        from ckpt_lint.cli.engine import check_on_engine

        return check_on_engine(arguments)
    if arguments.watch:
        from ckpt_lint.cli.watch import watch

        return watch(arguments, check)
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
    progress = Progress(sys.stderr, wanted=not arguments.quiet)
    jobs = arguments.jobs or usable_processors()
    results = run(progress.counted(targets), configs, mode_of(arguments, settings), jobs=jobs)
    return show(progress.watch(results), arguments, settings, configs, progress)


def mode_of(arguments: argparse.Namespace, settings: Settings) -> Mode:
    """What to do about fixes. Options of a run come from the configuration of the working folder."""
    if arguments.update_baseline or not (arguments.diff or settings.fix):
        return Mode(deep=arguments.deep, cache=cache_of(arguments))
    wanted = {Applicability.SAFE, *([Applicability.UNSAFE] if settings.unsafe_fixes else [])}
    return Mode(frozenset(wanted), write=not arguments.diff, deep=arguments.deep, cache=cache_of(arguments))


def _show_files(targets: Iterator[Target]) -> int:
    code = 0
    for target in targets:
        if target.problem is None:
            print(printable(target.path if is_url(target.path) else os.path.abspath(target.path)))
        else:
            print(printable(f"{target.path}: {target.problem.message}"), file=sys.stderr)
            code = UNCHECKED
    return code


def _show_settings(paths: Sequence[str], configs: Configs) -> int:
    from ckpt_lint.report.settings_text import settings_text

    target = next(iter(discover(paths, configs)), None)
    path = target.path if target is not None else os.path.join(paths[0], "_.py")
    sys.stdout.writelines(settings_text(path, configs.settings_for(path), ALL))
    return 0
