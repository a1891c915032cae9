"""From layers of options to the `Settings` of a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ckpt_lint.config.options import INSTALLED, ConfigError, Layer
from ckpt_lint.model import RuleInfo, Severity
from ckpt_lint.select import Selection, UnknownSelector, meant_by, resolve, resolve_safety, resolve_unfixable
from ckpt_lint.settings import Patterns, PerFileIgnore, Settings, TrustedPath

_MEANT = ("ignore", "fixable", "unfixable", "extend-safe-fixes", "extend-unsafe-fixes")
"""Keys in which a prefix means rules that are off by default, too."""


def merge(layers: Sequence[Layer], rules: Sequence[RuleInfo], *, root: str) -> Settings:
    """The settings after all layers, the first weakest. Raises ConfigError for a selector that names no rule."""
    selected = _selected(layers, rules)
    settings = _with_fixes(replace(Settings.isolated(rules, root=root), selected=selected), layers, rules)
    for layer in layers:
        settings = _with_lists(_with_values(settings, layer.options), layer, rules)
    return settings


def _selected(layers: Sequence[Layer], rules: Sequence[RuleInfo]) -> frozenset[str]:
    for layer in layers:
        _blame(layer, rules)
    return resolve(rules, [_selection(layer.options) for layer in layers])


def _with_fixes(settings: Settings, layers: Sequence[Layer], rules: Sequence[RuleInfo]) -> Settings:
    """What is said of the fixes of rules."""
    options = [layer.options for layer in layers]
    said = [
        Selection(None if "fixable" not in one else tuple(one["fixable"]), ignore=tuple(one.get("unfixable", ())))
        for one in options
    ]
    safe = tuple(name for one in options for name in one.get("extend-safe-fixes", ()))
    unsafe = tuple(name for one in options for name in one.get("extend-unsafe-fixes", ()))
    made_safe, made_unsafe = resolve_safety(rules, safe, unsafe)
    unfixable = resolve_unfixable(rules, said)
    return replace(settings, unfixable=unfixable, made_safe=made_safe, made_unsafe=made_unsafe)


def _selection(options: Mapping[str, Any]) -> Selection:
    select = options.get("select")
    return Selection(
        select=None if select is None else tuple(select),
        extend_select=tuple(options.get("extend-select", ())),
        ignore=tuple(options.get("ignore", ())),
    )


def _blame(layer: Layer, rules: Sequence[RuleInfo]) -> None:
    """Raise ConfigError, naming the key, for the first selector of `layer` that cannot be resolved."""
    for key in ("select", "extend-select", *_MEANT):
        names = tuple(layer.options.get(key, ()))
        try:
            resolve(rules, [Selection(ignore=names) if key in _MEANT else Selection(select=names)])
        except UnknownSelector as error:
            raise ConfigError(f"{layer.origin}: `{key}`: {error}") from None


def _with_values(settings: Settings, options: Mapping[str, Any]) -> Settings:
    plain = {
        "torch-version": "torch_version",
        "max-file-size": "max_file_size",
        "force-exclude": "force_exclude",
        "respect-gitignore": "respect_gitignore",
        "fix": "fix",
        "unsafe-fixes": "unsafe_fixes",
        "output-format": "output_format",
        "python": "python",
    }
    values: dict[str, Any] = {field: options[key] for key, field in plain.items() if key in options}
    if values.get("torch_version") == INSTALLED:
        values["torch_version"] = installed_torch()
    if "fail-on" in options:
        values["fail_on"] = Severity(options["fail-on"])
    if "checkpoints" in options:
        table = options["checkpoints"].items()
        values["checkpoints"] = tuple((key, (globs,) if isinstance(globs, str) else tuple(globs)) for key, globs in table)
    if "api" in options:
        names = {key.replace("-", "_"): tuple(value) for key, value in options["api"].items()}
        values["api"] = replace(settings.api, **names)
    return replace(settings, **values)


def _with_lists(settings: Settings, layer: Layer, rules: Sequence[RuleInfo]) -> Settings:
    options, values = layer.options, dict[str, Any]()
    if "test-paths" in options:
        values["test_paths"] = _patterns(layer, "test-paths")
    if "include" in options:
        values["include"] = _patterns(layer, "include")
    if "checkpoints-include" in options:
        values["checkpoint_files"] = (_patterns(layer, "checkpoints-include"),)
    exclude = (_patterns(layer, "exclude"),) if "exclude" in options else settings.exclude
    if "extend-exclude" in options:
        exclude += (_patterns(layer, "extend-exclude"),)
    if "trusted-paths" in options:
        trusted = options["trusted-paths"].items()
        values["trusted_paths"] = tuple(TrustedPath(Patterns(layer.base, (glob,)), reason) for glob, reason in trusted)
    ignores = settings.per_file_ignores
    if "per-file-ignores" in options:
        ignores = _ignores(layer, "per-file-ignores", rules)
    ignores += _ignores(layer, "extend-per-file-ignores", rules)
    return replace(settings, exclude=exclude, per_file_ignores=ignores, **values)


def _patterns(layer: Layer, key: str) -> Patterns:
    return Patterns(layer.base, tuple(layer.options[key]))


def _ignores(layer: Layer, key: str, rules: Sequence[RuleInfo]) -> tuple[PerFileIgnore, ...]:
    found = []
    for glob, names in layer.options.get(key, {}).items():
        try:
            codes = frozenset(code for name in names for code in meant_by(rules, name))
        except UnknownSelector as error:
            raise ConfigError(f"{layer.origin}: `{key}`: {error}") from None
        negated = glob.startswith("!")
        found.append(PerFileIgnore(Patterns(layer.base, (glob[1:] if negated else glob,)), codes, negated))
    return tuple(found)


def installed_torch() -> str:
    """The version of the torch that is installed beside ckpt-lint, which is not imported. Raises ConfigError."""
    from importlib import metadata

    try:
        return metadata.version("torch").partition("+")[0]
    except metadata.PackageNotFoundError:
        raise ConfigError("`torch-version`: torch is not installed beside ckpt-lint; give a version") from None
