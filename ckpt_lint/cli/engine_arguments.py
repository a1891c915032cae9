"""The arguments of `check` for more than one machine."""

from __future__ import annotations

import argparse

PARQUET = "parquet"
"""An output format that engines have, and reports do not: it is no text."""


def add_arguments(group: argparse._ArgumentGroup) -> None:
    """Add them to their group."""
    name = "where files are checked: local, processes[:N], or dask://HOST:PORT (rows as json-lines or parquet)"
    group.add_argument("--engine", metavar="ENGINE", help=name)
    group.add_argument("--resume", action="store_true", help="go on with the rows of --output-file, if a run broke off")


def wanted(arguments: argparse.Namespace) -> bool:
    """Whether the arguments ask for an engine."""
    return bool(arguments.engine or arguments.resume or arguments.output_format == PARQUET)
