"""The plain values that every layer shares. Standard library only, and nothing of ckpt_lint.

Offsets are characters of the decoded text of a file, newlines counted as they stand there. The text of a notebook is
its code cells, joined (see `ckpt_lint.source.text`); `Location.cell` says which of them a position is in.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping
from dataclasses import dataclass


class Severity(str, enum.Enum):
    """How bad a true finding is. `error`: a crash, a hang, foreign code, an unusable file, lost optimizer state."""

    ERROR = "error"
    WARNING = "warning"


class Applicability(str, enum.Enum):
    """How far a fix may be trusted; the spellings are those of ruff's JSON output."""

    SAFE = "safe"
    UNSAFE = "unsafe"
    DISPLAY = "display"


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """The half-open range `start:end` of characters in a file's decoded text."""

    start: int
    end: int


@dataclass(frozen=True, slots=True, order=True)
class Location:
    """A place as people count: row and column from 1; `cell` from 1 among all cells of a notebook, else None."""

    row: int
    column: int
    cell: int | None = None


@dataclass(frozen=True, slots=True, order=True)
class Edit:
    """Replace the characters of `span` by `text`; an empty span inserts."""

    span: Span
    text: str


@dataclass(frozen=True, slots=True)
class Fix:
    """Edits that are applied together or not at all."""

    applicability: Applicability
    message: str
    edits: tuple[Edit, ...]


@dataclass(frozen=True, slots=True)
class Related:
    """The other end of a finding: the matching save, the wrapping, the default. `path` is as the run names files."""

    path: str
    location: Location
    end_location: Location
    message: str


@dataclass(frozen=True, slots=True)
class Artifact:
    """Where in a checkpoint file a finding lies: zip member, byte offset in it, path of keys in the object."""

    member: str | None = None
    offset: int | None = None
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """One hazard at one place. `cause` groups findings that one change clears (for the closing lines of a run)."""

    code: str
    name: str
    severity: Severity
    message: str
    path: str
    span: Span
    location: Location
    end_location: Location
    noqa_row: int
    fix: Fix | None = None
    fix_withheld: str | None = None
    related: tuple[Related, ...] = ()
    call: Span | None = None
    cause: str | None = None
    artifact: Artifact | None = None

    @property
    def sort_key(self) -> tuple[str, int, int, int, str]:
        """Files by name, then cells, rows, columns, codes."""
        return (self.path, self.location.cell or 0, self.location.row, self.location.column, self.code)


class Status(str, enum.Enum):
    """The one state that a checked input ends in. Everything but `CHECKED` counts as "could not be checked"."""

    CHECKED = "checked"
    SYNTAX_ERROR = "syntax-error"
    UNREADABLE = "unreadable"
    BAD_ENCODING = "bad-encoding"
    BAD_NOTEBOOK = "bad-notebook"
    TOO_LARGE = "too-large"
    TOO_DEEP = "too-deep"
    NOT_FIXED = "not-fixed"
    INTERNAL_ERROR = "internal-error"


@dataclass(frozen=True, slots=True)
class Problem:
    """Why an input, or a part of it (a cell, a write), could not be dealt with: one line for people."""

    status: Status
    message: str
    location: Location | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one input.

    `parsed` is the number of source bytes that LibCST read (0: the gate let the file pass unread). `suppressed` are
    findings that a `noqa` silenced. `fixed` counts, per code, findings that a fix removed; `new_text` is the text
    with fixes in it, where it differs. `notes` are one-line remarks for the end of the run.
    """

    path: str
    findings: tuple[Finding, ...] = ()
    problems: tuple[Problem, ...] = ()
    suppressed: tuple[Finding, ...] = ()
    fixed: Mapping[str, int] = dataclasses.field(default_factory=dict)
    notes: tuple[str, ...] = ()
    parsed: int = 0

    @property
    def checked(self) -> bool:
        """Whether the whole input was checked: only then may it count as clean."""
        return not self.problems


@dataclass(frozen=True, slots=True)
class Page:
    """The documentation of a rule, and its first test: `bad` fires exactly this rule, `good` is silent.

    Where the rule has a fix, applying it to `bad` gives `good`. `silent` lists what does not fire, one clause a line.
    """

    summary: str
    why: str
    bad: str
    good: str
    silent: tuple[str, ...] = ()
    fix_safety: str = ""
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RuleInfo:
    """What every door needs to know of a rule without running it.

    `fix` is the best applicability that its fixes can have, None where it has none; `fix_shape` names what a fix
    does to the code, one of the shapes that `benchmarks/` and the tests hold real edits against. `in_tests` says
    whether it is on in test files. `artifact` says whether checkpoint files are a subject of it too.
    """

    code: str
    name: str
    severity: Severity
    on: bool
    page: Page
    fix: Applicability | None = None
    fix_shape: str | None = None
    groups: tuple[str, ...] = ()
    in_tests: bool = False
    artifact: bool = False
