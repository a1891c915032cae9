"""`ckpt-lint explain FILE:LINE`."""

from __future__ import annotations

import argparse
import re
import sys

from ckpt_lint.cli.configured import configs_from
from ckpt_lint.config import ConfigError
from ckpt_lint.model import Problem
from ckpt_lint.report.look import place, printable
from ckpt_lint.rules import ALL

_PLACE = re.compile(r"(?P<path>.+?)(?::cell (?P<cell>\d+))?:(?P<row>\d+)(?::\d+)?", re.DOTALL)
UNCHECKED = 3


def explain(arguments: argparse.Namespace) -> int:
    """Print the facts behind what fired, or stayed silent, on a line. Raises ConfigError."""
    from ckpt_lint import engine
    from ckpt_lint.source.text import read_source
    from ckpt_lint.workspace import Workspace

    match = _PLACE.fullmatch(arguments.place)
    if match is None:
        raise ConfigError(f"{arguments.place}: expected FILE:LINE, or FILE:cell N:LINE in a notebook")
    path, row, cell = match["path"], int(match["row"]), int(match["cell"]) if match["cell"] else None
    settings = configs_from(arguments, ALL).settings_for(path)
    try:
        with open(path, "rb") as stream:
            source = read_source(path, stream.read(), max_size=settings.max_file_size)
    except OSError as error:
        return _unchecked(path, error.strerror or str(error))
    if isinstance(source, Problem):
        return _unchecked(place(path, source.location), source.message)
    if source.is_notebook and cell is None:
        raise ConfigError(f"{arguments.place}: a row counts inside of a cell: {path}:cell N:{row}")
    try:
        source.offset(row, 1, cell=cell)
    except IndexError:
        raise ConfigError(f"{arguments.place}: there is no such line") from None
    project = Workspace().project_of(source, settings)
    for line in engine.explain(source, row, cell=cell, project=project, settings=settings):
        print(printable(line))
    return 0


def _unchecked(where: str, why: str) -> int:
    print(printable(f"{where}: {why}"), file=sys.stderr)
    return UNCHECKED
