"""`ckpt-lint clean`."""

from __future__ import annotations

import argparse
import sys

from ckpt_lint.cache_folder import clear, default_folder, prepare

UNCHECKED = 3


def clean(arguments: argparse.Namespace) -> int:
    """Remove the fact cache; 3 where that fails."""
    folder = arguments.cache_dir or default_folder()
    try:
        count, size = clear(folder)
    except (OSError, ValueError) as error:
        print(f"ckpt-lint: error: {error}", file=sys.stderr)
        return UNCHECKED
    print(f"Removed {count} entries, {size / 1e6:.1f} MB: {folder}" if count else f"Nothing to remove: {folder}")
    return 0


def cache_of(arguments: argparse.Namespace) -> str | None:
    """The folder of the fact cache for a run, None for none. Says so where it cannot be written."""
    if arguments.no_cache:
        return None
    folder: str = arguments.cache_dir or default_folder()
    try:
        prepare(folder)
    except OSError as error:
        print(f"ckpt-lint: warning: no cache is kept: {folder}: {error.strerror or error}", file=sys.stderr)
        return None
    return folder
