"""What a conda environment file says of torch.

The list under `dependencies:` is read line by line: its items are plain scalars in practice, and a YAML library would
be the one dependency that nothing else needs. A line that names torch in a form that is not understood (an anchor, a
block scalar, a template) makes the file unreadable; it is never guessed at.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from ckpt_lint.project.pyproject import names_torch
from ckpt_lint.project.requirements import is_torch, read_requirement, read_requirements_file
from ckpt_lint.project.torch_requirement import Sink, TorchRequirement, Unreadable
from ckpt_lint.project.versions import VersionRange, conda_range

_ITEM = re.compile(r"(?P<indent>\s*)-\s+(?P<text>.*)")
_PLAIN = re.compile(r"[A-Za-z0-9_.:/-]+(?:\[[^\]]*\])?[\w.,*+<>=!~|():@/%\s'\[\]-]*$")
_SPEC = re.compile(r"(?:\S*::)?([\w.-]+)\s*(\[[^\]]*\])?\s*(.*)$")
_BRACKET_VERSION = re.compile(r"version\s*=\s*['\"]?([^'\"\],]+(?:,[^'\"\]=]+)*)")


def read_environment(path: str, text: str, sink: Sink) -> None:
    """Add what the `dependencies` of an environment file say of torch, its `pip` part included."""
    if "\t" in text and names_torch(text):
        sink.add(Unreadable(path, None, "has tabs, which YAML forbids"))
        return
    for row, item, in_pip in _dependencies(text):
        if not names_torch(item) and "torch-" not in item:
            continue
        plain = _scalar(item)
        if plain is None:
            sink.add(Unreadable(path, row, f"cannot read the dependency {item!r}"))
        elif in_pip:
            _read_pip_item(plain, path, sink, row)
        else:
            _read_spec(plain, path, sink, row)


def _read_pip_item(item: str, path: str, sink: Sink, row: int) -> None:
    if not item.startswith("-"):
        read_requirement(item, path, sink, row=row)
        return
    # "-r requirements.txt" and the like have the grammar of a requirements file.
    read_requirements_file(path, item, sink)


def _read_spec(item: str, path: str, sink: Sink, row: int) -> None:
    match = _SPEC.match(item)
    if match is None or not is_torch(match[1]):
        return
    found = _spec_range(match[2] or "", match[3].strip())
    if found is None:
        sink.add(Unreadable(path, row, f"cannot read the dependency {item!r}"))
    else:
        sink.add(TorchRequirement(path, item, found))


def _spec_range(bracket: str, version: str) -> VersionRange | None:
    inner = _BRACKET_VERSION.search(bracket)
    if inner:
        return conda_range(inner[1])
    # name=version=build, or "name version build"
    fields = re.match(r"(==?)\s*([^=\s]+)=\S*$", version) or re.match(r"()([^\s=<>!]+)\s+[\w*]+$", version)
    return conda_range(fields[1] + fields[2] if fields else version)


def _dependencies(text: str) -> Iterator[tuple[int, str, bool]]:
    """Yield row, text and "under pip" for each item of the top-level `dependencies`."""
    inside, pip_indent = False, -1
    for row, line in _lines(text):
        if not line[0].isspace() and not line.startswith("-"):
            key, colon, rest = line.partition(":")
            inside, pip_indent = bool(colon) and key.strip("'\" ") == "dependencies", -1
            if inside and rest.strip():
                yield from ((row, part, False) for part in _flow_items(rest.strip()))
            continue
        item = _ITEM.match(line) if inside else None
        if item is None:
            if inside:
                yield row, line.strip(), False
            continue
        indent = len(item["indent"])
        if pip_indent >= 0 and indent <= pip_indent:
            pip_indent = -1
        if re.match(r"['\"]?pip['\"]?\s*:\s*$", item["text"]):
            pip_indent = indent
        else:
            yield row, item["text"].strip(), pip_indent >= 0


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield row and text of each line that is more than a comment, its comment cut off."""
    for row, line in enumerate(text.removeprefix("\ufeff").splitlines(), 1):
        plain = re.sub(r"(^|\s)#.*$", "", line).rstrip()
        if plain.strip():
            yield row, plain


def _flow_items(text: str) -> list[str]:
    if text.startswith("[") and text.endswith("]"):
        return [part.strip() for part in re.split(r",(?![^'\"]*['\"](?:\s*,|\s*$))", text[1:-1])]
    return [text]


def _scalar(item: str) -> str | None:
    """The value of a plain or quoted scalar; None for everything else that YAML has."""
    if len(item) > 1 and item[0] in "'\"" and item[-1] == item[0]:
        inner = item[1:-1]
        return None if item[0] in inner or "\\" in inner else inner
    if item[:1] == "-" or "://" in item:
        return item
    return item if _PLAIN.match(item) and not item.endswith(":") and ": " not in item else None
