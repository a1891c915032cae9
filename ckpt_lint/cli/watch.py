"""`ckpt-lint check --watch`: check, and check again whenever a file changes that has a say in what is found.

Folders are watched through watchfiles. What lies outside of them and still counts, the configuration files and ignore
files above, is looked at now and then.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from ckpt_lint.cli.configured import configs_from
from ckpt_lint.config import ConfigError, Configs
from ckpt_lint.config.files import OWN_FILE, PYPROJECT
from ckpt_lint.discover import STDIN, is_url, would_take
from ckpt_lint.rules import ALL

EVERY = 200
"""Milliseconds after which watchfiles comes back when nothing has changed."""

_SOON = 1.0
_CLEAR = "\x1b[2J\x1b[3J\x1b[H"
_IGNORES = ".gitignore"
_MANIFESTS = (".toml", ".cfg", ".lock", ".yml", ".yaml", ".txt", "setup.py", "Pipfile")
"""How the names of files end that may configure the run, or declare torch."""

_ONCE = ("diff", "show_files", "show_settings", "update_baseline", "engine", "resume")


def watch(arguments: argparse.Namespace, check: Callable[[argparse.Namespace], int]) -> int:
    """Run `check` now and after every change, until somebody interrupts: then 0. Raises ConfigError."""
    paths = arguments.paths or [os.curdir]
    _refuse(arguments, paths)
    try:
        import watchfiles
    except ImportError:
        raise ConfigError("--watch needs watchfiles: pip install 'ckpt-lint[watch]'") from None
    once = argparse.Namespace(**{**vars(arguments), "watch": False})
    watched = Watched([os.path.abspath(path) for path in paths], lambda: configs_from(once, ALL))
    changes = watchfiles.watch(
        *watched.folders,
        watch_filter=None,
        rust_timeout=EVERY,
        yield_on_timeout=True,
        recursive=watched.recursive,
        ignore_permission_denied=True,
    )
    try:
        _go_on(watched, changes, once, check)
    except KeyboardInterrupt:
        _say(once, "Stopped watching")
    return 0


def _go_on(
    watched: Watched, changes: Iterator[Any], once: argparse.Namespace, check: Callable[[argparse.Namespace], int]
) -> None:
    next(changes)  # watching begins before the first run, so that no change falls in between
    watched.settle()
    _clear()
    check(once)
    _say(once, "Watching for changes (Ctrl-C ends)")
    ended = time.monotonic()
    for several in changes:
        names = watched.changed(path for _, path in several)
        if not names:
            continue
        if time.monotonic() - ended > _SOON:  # else what --fix has written just now is seen: its report stays
            _clear()
        _say(once, f"Changed: {_listed(names)}")
        try:
            check(once)
        except ConfigError as error:
            from ckpt_lint.report.look import printable

            print(f"ckpt-lint: error: {printable(str(error))}", file=sys.stderr)
        _say(once, "Watching for changes (Ctrl-C ends)")
        ended = time.monotonic()


def _refuse(arguments: argparse.Namespace, paths: Sequence[str]) -> None:
    """Raise ConfigError for what makes no sense more than once, and for what cannot be watched."""
    for name in _ONCE:
        if getattr(arguments, name, None):
            raise ConfigError(f"--watch cannot be used with --{name.replace('_', '-')}")
    if arguments.add_noqa is not None:
        raise ConfigError("--watch cannot be used with --add-noqa")
    for path in paths:
        if path == STDIN or is_url(path):
            raise ConfigError(f"--watch: `{path}` cannot be watched")
        if not os.path.exists(path):
            raise ConfigError(f"--watch: no such file or folder: {path}")


@dataclass
class Watched:
    """What is watched: the absolute `paths` of the command line, and what lies above them."""

    paths: Sequence[str]
    configure: Callable[[], Configs]
    _stamps: dict[str, tuple[int, int] | None] = field(default_factory=dict)

    @property
    def recursive(self) -> bool:
        """Whether what lies below counts: where only files are named, their neighbours do."""
        return any(os.path.isdir(path) for path in self.paths)

    @property
    def folders(self) -> list[str]:
        """The folders that watchfiles watches."""
        found = (path if os.path.isdir(path) else os.path.dirname(path) for path in self.paths)
        return list(dict.fromkeys(found))

    def settle(self) -> None:
        """Take what lies above as it is now."""
        self._stamps = {path: _stamp(path) for path in self._above()}

    def changed(self, paths: Iterator[str]) -> list[str]:
        """Those of the changed files that count, and what has changed above, by name; what is the case now is taken."""
        before = self._stamps
        self.settle()
        above = [path for path, stamp in self._stamps.items() if before.get(path) != stamp]
        several = list(paths)
        configs = self._configs() if several else None
        return sorted({*above, *(path for path in several if self._counts(path, configs))})

    def _configs(self) -> Configs | None:
        try:
            return self.configure()
        except ConfigError:
            return None

    def _counts(self, path: str, configs: Configs | None) -> bool:
        """Whether the change of a file may change what is found. A broken configuration waits for its repair."""
        if path in self.paths:
            return True
        top = next((folder for folder in self.folders if path.startswith(folder.rstrip(os.sep) + os.sep)), None)
        by_name = path.endswith((*_MANIFESTS, _IGNORES))
        if top is None or configs is None:
            return by_name and top is not None
        try:
            settings = configs.settings_for(path)
            known = by_name or settings.include.matches(path) or settings.takes_checkpoint(path)
            return known and would_take(path, top, configs)
        except ConfigError:
            return by_name

    def _above(self) -> Iterator[str]:
        """The files above what is watched that may configure the run."""
        for folder in self.folders:
            above = os.path.dirname(folder)
            while above != folder:
                yield from (os.path.join(above, name) for name in (OWN_FILE, PYPROJECT, _IGNORES))
                folder, above = above, os.path.dirname(above)


def _stamp(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size


def _listed(paths: Sequence[str]) -> str:
    from ckpt_lint.report.look import printable

    names = [printable(os.path.relpath(path)) for path in paths]
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _clear() -> None:
    """An empty screen, where there is one."""
    if sys.stdout.isatty() and os.environ.get("TERM") != "dumb":
        sys.stdout.write(_CLEAR)


def _say(arguments: argparse.Namespace, text: str) -> None:
    """One line for the person who watches, apart from the report."""
    sys.stdout.flush()
    if not arguments.quiet:
        print(f"[{time.strftime('%H:%M:%S')}] {text}", file=sys.stderr, flush=True)
