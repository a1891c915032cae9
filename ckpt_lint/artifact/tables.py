"""The tables of what torch's weights-only unpickler accepts, read once from the data beside this file."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REFERENCE = "2.13.0"


@dataclass(frozen=True, slots=True)
class Accepted:
    """What one measured torch accepts. `globals` maps the full name to its kind (class, function, dtype, ...)."""

    version: str
    globals: Mapping[str, str]
    blocked_modules: frozenset[str]
    operands: frozenset[int]
    imports: Mapping[str, str]
    names: Mapping[tuple[str, str], tuple[str, str]]
    item_sizes: Mapping[str, int]


def _read(name: str) -> dict[str, Any]:
    table: dict[str, Any] = json.loads((Path(__file__).parent / name).read_text(encoding="utf-8"))
    return table


@functools.lru_cache(maxsize=1)
def _weights_only() -> dict[str, Any]:
    return _read("weights_only.json")


@functools.lru_cache(maxsize=4)
def accepted(version: str = REFERENCE) -> Accepted:
    """The measured row of `version`. Raises KeyError for a version without one."""
    row = _weights_only()["measured"][version]
    pairs = {tuple(old.split()): tuple(new.split()) for old, new in row["name_mapping"].items()}
    return Accepted(
        version,
        row["globals"],
        frozenset(row["blocked_modules"]),
        frozenset(row["operands"]),
        row["import_mapping"],
        {(old[0], old[1]): (new[0], new[1]) for old, new in pairs.items()},
        row["item_sizes"],
    )


@functools.lru_cache(maxsize=1)
def measured_versions() -> tuple[str, ...]:
    """The versions with a measured row."""
    return tuple(_weights_only()["measured"])


@functools.lru_cache(maxsize=1)
def since() -> Mapping[str, str]:
    """Global (or `operand:NAME`) to the first torch that accepts it, for versions without a measured row.

    "*" stands for every torch that has `weights_only`; what is missing is not known.
    """
    table: dict[str, str] = _weights_only()["since"]["first"]
    return table


def newest_known() -> str:
    """The newest torch that anything is known of."""
    newest: str = _weights_only()["since"]["newest"]
    return newest


@functools.lru_cache(maxsize=1)
def torch_data_classes() -> frozenset[str]:
    """Classes of torch itself that are data when unpickled: modules, optimizers, schedulers."""
    return frozenset(_read("torch_classes.json")["classes"])


@functools.lru_cache(maxsize=1)
def torch_plain_functions() -> frozenset[str]:
    """Activations that whole modules name; harmless as names, unknown as calls."""
    return frozenset(_read("torch_classes.json")["functions"])


@functools.lru_cache(maxsize=4)
def known_data(part: str) -> frozenset[str]:
    """Classes and constructors outside of torch's lists that hold data: `allowable`, `data` or `old_names`."""
    return frozenset(_read("known_data.json")[part])
