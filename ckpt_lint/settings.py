"""What a run is told to do: the values that the engine and the rules read. `ckpt_lint.config` makes them from TOML."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ckpt_lint.model import Applicability, Fix, RuleInfo, Severity

if TYPE_CHECKING:
    import pathspec

DEFAULT_TEST_PATHS = ("tests/**", "test_*.py", "*_test.py", "conftest.py")
DEFAULT_EXCLUDE = (
    ".bzr", ".direnv", ".eggs", ".git", ".git-rewrite", ".hg", ".ipynb_checkpoints", ".mypy_cache", ".nox", ".pants.d",
    ".pyenv", ".pytest_cache", ".pytype", ".ruff_cache", ".svn", ".tox", ".venv", ".vscode", "__pypackages__",
    "_build", "buck-out", "dist", "node_modules", "site-packages", "venv",
)  # fmt: skip
DEFAULT_INCLUDE = ("*.py", "*.pyw", "*.ipynb")
CHECKPOINT_FILES = (
    "*.pt", "*.pth", "*.ckpt", "*.bin", "*.safetensors", "*.pt2", "*.pth.tar", "*.pt.tar", ".metadata", "*.distcp",
)  # fmt: skip
"""Names of checkpoint files, as `--checkpoints` takes them out of a folder."""
DEFAULT_MAX_FILE_SIZE = 1_000_000


MOST_STARS, MOST_DEEP_STARS = 4, 6
"""Wildcards in one part of a pattern, and parts that are `**`: each more multiplies the time that a long name takes."""


def too_wild(glob: str) -> str | None:
    """Why a pattern is refused: matching it against some name could take for ever; None where it is fine."""
    parts = glob.split("/")
    if sum(part == "**" for part in parts) > MOST_DEEP_STARS:
        return f"`{glob:.60}` has more than {MOST_DEEP_STARS} `**`"
    if any(len(_STARS.findall(part)) > MOST_STARS for part in parts):
        return f"`{glob:.60}` has more than {MOST_STARS} `*` between two slashes"
    return None


_STARS = re.compile(r"\*+")


@functools.lru_cache(maxsize=256)
def _spec(globs: tuple[str, ...]) -> pathspec.GitIgnoreSpec:
    import pathspec

    return pathspec.GitIgnoreSpec.from_lines(globs)


def _is_plain(path: str) -> bool:
    """Whether an absolute path has no part that `os.path.abspath` would change; this is asked of every file."""
    return path.startswith(os.sep) and f"{os.sep}." not in path and os.sep * 2 not in path and path[-1] != os.sep


@dataclass(frozen=True, slots=True)
class Patterns:
    """Patterns in the grammar of `.gitignore`, relative to the absolute folder `base`."""

    base: str = "/"
    globs: tuple[str, ...] = ()

    def matches(self, path: str) -> bool:
        """Whether `path` (absolute, or relative to the working folder) is meant; outside `base` its name decides."""
        return bool(self.globs) and _spec(self.globs).match_file(self._relative(path))

    def without(self, path: str) -> Patterns:
        """These patterns, less those that mean `path`: somebody named it, and it is to be taken all the same."""
        relative = self._relative(path)
        return Patterns(self.base, tuple(glob for glob in self.globs if not _spec((glob,)).match_file(relative)))

    def _relative(self, path: str) -> str:
        if "://" in path:  # the same wherever the process stands
            return path.replace("://", ":/", 1)
        prefix = self.base.rstrip(os.sep) + os.sep
        absolute = path if _is_plain(path) else os.path.abspath(path)
        if absolute == self.base:
            return os.curdir
        return absolute[len(prefix) :] if absolute.startswith(prefix) else os.path.basename(absolute)


@dataclass(frozen=True, slots=True)
class PerFileIgnore:
    """Codes that are off in the files that `patterns` means, or, where `negated`, in all others."""

    patterns: Patterns
    codes: frozenset[str]
    negated: bool = False

    def applies_to(self, path: str) -> bool:
        """Whether `codes` are off in `path`."""
        return self.patterns.matches(path) != self.negated


@dataclass(frozen=True, slots=True)
class TrustedPath:
    """Checkpoint files that are shipped with the project, and why loading them with full pickle is accepted."""

    patterns: Patterns
    reason: str


@dataclass(frozen=True, slots=True)
class ApiNames:
    """A project's own names (dotted, as they are imported) for what torch and the known libraries do."""

    loaders: tuple[str, ...] = ()
    savers: tuple[str, ...] = ()
    rank_guards: tuple[str, ...] = ()
    unwrappers: tuple[str, ...] = ()
    download_helpers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that decides what is found in a file; the same value gives the same findings.

    `selected` are the codes that are on, `in_tests` those that stay on in `test_paths`. `torch_version` is a version or
    a range ("2.6", ">=2.4,<2.8") that wins over the manifests, None where nobody gave one. `max_file_size` is in bytes.
    `gate` lets files without a word of checkpoints pass unread, and `noqa` says whether suppression comments count.
    The fixes of `unfixable` codes are left out; those of `made_safe` and `made_unsafe` ones are taken for such.
    `source` names the configuration file, None where there is none. `python` and `checkpoints` (file or function to
    globs, relative to `root`) are for the verifier. `checkpoint_files` are the checkpoint files that a folder is searched
    for: by default none. `foreign` are the keys, of those that could make us run or read something, that a file of the
    repository gave and nobody who started the run.
    """

    selected: frozenset[str] = frozenset()
    in_tests: frozenset[str] = frozenset()
    per_file_ignores: tuple[PerFileIgnore, ...] = ()
    unfixable: frozenset[str] = frozenset()
    made_safe: frozenset[str] = frozenset()
    made_unsafe: frozenset[str] = frozenset()
    test_paths: Patterns = Patterns(globs=DEFAULT_TEST_PATHS)
    trusted_paths: tuple[TrustedPath, ...] = ()
    api: ApiNames = ApiNames()
    torch_version: str | None = None
    max_file_size: int = DEFAULT_MAX_FILE_SIZE
    gate: bool = True
    noqa: bool = True
    include: Patterns = Patterns(globs=DEFAULT_INCLUDE)
    exclude: tuple[Patterns, ...] = (Patterns(globs=DEFAULT_EXCLUDE),)
    force_exclude: bool = False
    respect_gitignore: bool = True
    fix: bool = False
    unsafe_fixes: bool = False
    fail_on: Severity = Severity.WARNING
    output_format: str = "full"
    root: str = "/"
    source: str | None = None
    python: str | None = None
    checkpoints: tuple[tuple[str, tuple[str, ...]], ...] = ()
    checkpoint_files: tuple[Patterns, ...] = ()
    foreign: frozenset[str] = frozenset()

    @classmethod
    def isolated(cls, rules: Iterable[RuleInfo], *, root: str = "/") -> Settings:
        """The defaults, with no configuration file read: the rules that are on by default."""
        known = tuple(rules)
        return cls(
            selected=frozenset(rule.code for rule in known if rule.on),
            in_tests=frozenset(rule.code for rule in known if rule.in_tests),
            test_paths=Patterns(root, DEFAULT_TEST_PATHS),
            include=Patterns(root, DEFAULT_INCLUDE),
            exclude=(Patterns(root, DEFAULT_EXCLUDE),),
            root=root,
        )

    def codes_for(self, path: str) -> frozenset[str]:
        """The codes that are on in the file `path`."""
        codes = self.selected
        if self.test_paths.matches(path):
            codes &= self.in_tests
        for ignore in self.per_file_ignores:
            if codes & ignore.codes and ignore.applies_to(path):
                codes -= ignore.codes
        return codes

    def adjusted(self, code: str, fix: Fix | None) -> Fix | None:
        """The fix of the rule `code` as it counts here; one to be finished by hand stays that."""
        if fix is None or code in self.unfixable:
            return None
        if fix.applicability is Applicability.UNSAFE and code in self.made_safe:
            return replace(fix, applicability=Applicability.SAFE)
        if fix.applicability is Applicability.SAFE and code in self.made_unsafe:
            return replace(fix, applicability=Applicability.UNSAFE)
        return fix

    def trusted(self, checkpoint: str) -> str | None:
        """The reason why the checkpoint file `checkpoint` (a path as the code writes it) is trusted, or None."""
        target = checkpoint if os.path.isabs(checkpoint) else os.path.join(self.root, checkpoint)
        return next((trusted.reason for trusted in self.trusted_paths if trusted.patterns.matches(target)), None)

    def takes_checkpoint(self, path: str) -> bool:
        """Whether discovery takes the file `path` out of a folder as a checkpoint file."""
        return any(patterns.matches(path) for patterns in self.checkpoint_files)

    def excludes(self, path: str) -> bool:
        """Whether discovery passes `path`, a file or a folder, by."""
        return any(patterns.matches(path) for patterns in self.exclude)
