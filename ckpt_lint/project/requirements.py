"""Read requirement lines as pip has them, and the files that hold them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from urllib.parse import unquote

from packaging.requirements import InvalidRequirement, Requirement

from ckpt_lint.project.torch_requirement import Sink, TorchRequirement, Unreadable
from ckpt_lint.project.versions import ANY, VersionRange, conda_range, exact_range, pip_range

_NAMES = frozenset({"torch", "pytorch"})
_NAMED = re.compile(r"\s*(torch|pytorch)(?![\w.-])\s*(\[[^\]]*\])?\s*(.*)", re.IGNORECASE | re.DOTALL)
_WHEEL = re.compile(r"(?:^|/)torch-([0-9][^-/]*)-[^/]*\.whl", re.IGNORECASE)
_TAG = re.compile(r"/pytorch(?:\.git)?@v?([0-9]+\.[0-9]+(?:\.[0-9]+)?)(?:[#&\s]|$)")
_INCLUDE = re.compile(r"(?:-r|-c|--requirement|--constraint)(?:\s+|=|(?=[^-\s]))(\S+)")
_HASH = re.compile(r"\s--?\w[\w-]*(?:[= ].*)?$", re.DOTALL)
_MOST_INCLUDES = 100


def is_torch(name: str) -> bool:
    """Whether `name` is a spelling under which a manifest names torch."""
    return name.strip().lower() in _NAMES


def read_requirement(text: str, path: str, sink: Sink, *, row: int | None = None, conditional: bool = False) -> None:
    """Add to `sink` what one requirement says of torch; a line about something else says nothing."""
    text = text.strip()
    url = range_of_url(text)
    if url is not None and "@" not in text.split("://")[0]:
        sink.add(TorchRequirement(path, text, url, conditional=conditional))
        return
    named = _NAMED.match(text)
    if named is None:
        return
    read = _parse(text, named[3])
    if read is None:
        sink.add(Unreadable(path, row, f"cannot read the requirement {text!r}"))
        return
    found, marked = read
    sink.add(TorchRequirement(path, text, found, conditional=conditional or marked))


def _parse(text: str, rest: str) -> tuple[VersionRange, bool] | None:
    try:
        requirement = Requirement(text)
    except InvalidRequirement:
        return _parse_leniently(rest)
    marked = requirement.marker is not None
    if requirement.url is not None:
        return range_of_url(requirement.url) or ANY, marked
    found = pip_range(str(requirement.specifier))
    return None if found is None else (found, marked)


def _parse_leniently(rest: str) -> tuple[VersionRange, bool] | None:
    """Read what pip refuses and people write: `torch=1.8`, `torch @ file name`, two blanks for a comma."""
    clauses, _, marker = rest.partition(";")
    if clauses.lstrip().startswith("@"):
        return range_of_url(clauses) or ANY, bool(marker)
    found = conda_range(re.sub(r"(?<=[0-9*])\s+(?=[<>=!~])", ",", clauses.strip()))
    return None if found is None else (found, bool(marker))


def range_of_url(text: str) -> VersionRange | None:
    """Return the version that a wheel's address or a tag of torch's repository names; None where it is neither."""
    if "://" not in text and ".whl" not in text:
        return None
    plain = unquote(text)
    match = _WHEEL.search(plain) or _TAG.search(plain)
    return exact_range(match[1]) if match else None


def read_requirements_file(path: str, text: str, sink: Sink) -> None:
    """Add what a requirements file says of torch, and what the files say that it includes."""
    _read_file(path, text, sink, {os.path.normpath(path)})


def _read_file(path: str, text: str, sink: Sink, opened: set[str]) -> None:
    for row, line in logical_lines(text):
        include = _INCLUDE.match(line)
        if include:
            _follow(os.path.normpath(os.path.join(os.path.dirname(path), include[1])), sink, opened)
        elif line.startswith(("-e ", "--editable")):
            read_requirement(re.sub(r"^(-e|--editable)[ =]+", "", line), path, sink, row=row)
        elif not line.startswith("-"):
            read_requirement(_HASH.sub("", line), path, sink, row=row)


def _follow(path: str, sink: Sink, opened: set[str]) -> None:
    """Read an included file, each once: they may include one another."""
    if path in opened or len(opened) > _MOST_INCLUDES:
        return
    opened.add(path)
    text = sink.read(path)
    if text is not None:
        _read_file(path, text, sink, opened)


def logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield row and text of each line, without comments and blank lines, continued lines joined as pip does it."""
    start, pending = 1, ""
    for row, line in enumerate(text.removeprefix("\ufeff").splitlines(), 1):
        start = start if pending else row
        if line.endswith("\\") and not line.lstrip().startswith("#"):
            pending += line[:-1] + " "
            continue
        joined = re.sub(r"(^|\s+)#.*$", "", pending + line).strip()
        pending = ""
        if joined:
            yield start, joined
    if pending.strip():
        yield start, pending.strip()
