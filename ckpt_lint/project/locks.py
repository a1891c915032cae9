"""What lock files pin: read for torch alone, with patterns, because they run to megabytes."""

from __future__ import annotations

import json
import re

from ckpt_lint.project.torch_requirement import Sink, TorchRequirement, Unreadable
from ckpt_lint.project.versions import conda_range, exact_range

# poetry.lock, uv.lock and pdm.lock begin every package so, in this order.
_TOML_PACKAGE = re.compile(
    r"^\[\[package\]\]\s*^name = [\"'](torch|pytorch)[\"']\s*^version = [\"']([^\"'\s]+)[\"']",
    re.MULTILINE | re.IGNORECASE,
)
# conda-lock.yml: a list of mappings; old files have `- name:`, newer ones the same with sorted keys.
_YAML_PACKAGE = re.compile(
    r"^\s*-\s+name:\s*(torch|pytorch)\s*$(?:\s+(?!-\s)[^\n]*$)*?\s+version:\s*['\"]?([\w.+!]+)", re.MULTILINE
)


def read_toml_lock(path: str, text: str, sink: Sink) -> None:
    """Add the versions in a poetry.lock, uv.lock or pdm.lock; several are one for each environment."""
    _add_versions(_TOML_PACKAGE.findall(text), path, sink)


def read_conda_lock(path: str, text: str, sink: Sink) -> None:
    """Add the versions in a conda-lock file; several are one for each platform."""
    _add_versions(_YAML_PACKAGE.findall(text), path, sink)


def _add_versions(found: list[tuple[str, str]], path: str, sink: Sink) -> None:
    for name, version in found:
        pinned = exact_range(version)
        if pinned is None:
            sink.add(Unreadable(path, None, f"cannot read the version {version!r} of {name}"))
        else:
            sink.add(TorchRequirement(path, f"{name} {version}", pinned, conditional=True))


def read_pipfile_lock(path: str, text: str, sink: Sink) -> None:
    """Add the versions in a Pipfile.lock."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        sink.add(Unreadable(path, getattr(error, "lineno", None), "does not parse as JSON"))
        return
    for section in ("default", "develop"):
        packages = data.get(section) if isinstance(data, dict) else None
        entry = packages.get("torch") if isinstance(packages, dict) else None
        version = entry.get("version") if isinstance(entry, dict) else None
        pinned = conda_range(version) if isinstance(version, str) else None
        if pinned is not None:
            sink.add(TorchRequirement(path, f"torch {version}", pinned))
