"""From arguments to configurations: the command line is the last layer."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from typing import Any

from ckpt_lint.config import ConfigError, Configs, Layer
from ckpt_lint.config.files import parse_toml
from ckpt_lint.config.options import check_options
from ckpt_lint.model import RuleInfo

_ORIGIN = "the command line"
_KEYS = (
    "select",
    "ignore",
    "extend-select",
    "fixable",
    "unfixable",
    "exclude",
    "extend-exclude",
    "force-exclude",
    "respect-gitignore",
    "torch-version",
    "fix",
    "unsafe-fixes",
    "fail-on",
    "output-format",
)


def configs_from(arguments: argparse.Namespace, rules: Sequence[RuleInfo]) -> Configs:
    """The configurations of a run. Raises ConfigError."""
    folder = os.getcwd()
    files, layers = [], []
    for value in arguments.config:
        if os.path.isfile(value):
            files.append(value)
        elif "=" in value:
            layers.append(_layer(parse_toml(value, f"--config {value}"), folder, f"--config {value}"))
        else:
            raise ConfigError(f"--config {value}: no such file")
    if len(files) > 1:
        raise ConfigError("--config: more than one configuration file")
    if files and arguments.isolated:
        raise ConfigError("--config cannot name a file together with --isolated")
    layers.append(_layer(_given(arguments), folder, _ORIGIN))
    config = os.path.abspath(files[0]) if files else None
    return Configs(
        rules,
        layers,
        config=config,
        isolated=arguments.isolated,
        gate=getattr(arguments, "gate", True),
        checkpoints=getattr(arguments, "checkpoints", False),
    )


def _layer(options: dict[str, Any], folder: str, origin: str) -> Layer:
    check_options(options, origin)
    return Layer(origin, folder, options)


def _given(arguments: argparse.Namespace) -> dict[str, Any]:
    values = ((key, getattr(arguments, key.replace("-", "_"), None)) for key in _KEYS)
    return {key: value for key, value in values if value is not None}
