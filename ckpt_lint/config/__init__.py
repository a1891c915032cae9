"""Configuration: what options there are, where they are written, and the `Settings` that come of them."""

from __future__ import annotations

from ckpt_lint.config.files import Configs
from ckpt_lint.config.options import ConfigError, Layer

__all__ = ["ConfigError", "Configs", "Layer"]
