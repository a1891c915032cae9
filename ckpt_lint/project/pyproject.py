"""What the TOML manifests say of torch: pyproject.toml, Pipfile and the script block of PEP 723."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from typing import Any

from ckpt_lint.project.requirements import is_torch, range_of_url, read_requirement, read_requirements_file
from ckpt_lint.project.torch_requirement import Sink, TorchRequirement, Unreadable
from ckpt_lint.project.versions import ANY, VersionRange, conda_range, poetry_range

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Table = dict[str, Any]
_SCRIPT_BLOCK = re.compile(r"(?m)^# /// script[ \t]*\r?$\s(?P<content>(?:^#(?:| [^\n]*)\r?$\s)+)^# ///[ \t]*\r?$")
_CONDITIONS = frozenset({"markers", "marker", "python", "platform", "sys_platform"})
_TORCH_WORD = re.compile(r"(?<![\w.-])(?:py)?torch(?![\w-]|\.[A-Za-z])", re.IGNORECASE)


def names_torch(text: str) -> bool:
    """Whether the word stands in a text that could not be read, so that it may have said something of torch."""
    return _TORCH_WORD.search(text) is not None


def read_pyproject(path: str, text: str, sink: Sink) -> None:
    """Add the dependencies of [project], of dependency groups and of Poetry, PDM, uv, Hatch and Pixi."""
    data = _load(path, text, sink)
    project, tool = _table(data, "project"), _table(data, "tool")
    _read_list(project.get("dependencies"), path, sink)
    _read_groups(_table(project, "optional-dependencies"), path, sink)
    _read_groups(_table(data, "dependency-groups"), path, sink)
    _read_poetry(_table(tool, "poetry"), path, sink)
    _read_groups(_table(tool, "pdm", "dev-dependencies"), path, sink)
    for key in ("dev-dependencies", "constraint-dependencies", "override-dependencies"):
        _read_list(_table(tool, "uv").get(key), path, sink)
    for name, environment in _tables(_table(tool, "hatch", "envs")):
        _read_list(environment.get("dependencies"), path, sink, group=name)
        _read_list(environment.get("extra-dependencies"), path, sink, group=name)
    _read_pixi(_table(tool, "pixi"), path, sink)
    _read_dynamic(_table(tool, "setuptools", "dynamic"), path, sink)


def read_pipfile(path: str, text: str, sink: Sink) -> None:
    """Add the packages of a Pipfile."""
    data = _load(path, text, sink)
    for section in ("packages", "dev-packages"):
        _read_named(_table(data, section), path, sink, group=section)


def read_script_block(path: str, source: str, sink: Sink) -> bool:
    """Add the dependencies of a file's PEP 723 block; whether there is one that lists dependencies."""
    match = _SCRIPT_BLOCK.search(source) if "# /// script" in source else None
    if match is None:
        return False
    lines = [line[2:] if line.startswith("# ") else line[1:] for line in match["content"].splitlines()]
    before = len(sink.unreadable)
    data = _load(path, "\n".join(lines), sink)
    _read_list(data.get("dependencies"), path, sink)
    return "dependencies" in data or len(sink.unreadable) > before


def _load(path: str, text: str, sink: Sink) -> Table:
    try:
        return tomllib.loads(text.removeprefix("\ufeff"))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        if names_torch(text):
            row = re.search(r"at line (\d+)", str(error))
            sink.add(Unreadable(path, int(row[1]) if row else None, f"does not parse as TOML: {error}"))
        return {}


def _table(data: Table, *keys: str) -> Table:
    for key in keys:
        value = data.get(key)
        if not isinstance(value, dict):
            return {}
        data = value
    return data


def _tables(data: Table) -> Iterator[tuple[str, Table]]:
    return ((name, value) for name, value in data.items() if isinstance(value, dict))


def _read_list(items: object, path: str, sink: Sink, *, group: str = "") -> None:
    inner = Sink(sink.reader)
    for item in items if isinstance(items, list) else []:
        if isinstance(item, str):
            read_requirement(item, path, inner)
    for found in inner.requirements:
        sink.add(TorchRequirement(found.path, found.text, found.range, found.conditional, group))
    for problem in inner.unreadable:
        sink.add(problem)


def _read_groups(groups: Table, path: str, sink: Sink) -> None:
    for name, items in groups.items():
        _read_list(items, path, sink, group=name)


def _read_poetry(poetry: Table, path: str, sink: Sink) -> None:
    _read_named(_table(poetry, "dependencies"), path, sink)
    _read_named(_table(poetry, "dev-dependencies"), path, sink, group="dev")
    for name, group in _tables(_table(poetry, "group")):
        _read_named(_table(group, "dependencies"), path, sink, group=name)


def _read_pixi(pixi: Table, path: str, sink: Sink) -> None:
    for name, feature in [("", pixi), *_tables(_table(pixi, "feature"))]:
        _read_named(_table(feature, "dependencies"), path, sink, group=name, conda=True)
        _read_named(_table(feature, "pypi-dependencies"), path, sink, group=name, conda=True)


def _read_dynamic(dynamic: Table, path: str, sink: Sink) -> None:
    """Read the files that setuptools takes dependencies from."""
    folder = path.rpartition("/")[0]
    for section in [dynamic, *(value for _, value in _tables(_table(dynamic, "optional-dependencies")))]:
        files = _table(section, "dependencies").get("file") if section is dynamic else section.get("file")
        for name in [files] if isinstance(files, str) else files if isinstance(files, list) else []:
            full = f"{folder}/{name}" if folder else str(name)
            text = sink.read(full)
            if text is not None:
                read_requirements_file(full, text, sink)


def _read_named(packages: Table, path: str, sink: Sink, *, group: str = "", conda: bool = False) -> None:
    """Read a table from names to constraints; a list of constraints is one for each environment."""
    for name, value in packages.items():
        if not is_torch(name):
            continue
        several = isinstance(value, list)
        for constraint in value if several else [value]:
            found = _constraint(constraint, conda)
            if found is None:
                sink.add(Unreadable(path, None, f"cannot read the version {name} = {constraint!r}"))
                continue
            conditional = several or (isinstance(constraint, dict) and not _CONDITIONS.isdisjoint(constraint))
            text = f"{name} = {constraint!r}" if not isinstance(constraint, str) else f'{name} = "{constraint}"'
            sink.add(TorchRequirement(path, text, found, conditional, group))


def _constraint(value: object, conda: bool) -> VersionRange | None:
    if isinstance(value, dict):
        version, address = value.get("version"), value.get("url") or value.get("file") or value.get("path")
        if isinstance(version, str):
            return _constraint(version, conda)
        return (range_of_url(address) if isinstance(address, str) else None) or ANY
    if not isinstance(value, str):
        return None
    return conda_range(value.split("=py")[0]) if conda else poetry_range(value)
