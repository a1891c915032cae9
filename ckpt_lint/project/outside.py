"""How far a repository's own files may send us: configuration of an untrusted one reads nothing outside of it."""

from __future__ import annotations

import os


def lies_outside(path: str, folder: str) -> bool:
    """Whether `path`, links followed, lies outside of what a file in `folder` may have us read.

    That is the Git repository of the folder; without one the working folder, where the folder lies in it, else the folder
    itself. The home folder and `/` are nobody's repository.
    """
    limit = os.path.realpath(_limit(os.path.realpath(folder)))
    real = os.path.realpath(path)
    return not (real == limit or real.startswith(os.path.join(limit, "")))


def _limit(folder: str) -> str:
    above, working = folder, os.path.realpath(os.getcwd())
    while not _is_no_project(above):
        if os.path.exists(os.path.join(above, ".git")):
            return above
        above = os.path.dirname(above)
    beneath = os.path.join(folder, "").startswith(os.path.join(working, ""))
    return working if beneath and not _is_no_project(working) else folder


def _is_no_project(folder: str) -> bool:
    return os.path.dirname(folder) == folder or folder == os.path.realpath(os.path.expanduser("~"))
