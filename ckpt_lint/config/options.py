"""The options that a configuration may hold, and the reading of one layer of them. Nothing here touches a file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ckpt_lint.select import nearest
from ckpt_lint.settings import too_wild

OUTPUT_FORMATS = (
    "full", "concise", "grouped", "json", "json-lines", "github", "gitlab", "junit", "pylint", "rdjson", "sarif", "markdown",
)  # fmt: skip
FAIL_ON = ("error", "warning")
INSTALLED = "installed"


class ConfigError(Exception):
    """A configuration, or a command line, that cannot be used: one line for people. Exit code 2."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What a value may be, in words, and its check, which returns what is wrong with a value, or None."""

    name: str
    check: Callable[[Any], str | None]


@dataclass(frozen=True, slots=True)
class Option:
    """One key: what its value may be, its default, what it does, and one line of TOML that sets it."""

    kind: Kind
    default: str
    doc: str
    example: str


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


def _patterns(value: Any) -> str | None:
    return _texts(value) or _wild(value)


def _wild(patterns: Iterable[str]) -> str | None:
    """Why one of the patterns is refused."""
    return next((why for pattern in patterns if (why := too_wild(pattern)) is not None), None)


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
    return _wild(value) if fine else 'expected a table of patterns and lists of codes, such as "tests/**" = ["CKP301"]'


def _reasons(value: Any) -> str | None:
    if not isinstance(value, dict) or not all(isinstance(reason, str) for reason in value.values()):
        return 'expected a table of patterns and reasons, such as "assets/*.pth" = "built by our release job"'
    empty = next((pattern for pattern, reason in value.items() if not reason.strip()), None)
    return _wild(value) if empty is None else f"`{empty}` needs a reason"


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

_TEXT = Kind("string", _text)
_FLAG = Kind("true or false", _flag)
_RULES = Kind("list of rules", _texts)
_PATTERNS = Kind("list of patterns", _patterns)
_CODES = Kind("table of patterns and lists of rules", _codes_by_pattern)

