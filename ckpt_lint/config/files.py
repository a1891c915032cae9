"""Where configuration is written: `ckpt-lint.toml`, or `[tool.ckpt-lint]` of a pyproject.toml, nearest to a file."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ckpt_lint.config.merge import merge
from ckpt_lint.config.options import ConfigError, Layer, check_options
from ckpt_lint.model import RuleInfo
from ckpt_lint.project.outside import lies_outside
from ckpt_lint.settings import CHECKPOINT_FILES, Patterns, Settings

OWN_FILE = "ckpt-lint.toml"
PYPROJECT = "pyproject.toml"
_LONGEST_CHAIN = 10
WARY = ("python", "checkpoints")
"""The keys that `verify` runs or reads something for."""


@dataclass
class Configs:
    """The settings of every file of a run: each folder's nearest configuration, with `overrides` on top.

    `config` is the one file to use for all (patterns are then relative to the working folder), `isolated` reads none,
    `gate` says whether files without a word of checkpoints may be passed by unread, and `checkpoints` whether folders
    are searched for checkpoint files of every usual name. Paths are absolute. What has been read is kept for the run.
    """

    rules: Sequence[RuleInfo]
    overrides: Sequence[Layer] = ()
    config: str | None = None
    isolated: bool = False
    gate: bool = True
    checkpoints: bool = False
    working_folder: str = field(default_factory=os.getcwd)
    _by_folder: dict[str, Settings] = field(default_factory=dict)
    _by_file: dict[str | None, Settings] = field(default_factory=dict)

    def settings_for(self, path: str) -> Settings:
        """The settings for the file `path`, which need not exist. Raises ConfigError."""
        return self.settings_in(os.path.dirname(os.path.abspath(path)))

    def settings_in(self, folder: str) -> Settings:
        """The settings for files in `folder`, an absolute path. Raises ConfigError."""
        known = self._by_folder.get(folder)
        if known is not None:
            return known
        if self.isolated or self.config is not None:
            settings = self._settings_of(self.config)
        elif _config_in(folder) is not None or os.path.dirname(folder) == folder:
            settings = self._settings_of(_config_in(folder))
        else:
            settings = self.settings_in(os.path.dirname(folder))
        self._by_folder[folder] = settings
        return settings

    def _settings_of(self, file: str | None) -> Settings:
        if file not in self._by_file:
            trusted = self.config is not None
            root = self.working_folder if file is None or trusted else os.path.dirname(file)
            layers = () if file is None else read_layers(file, base=root, trusted=trusted)
            merged = merge([*layers, *self.overrides], self.rules, root=root)
            usual = (Patterns(root, CHECKPOINT_FILES),) if self.checkpoints else ()
            files = (*merged.checkpoint_files, *usual)
            foreign = frozenset() if trusted else _foreign(layers, self.overrides)
            self._by_file[file] = replace(merged, source=file, gate=self.gate, checkpoint_files=files, foreign=foreign)
        return self._by_file[file]


def _config_in(folder: str) -> str | None:
    own = os.path.join(folder, OWN_FILE)
    if os.path.isfile(own):
        return own
    pyproject = os.path.join(folder, PYPROJECT)
    if not os.path.isfile(pyproject):
        return None
    try:
        with open(pyproject, "rb") as stream:
            if b"ckpt-lint" not in stream.read():
                return None
    except OSError:
        return None
    return pyproject if _table_of(pyproject) is not None else None


def read_layers(file: str, *, base: str, trusted: bool = False) -> tuple[Layer, ...]:
    """The layers of a configuration file: what it extends, weakest first, then its own. Raises ConfigError.

    A file of a repository extends no file outside of it, unless it is `trusted`: named by whoever started the run.
    """
    if not trusted and lies_outside(file, os.path.dirname(file)):
        raise ConfigError(f"{_shown(file)}: it is a link out of the repository, and not read")
    layers: list[Layer] = []
    wanted: str | None = file
    while wanted is not None:
        if len(layers) == _LONGEST_CHAIN or any(layer.file == wanted for layer in layers):
            raise ConfigError(f"{_shown(file)}: `extend`: the configurations extend one another without end")
        layer = read_layer(wanted, base=base if wanted == file else os.path.dirname(wanted))
        layers.append(layer)
        wanted = _extended(layer, trusted=trusted)
    return tuple(reversed(layers))


def read_layer(file: str, *, base: str) -> Layer:
    """One configuration file, checked key by key. A file that has no table of ours is an error. Raises ConfigError."""
    table = _table_of(file)
    if table is None:
        raise ConfigError(f"{_shown(file)}: no `[tool.ckpt-lint]` in it")
    check_options(table, _shown(file))
    return Layer(_shown(file), base, table, file)


def parse_toml(text: str, origin: str) -> dict[str, Any]:
    """A TOML document. Raises ConfigError."""
    import sys

    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(f"{origin}: not valid TOML: {error}") from None


def _extended(layer: Layer, *, trusted: bool) -> str | None:
    target = layer.options.get("extend")
    if target is None or layer.file is None:
        return None
    path = os.path.normpath(os.path.join(os.path.dirname(layer.file), os.path.expanduser(target)))
    if not trusted and lies_outside(path, os.path.dirname(layer.file)):
        raise ConfigError(f"{layer.origin}: `extend`: {target} lies outside of the repository and is not read")
    if not os.path.isfile(path):
        raise ConfigError(f"{layer.origin}: `extend`: no such file: {target}")
    return path


def _foreign(layers: Sequence[Layer], overrides: Sequence[Layer]) -> frozenset[str]:
    """The keys to be wary of that files of the repository give, and the command line does not."""
    return frozenset(
        key
        for key in WARY
        if any(key in one.options for one in layers) and not any(key in one.options for one in overrides)
    )


def _table_of(file: str) -> Mapping[str, Any] | None:
    """The table of ours in `file`: the whole of an own file, None where a pyproject.toml has none."""
    try:
        with open(file, "rb") as stream:
            text = stream.read().decode("utf-8-sig")
    except OSError as error:
        raise ConfigError(f"{_shown(file)}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{_shown(file)}: not valid TOML: no UTF-8 text") from None
    document = parse_toml(text.replace("\r\n", "\n"), _shown(file))
    if os.path.basename(file) != PYPROJECT:
        return document
    tools = document.get("tool", {})
    table = tools.get("ckpt-lint") if isinstance(tools, dict) else None
    if table is not None and not isinstance(table, dict):
        raise ConfigError(f"{_shown(file)}: `tool.ckpt-lint`: expected a table")
    return table


def _shown(path: str) -> str:
    relative = os.path.relpath(path)
    return path if relative.startswith(os.pardir) else relative
