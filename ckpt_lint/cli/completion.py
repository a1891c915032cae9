"""`ckpt-lint completion`: a script that makes a shell complete our options."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator

from ckpt_lint.config import ConfigError

_FILES = ("paths", "output_file", "baseline", "cache_dir")


def completion(arguments: argparse.Namespace) -> int:
    """Print the script for a shell. Raises ConfigError where shtab is not installed."""
    try:
        import shtab
    except ImportError:
        raise ConfigError("completion needs shtab: pip install 'ckpt-lint[completion]'") from None
    from ckpt_lint.cli.arguments import parser

    whole = parser()
    for action in _actions(whole):
        if action.dest in _FILES:
            action.complete = shtab.FILE  # type: ignore[attr-defined]
    sys.stdout.write(shtab.complete(whole, arguments.shell))
    return 0


def _actions(whole: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """What every command takes."""
    for action in whole._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from _actions(command)
        yield action
