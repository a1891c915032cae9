"""Which files of a folder are manifests, and what those of one folder say of torch together."""

from __future__ import annotations

import functools
import operator
import os
import re
from collections.abc import Callable
from dataclasses import dataclass

from ckpt_lint.project.conda import read_environment
from ckpt_lint.project.locks import read_conda_lock, read_pipfile_lock, read_toml_lock
from ckpt_lint.project.pyproject import read_pipfile, read_pyproject
from ckpt_lint.project.requirements import read_requirements_file
from ckpt_lint.project.setup_files import read_setup_cfg, read_setup_py
from ckpt_lint.project.torch_requirement import Reader, Sink, TorchRequirement, Unreadable
from ckpt_lint.project.versions import ANY, VersionRange

_Read = Callable[[str, str, Sink], None]
_LONGEST_MANIFEST = 2_000_000
_LONGEST_LOCK = 50_000_000
_MOST_REQUIREMENTS_FILES = 200

_BY_NAME: dict[str, _Read] = {
    "pyproject.toml": read_pyproject,
    "setup.cfg": read_setup_cfg,
    "setup.py": read_setup_py,
    "Pipfile": read_pipfile,
}
_BY_PATTERN: tuple[tuple[re.Pattern[str], _Read], ...] = (
    (re.compile(r"requirements[^/]*\.txt$"), read_requirements_file),
    (re.compile(r"(?:environment|env|conda[-_]?env)[^/]*\.ya?ml$"), read_environment),
)
_LOCKS: tuple[tuple[re.Pattern[str], _Read], ...] = (
    (re.compile(r"(?:poetry|uv|pdm)\.lock$"), read_toml_lock),
    (re.compile(r"Pipfile\.lock$"), read_pipfile_lock),
    (re.compile(r"(?:[\w.-]+[.-])?conda-lock\.ya?ml$"), read_conda_lock),
)


@dataclass(frozen=True, slots=True)
class FolderTorch:
    """What the manifests of one folder (or the cells of a notebook) say of torch.

    `conflict` holds where no version fits them all; `range` is then the smallest one that holds every one of them.
    """

    range: VersionRange = ANY
    requirements: tuple[TorchRequirement, ...] = ()
    unreadable: tuple[Unreadable, ...] = ()
    conflict: bool = False

    @property
    def names_torch(self) -> bool:
        """Whether some manifest names torch, readable or not."""
        return bool(self.requirements or self.unreadable)


def read_text(path: str) -> str | None:
    """Read a manifest as UTF-8, None where there is no such file; raise OSError or ValueError where it cannot be."""
    if not os.path.isfile(path):
        return None
    longest = _LONGEST_LOCK if path.endswith((".lock", "-lock.yml", "-lock.yaml")) else _LONGEST_MANIFEST
    with open(path, "rb") as stream:
        data = stream.read(longest + 1)
    if len(data) > longest:
        raise ValueError(f"is longer than {longest} bytes")
    return _decode(data)


def _decode(data: bytes) -> str:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        # `pip freeze > requirements.txt` in an old PowerShell writes UTF-16.
        return data.decode("utf-16")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def read_folder(folder: str, reader: Reader) -> FolderTorch:
    """Read the manifests of `folder`; the lock files only where nothing else has a bound."""
    sink = Sink(reader)
    names = _names(folder)
    for name in names:
        _read_one(_manifest_reader(name), os.path.join(folder, name), sink)
    if not sink.unreadable and not any(found.range.bounded for found in sink.requirements):
        for name in names:
            _read_one(_first(_LOCKS, name), os.path.join(folder, name), sink)
    return united(sink)


def read_cells(manifests: tuple[tuple[str, str], ...], reader: Reader) -> FolderTorch:
    """Read manifests that a notebook writes, given as pairs of path and text."""
    sink = Sink(reader)
    for path, text in manifests:
        read = _manifest_reader(os.path.basename(path))
        if read is not None and _may_name_torch(text):
            read(path, text, sink)
    return united(sink)


def united(sink: Sink) -> FolderTorch:
    """Intersect what must hold together, unite what holds in one environment or another.

    Requirements with a marker are alternatives within their manifest. Extras and groups of one manifest that no
    version fits together are alternatives too, as pip and uv have them installed one at a time.
    """
    by_path: dict[str, list[TorchRequirement]] = {}
    for found in sink.requirements:
        by_path.setdefault(found.path, []).append(found)
    ranges = [_of_manifest(requirements) for requirements in by_path.values()]
    conflict = any(own_conflict for _, own_conflict in ranges)
    everything = _intersection([one for one, _ in ranges])
    if everything.empty:
        conflict = True
        everything = _union([one for one, _ in ranges])
    return FolderTorch(everything, tuple(sink.requirements), tuple(sink.unreadable), conflict)


def _of_manifest(requirements: list[TorchRequirement]) -> tuple[VersionRange, bool]:
    """What one manifest says, and whether it contradicts itself within one group."""
    groups: dict[str, list[TorchRequirement]] = {}
    for found in requirements:
        groups.setdefault(found.group, []).append(found)
    ranges, conflict = [], False
    for members in groups.values():
        one = _of_group(members)
        if one.empty:
            conflict = True
            one = _union([found.range for found in members])
        ranges.append(one)
    together = _intersection(ranges)
    return (_union(ranges) if together.empty else together), conflict


def _of_group(members: list[TorchRequirement]) -> VersionRange:
    alternatives = [found.range for found in members if found.conditional]
    always = _intersection([found.range for found in members if not found.conditional])
    return always & _union(alternatives) if alternatives else always


def _intersection(ranges: list[VersionRange]) -> VersionRange:
    return functools.reduce(operator.and_, ranges, ANY)


def _union(ranges: list[VersionRange]) -> VersionRange:
    return functools.reduce(operator.or_, ranges)


def _read_one(read: _Read | None, path: str, sink: Sink) -> None:
    text = sink.read(path) if read is not None else None
    if read is not None and text is not None and _may_name_torch(text):
        read(path, text, sink)


def _may_name_torch(text: str) -> bool:
    # An include may name torch elsewhere.
    return "torch" in text.lower() or re.search(r"(?m)^\s*(-r|-c|--re|--con)|\bfile\b", text) is not None


def _manifest_reader(name: str) -> _Read | None:
    return _BY_NAME.get(name) or _first(_BY_PATTERN, name)


def _first(patterns: tuple[tuple[re.Pattern[str], _Read], ...], name: str) -> _Read | None:
    # What lies in a folder called requirements is one, whatever its own name.
    parts = name.split("/")
    if len(parts) == 2:
        return read_requirements_file if patterns is _BY_PATTERN else None
    return next((read for pattern, read in patterns if pattern.match(name)), None)


def _names(folder: str) -> list[str]:
    """List the files of `folder` by name, those of a folder called requirements after them."""
    names = _listed(folder)
    if "requirements" in names:
        inner = [name for name in _listed(os.path.join(folder, "requirements")) if name.endswith(".txt")]
        names += [f"requirements/{name}" for name in inner[:_MOST_REQUIREMENTS_FILES]]
    return names


def _listed(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []
