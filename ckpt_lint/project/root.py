"""Which folder a file's project is.

RULES.md, "Project": the folder of the nearest pyproject.toml with [project], [tool.poetry] or [tool.ckpt-lint], of a
setup.py or a setup.cfg, at or above the file; else the git root; else the file's own folder; never the home folder or
`/`. Three things that this leaves open are settled here: the search ends at the git root, since what lies above a
repository is another project; without either, a module of a package belongs to the folder that holds the outermost
package; and a file that lies in the home folder itself is a project of one file, whose root is the file's own path.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field

# The table headers, read without a TOML parser: a pyproject.toml that does not parse still marks its folder.
_PROJECT_TABLE = re.compile(
    rb"""^[ \t]*\[[ \t]*["']?(?:project|tool["']?[ \t]*\.[ \t]*["']?(?:poetry|ckpt-lint))["']?[ \t]*[.\]]""",
    re.MULTILINE,
)
_LONGEST_PYPROJECT = 1_000_000


@dataclass
class RootCache:
    """The roots that one run has found, by folder. `home` is a real path; it and `/` never become a root."""

    home: str = field(default_factory=lambda: os.path.realpath(os.path.expanduser("~")))
    roots: dict[str, str] = field(default_factory=dict)
    markers: dict[str, bool] = field(default_factory=dict)
    above: dict[str, list[str]] = field(default_factory=dict)


def project_root(path: str, cache: RootCache) -> str:
    """Return the absolute path of the project root of the file `path`, which need not exist.

    The answer is the file itself where no folder may be the root. Symbolic links in `path` are kept as they stand, so
    that a link into another project belongs to the project that it lies in.
    """
    absolute = os.path.abspath(path)
    folder = os.path.dirname(absolute)
    if folder not in cache.roots:
        cache.roots[folder] = _root_of_folder(folder, cache)
    return cache.roots[folder] or absolute


def bounds_limit(path: str, root: str, cache: RootCache) -> str:
    """Return the outermost folder whose manifests may speak for the file: the git root, else the project root."""
    folders = ancestors(os.path.dirname(os.path.abspath(path)), cache)
    if folders and is_git_root(folders[-1]):
        return folders[-1]
    return root


def ancestors(folder: str, cache: RootCache) -> list[str]:
    """List `folder` and the folders above it, nearest first, up to the git root and never the home folder or `/`."""
    new: list[str] = []
    current = folder
    while current not in cache.above:
        if _is_forbidden(current, cache):
            cache.above[current] = []
        elif is_git_root(current):
            cache.above[current] = [current]
        else:
            new.append(current)
            current = os.path.dirname(current)
    for below in reversed(new):
        cache.above[below] = [below, *cache.above[os.path.dirname(below)]]
    return cache.above[folder]


def is_git_root(folder: str) -> bool:
    """Whether `folder` holds a repository, a worktree or a submodule (in these two `.git` is a file)."""
    return os.path.exists(os.path.join(folder, ".git"))


def is_project(folder: str, cache: RootCache) -> bool:
    """Whether `folder` is the root of a project of its own."""
    return is_git_root(folder) or _has_marker(folder, cache)


def _root_of_folder(folder: str, cache: RootCache) -> str:
    folders = ancestors(folder, cache)
    for candidate in folders:
        if _has_marker(candidate, cache):
            return candidate
    if not folders:
        return ""
    return folders[-1] if is_git_root(folders[-1]) else _above_packages(folders)


def _above_packages(folders: list[str]) -> str:
    """Return the first folder that is no package; the outermost one where all of them are."""
    for folder in folders:
        if not os.path.isfile(os.path.join(folder, "__init__.py")):
            return folder
    return folders[-1]


def _is_forbidden(folder: str, cache: RootCache) -> bool:
    return os.path.dirname(folder) == folder or os.path.realpath(folder) == cache.home


def _has_marker(folder: str, cache: RootCache) -> bool:
    if folder not in cache.markers:
        cache.markers[folder] = (
            os.path.isfile(os.path.join(folder, "setup.py"))
            or os.path.isfile(os.path.join(folder, "setup.cfg"))
            or _is_project_pyproject(os.path.join(folder, "pyproject.toml"))
        )
    return cache.markers[folder]


def _is_project_pyproject(path: str) -> bool:
    try:
        if not os.path.isfile(path):
            return False
        with open(path, "rb") as stream:
            return _PROJECT_TABLE.search(stream.read(_LONGEST_PYPROJECT)) is not None
    except OSError:
        return False