OPTIONS: Mapping[str, Option] = {
    "extend": Option(
        _TEXT,
        "none",
        "Another configuration file whose options hold where this one has none.",
        'extend = "../ckpt-lint.toml"',
    ),
    "select": Option(
        _RULES,
        '["CKP"]',
        "Rules that are on, by code, prefix, name or group.",
        'select = ["CKP", "CKP105", "security"]',
    ),
    "extend-select": Option(_RULES, "[]", "Rules that are on besides those of `select`.", 'extend-select = ["CKP105"]'),
    "ignore": Option(_RULES, "[]", "Rules that are off.", 'ignore = ["missing-scheduler-state"]'),
    "fixable": Option(_RULES, '["ALL"]', "Rules whose fixes are shown and applied.", 'fixable = ["CKP3"]'),
    "unfixable": Option(_RULES, "[]", "Rules whose fixes are neither shown nor applied.", 'unfixable = ["CKP201"]'),
    "extend-safe-fixes": Option(
        _RULES, "[]", "Rules whose unsafe fixes count as safe.", 'extend-safe-fixes = ["CKP303"]'
    ),
    "extend-unsafe-fixes": Option(
        _RULES,
        "[]",
        "Rules whose safe fixes count as unsafe; wins over the former.",
        'extend-unsafe-fixes = ["CKP106"]',
    ),
    "per-file-ignores": Option(
        _CODES,
        "{}",
        "Rules that are off in some files; `!` before a pattern negates it.",
        'per-file-ignores = { "scripts/**" = ["CKP2"], "!src/**" = ["CKP105"] }',
    ),
    "extend-per-file-ignores": Option(
        _CODES,
        "{}",
        "More of the same, added to what is there.",
        'extend-per-file-ignores = { "legacy/**" = ["ALL"] }',
    ),
    "test-paths": Option(
        _PATTERNS,
        '["tests/**", "test_*.py", "*_test.py", "conftest.py"]',
        "Files in which only the rules for tests are on.",
        'test-paths = ["tests/**", "checks/**"]',
    ),
    "trusted-paths": Option(
        Kind("table of patterns and reasons", _reasons),
        "{}",
        "Checkpoint files shipped with the project, and why full pickle is fine for them (CKP302-305).",
        'trusted-paths = { "assets/*.pth" = "built by our release job" }',
    ),
    "torch-version": Option(
        Kind("a version, a range, or `installed`", _torch_version),
        "what the manifests declare",
        "The torch that the project runs on; wins over what the manifests declare.",
        'torch-version = ">=2.6"',
    ),
    "max-file-size": Option(
        Kind("number of bytes", _size),
        "1000000",
        "Bytes of code above which a file is not checked, and reported as such.",
        "max-file-size = 2_000_000",
    ),
    "include": Option(
        _PATTERNS, '["*.py", "*.pyw", "*.ipynb"]', "Files that a folder is searched for.", 'include = ["*.py"]'
    ),
    "checkpoints-include": Option(
        _PATTERNS,
        "[]",
        "Checkpoint files that a folder is searched for, too.",
        'checkpoints-include = ["weights/**/*.pt"]',
    ),
    "exclude": Option(
        _PATTERNS,
        "version control, virtual environments, caches",
        "Files and folders that are passed by.",
        'exclude = ["build", "third_party"]',
    ),
    "extend-exclude": Option(
        _PATTERNS,
        "[]",
        "Files and folders that are passed by besides those of `exclude`.",
        'extend-exclude = ["third_party"]',
    ),
    "force-exclude": Option(
        _FLAG, "false", "Pass excluded files by even where the command line names them.", "force-exclude = true"
    ),
    "respect-gitignore": Option(_FLAG, "true", "Pass by what `.gitignore` ignores.", "respect-gitignore = false"),
    "fix": Option(_FLAG, "false", "Apply safe fixes.", "fix = true"),
    "unsafe-fixes": Option(_FLAG, "false", "Show and apply unsafe fixes too.", "unsafe-fixes = true"),
    "fail-on": Option(
        Kind('"error" or "warning"', _one_of(FAIL_ON)),
        '"warning"',
        "The least severity that makes the exit code 1.",
        'fail-on = "error"',
    ),
    "output-format": Option(
        Kind("name of a format", _one_of(OUTPUT_FORMATS)),
        '"full"',
        "How findings are shown.",
        'output-format = "concise"',
    ),
    "python": Option(
        _TEXT,
        "the active environment",
        "The interpreter that has torch, for `ckpt-lint verify`; run only with `--trust-project-python`.",
        'python = ".venv/bin/python"',
    ),
    "checkpoints": Option(
        Kind("table of files or functions and patterns", _globs),
        "{}",
        "Where in the repository the checkpoints of a file or function lie, for `ckpt-lint verify`: names to globs.",
        'checkpoints = { "train.py" = ["runs/*/last.pt"], "eval.restore" = ["weights/*.pth"] }',
    ),
    "api": Option(
        Kind("table of lists of dotted names", _names),
        "{}",
        "The project's own names for savers, loaders and the like.",
        'api = { loaders = ["mylib.io.load_checkpoint"], rank-guards = ["mylib.dist.is_main"] }',
    ),
}


def check_options(options: Mapping[str, Any], origin: str) -> None:
    """Raise ConfigError for a key that does not exist, or a value of the wrong kind."""
    for key, value in options.items():
        option = OPTIONS.get(key)
        if option is None:
            raise ConfigError(f"{origin}: {unknown_key(key, OPTIONS)}")
        problem = option.kind.check(value)
        if problem:
            raise ConfigError(f"{origin}: `{key}`: {problem}")


def unknown_key(key: str, known: Mapping[str, Any]) -> str:
    """What to say of a key that does not exist: the near one, or all there are."""
    near = nearest(key, known)
    return f"unknown key `{key}`" + (f"; did you mean `{near}`?" if near else f"; known are {', '.join(sorted(known))}")
