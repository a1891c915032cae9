"""The options that a configuration may hold, and the reading of one layer of them. Nothing here touches a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ckpt_lint.select import nearest

OUTPUT_FORMATS = (
    "full", "concise", "grouped", "json", "json-lines", "github", "gitlab", "junit", "pylint", "rdjson", "sarif", "markdown",
)  # fmt: skip
FAIL_ON = ("error", "warning")
INSTALLED = "installed"


class ConfigError(Exception):
    """A configuration, or a command line, that cannot be used: one line for people. Exit code 2."""


@dataclass(frozen=True, slots=True)
class Option:
    """One key: how its value is checked (the check returns what is wrong with it, or None), and what it does."""

    check: Callable[[Any], str | None]
    default: str
    doc: str


@dataclass(frozen=True, slots=True)
class Layer:
    """The options of one place: a file, or the command line. Patterns in it are relative to the folder `base`.

    `origin` is how messages name the place; `file` is the path of the file that it came from, None for the command
    line.
    """

    origin: str
    base: str
    options: Mapping[str, Any]
    file: str | None = None


def _text(value: Any) -> str | None:
    return None if isinstance(value, str) else "expected a string"


def _flag(value: Any) -> str | None:
    return None if isinstance(value, bool) else "expected true or false"


def _texts(value: Any) -> str | None:
    fine = isinstance(value, list) and all(isinstance(item, str) for item in value)
    return None if fine else "expected a list of strings"


def _globs(value: Any) -> str | None:
    if not isinstance(value, dict):
        return "expected a table of files or functions to globs"
    fine = all(isinstance(item, str) or _texts(item) is None for item in value.values())
    return None if fine else "expected a glob, or a list of globs, for every file or function"


def _size(value: Any) -> str | None:
    fine = isinstance(value, int) and not isinstance(value, bool) and value > 0
    return None if fine else "expected a number of bytes above 0"


def _codes_by_pattern(value: Any) -> str | None:
    fine = isinstance(value, dict) and all(_texts(codes) is None for codes in value.values())
    return None if fine else 'expected a table of patterns and lists of codes, such as "tests/**" = ["CKP301"]'


def _reasons(value: Any) -> str | None:
    if not isinstance(value, dict) or not all(isinstance(reason, str) for reason in value.values()):
        return 'expected a table of patterns and reasons, such as "assets/*.pth" = "built by our release job"'
    empty = next((pattern for pattern, reason in value.items() if not reason.strip()), None)
    return None if empty is None else f"`{empty}` needs a reason"


def _one_of(choices: tuple[str, ...]) -> Callable[[Any], str | None]:
    def check(value: Any) -> str | None:
        if value in choices:
            return None
        near = nearest(value, choices) if isinstance(value, str) else None
        hint = f"did you mean `{near}`?" if near else f"expected one of {', '.join(choices)}"
        return f"`{value}` is unknown; {hint}"

    return check


def _torch_version(value: Any) -> str | None:
    if not isinstance(value, str):
        return 'expected a string such as "2.6" or ">=2.4,<2.8"'
    if value == INSTALLED:
        return None
    from ckpt_lint.project.bounds import parse_override

    try:
        parse_override(value)
    except ValueError as error:
        return str(error)
    return None


def _names(value: Any) -> str | None:
    if not isinstance(value, dict):
        return "expected a table"
    for key, names in value.items():
        if key not in API_NAMES:
            return unknown_key(key, API_NAMES)
        problem = _texts(names)
        if problem:
            return f"`{key}`: {problem}"
        wrong = next((name for name in names if not _is_dotted(name)), None)
        if wrong is not None:
            return f"`{key}`: `{wrong}` is no dotted name such as `project.io.load_checkpoint`"
    return None


def _is_dotted(name: str) -> bool:
    return all(part.isidentifier() for part in name.split("."))


API_NAMES: Mapping[str, str] = {
    "loaders": "Functions that read a checkpoint as `torch.load` does.",
    "savers": "Functions that write their argument to a checkpoint as `torch.save` does.",
    "rank-guards": "Functions, decorators or attributes that are true on one rank only.",
    "unwrappers": "Functions that return the module inside DataParallel, DDP or a compiled module.",
    "download-helpers": "Functions that return a path or bytes that came over the network.",
}

OPTIONS: Mapping[str, Option] = {
    "extend": Option(_text, "none", "Another configuration file whose options hold where this one has none."),
    "select": Option(_texts, '["CKP"]', "Rules that are on, by code, prefix, name or group."),
    "extend-select": Option(_texts, "[]", "Rules that are on besides those of `select`."),
    "ignore": Option(_texts, "[]", "Rules that are off."),
    "fixable": Option(_texts, '["ALL"]', "Rules whose fixes are shown and applied."),
    "unfixable": Option(_texts, "[]", "Rules whose fixes are neither shown nor applied."),
    "extend-safe-fixes": Option(_texts, "[]", "Rules whose unsafe fixes count as safe."),
    "extend-unsafe-fixes": Option(_texts, "[]", "Rules whose safe fixes count as unsafe; wins over the former."),
    "per-file-ignores": Option(
        _codes_by_pattern, "{}", "Rules that are off in some files; `!` before a pattern negates it."
    ),
    "extend-per-file-ignores": Option(_codes_by_pattern, "{}", "More of the same, added to what is there."),
    "test-paths": Option(
        _texts,
        '["tests/**", "test_*.py", "*_test.py", "conftest.py"]',
        "Files in which only the rules for tests are on.",
    ),
    "trusted-paths": Option(
        _reasons, "{}", "Checkpoint files shipped with the project, and why full pickle is fine for them (CKP302-305)."
    ),
    "torch-version": Option(
        _torch_version,
        "what the manifests declare",
        "The torch that the project runs on: a version, a range, or `installed`.",
    ),
    "max-file-size": Option(_size, "1000000", "Bytes of code above which a file is not checked, and reported as such."),
    "include": Option(_texts, '["*.py", "*.pyw", "*.ipynb"]', "Files that a folder is searched for."),
    "checkpoints-include": Option(_texts, "[]", "Checkpoint files that a folder is searched for, too."),
    "exclude": Option(_texts, "version control, virtual environments, caches", "Files and folders that are passed by."),
    "extend-exclude": Option(_texts, "[]", "Files and folders that are passed by besides those of `exclude`."),
    "force-exclude": Option(_flag, "false", "Pass excluded files by even where the command line names them."),
    "respect-gitignore": Option(_flag, "true", "Pass by what `.gitignore` ignores."),
    "fix": Option(_flag, "false", "Apply safe fixes."),
    "unsafe-fixes": Option(_flag, "false", "Show and apply unsafe fixes too."),
    "fail-on": Option(_one_of(FAIL_ON), '"warning"', "The least severity that makes the exit code 1."),
    "output-format": Option(_one_of(OUTPUT_FORMATS), '"full"', "How findings are shown."),
    "python": Option(_text, "the active environment", "The interpreter that has torch, for `ckpt-lint verify`."),
    "checkpoints": Option(
        _globs, "{}", "Where the checkpoints of a file or function lie, for `ckpt-lint verify`: names to globs."
    ),
    "api": Option(_names, "{}", "The project's own names for savers, loaders and the like."),
}


def check_options(options: Mapping[str, Any], origin: str) -> None:
    """Raise ConfigError for a key that does not exist, or a value of the wrong kind."""
    for key, value in options.items():
        option = OPTIONS.get(key)
        if option is None:
            raise ConfigError(f"{origin}: {unknown_key(key, OPTIONS)}")
        problem = option.check(value)
        if problem:
            raise ConfigError(f"{origin}: `{key}`: {problem}")


def unknown_key(key: str, known: Mapping[str, Any]) -> str:
    """What to say of a key that does not exist: the near one, or all there are."""
    near = nearest(key, known)
    return f"unknown key `{key}`" + (f"; did you mean `{near}`?" if near else f"; known are {', '.join(sorted(known))}")
