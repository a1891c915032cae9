"""A static checker, autofixer and verifier for PyTorch checkpoint code and checkpoint files.

`check_source` and `fix_source` are for other programs; they are imported when they are asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from ckpt_lint.api import check_source, fix_source
    from ckpt_lint.config import ConfigError
    from ckpt_lint.model import (
        Applicability,
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

__all__ = [
    "__version__",
    "check_source",
    "fix_source",
    "ConfigError",
    "Applicability",
    "Edit",
    "Finding",
    "Fix",
    "Location",
    "Outcome",
    "Problem",
    "Related",
    "Severity",
    "Span",
    "Status",
]

_PLACES = {"check_source": "ckpt_lint.api", "fix_source": "ckpt_lint.api", "ConfigError": "ckpt_lint.config"}


def __getattr__(name: str) -> Any:
    """The public names, each from its module."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_PLACES.get(name, "ckpt_lint.model")), name)
