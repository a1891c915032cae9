"""Values of the model as plain tuples and back: to be written to disk without pickles, or compared as text."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping
from typing import Any

from ckpt_lint.model import (
    Applicability,
    Artifact,
    Edit,
    Finding,
    Fix,
    Location,
    Outcome,
    Problem,
    Related,
    Severity,
    Span,
    Status,
)

_KINDS: Mapping[str, Any] = {
    kind.__name__: kind
    for kind in (Applicability, Artifact, Edit, Finding, Fix, Location, Outcome, Problem, Related, Severity, Span, Status)
}


def plain(value: Any) -> Any:
    """A value as tuples, texts and numbers. Sets are sorted, so that equal values give equal tuples."""
    if isinstance(value, enum.Enum):
        return ("=", type(value).__name__, value.value)
    if dataclasses.is_dataclass(value):
        return ("=", type(value).__name__, *(plain(getattr(value, field.name)) for field in dataclasses.fields(value)))
    if isinstance(value, (set, frozenset)):
        return ("{}", *sorted(plain(item) for item in value))
    if isinstance(value, Mapping):
        return ("{:}", *((plain(key), plain(item)) for key, item in value.items()))
    if isinstance(value, (tuple, list)):
        return ("()", *(plain(item) for item in value))
    return value


def restored(value: Any) -> Any:
    """What `plain` was given, of the model's kinds. Raises ValueError where `value` is no such thing."""
    if not isinstance(value, tuple):
        return value
    match value:
        case ("=", str(name), *parts) if name in _KINDS:
            try:
                return _KINDS[name](*(restored(part) for part in parts))
            except TypeError as error:
                raise ValueError(f"no {name}: {error}") from error
        case ("()", *parts):
            return tuple(restored(part) for part in parts)
        case ("{}", *parts):
            return frozenset(restored(part) for part in parts)
        case ("{:}", *parts):
            return {restored(key): restored(item) for key, item in parts}
    raise ValueError(f"no value of the model: {value!r:.80}")
