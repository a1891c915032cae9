"""`ckpt-lint check -`: one source on stdin; with `--fix`, what is fixed goes to stdout and the report to stderr."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import sys

from ckpt_lint.cli.check import mode_of
from ckpt_lint.cli.show import show
from ckpt_lint.config import ConfigError, Configs
from ckpt_lint.discover import STDIN
from ckpt_lint.model import Outcome, Problem
from ckpt_lint.run import FileResult, Worker


def check_stdin(arguments: argparse.Namespace, configs: Configs) -> int:
    """Check what comes on stdin; the exit code. Raises ConfigError."""
    name = arguments.stdin_filename
    if arguments.show_files or arguments.show_settings:
        raise ConfigError("`-` is no file to show")
    settings = configs.settings_for(name or "_.py")
    if name is None and settings.per_file_ignores:
        settings = dataclasses.replace(settings, per_file_ignores=())
    data = sys.stdin.buffer.read()
    mode = dataclasses.replace(mode_of(arguments, settings), write=False)
    if name is not None and settings.force_exclude and settings.excludes(name):
        result = FileResult(Outcome(name))
    else:
        result = Worker(configs, mode).check_bytes(name or STDIN, data, settings, named=name is not None)
    if arguments.diff or not mode.applicabilities:
        return show([result], arguments, settings, configs)
    fixed, result = _fixed(data, result)
    sys.stdout.buffer.write(fixed)
    sys.stdout.flush()
    with contextlib.redirect_stdout(sys.stderr):
        return show([result], arguments, settings, configs)


def _fixed(data: bytes, result: FileResult) -> tuple[bytes, FileResult]:
    """What to write to stdout: the fixed text, or the bytes as they came where that cannot be written."""
    if result.before is None or result.source is None:
        return data, result
    from ckpt_lint.source.encode import encode

    encoded = encode(result.source)
    if isinstance(encoded, Problem):
        outcome = dataclasses.replace(result.outcome, problems=(*result.outcome.problems, encoded), fixed={})
        return data, FileResult(outcome, result.before)
    return encoded, result
