"""The setting `checkpoints` of a repository that may be anybody's: it names nothing outside of it."""

from __future__ import annotations

import glob
import os

from ckpt_lint.config import ConfigError
from ckpt_lint.project.outside import lies_outside
from ckpt_lint.settings import Settings


def refuse_outside(settings: Settings) -> None:
    """Raise ConfigError where a pattern leaves the repository, or means a file that, links followed, lies outside."""
    for pattern in (text for _, patterns in settings.checkpoints for text in patterns):
        path = os.path.join(settings.root, pattern)
        if lies_outside(os.path.normpath(_constant(path)), settings.root):
            raise _error(settings, pattern)
        for found in sorted(glob.glob(path, recursive=True)):
            if lies_outside(found, settings.root):
                raise _error(settings, os.path.relpath(found))


def _constant(path: str) -> str:
    """The folders of a pattern before its first wildcard, and all `..` after it: `a/*/../../..` climbs, too."""
    parts = path.split(os.sep)
    wild = next((number for number, part in enumerate(parts) if glob.has_magic(part)), len(parts))
    climbs = parts[wild:].count(os.pardir)
    return os.sep.join([*parts[:wild], *[os.pardir] * climbs]) or os.sep


def _error(settings: Settings, name: str) -> ConfigError:
    trust = "--checkpoint names it, or --config trusts the configuration"
    return ConfigError(
        f"{os.path.relpath(settings.source or settings.root)}: `checkpoints`: {name} lies outside of the repository "
        f"and is not read; {trust}"
    )
