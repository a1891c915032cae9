"""How findings are shown: the options that all formats share, and the words that they share."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass

from ckpt_lint.model import Applicability, Finding, Fix, Location, RuleInfo, Status

DOCUMENTATION_URL: str | None = None
"""Where the rule pages are published, with a `{name}` in it; None as long as they are not."""

_CONTROL = re.compile(
    r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufff9-\ufffb\U000e0000-\U000e007f]"
)
_COMMAND = re.compile(r"(\s*)(?::(?=:)|#(?=#\[))")
"""What a line in the log of a GitHub workflow begins with that the runner obeys."""


@dataclass(frozen=True, slots=True)
class Look:
    """What all formats are told: `folder` is the working folder, `unsafe` whether unsafe fixes are in play.

    `terminal` says that somebody reads it right away, and no program does.
    """

    rules: Sequence[RuleInfo]
    folder: str = "/"
    color: bool = False
    unsafe: bool = False
    terminal: bool = False

    def absolute(self, path: str) -> str:
        """A path as tools want it; `-` and URLs stay what they are."""
        return path if path == "-" or "://" in path else os.path.normpath(os.path.join(self.folder, path))

    def offered(self, fix: Fix | None) -> bool:
        """Whether `--fix` would apply the fix, with the safety that was asked for."""
        if fix is None:
            return False
        return fix.applicability is Applicability.SAFE or (self.unsafe and fix.applicability is Applicability.UNSAFE)

    def paint(self, text: str, style: str) -> str:
        """The text in the colour of `style`, where colours are on."""
        return f"\x1b[{_STYLES[style]}m{text}\x1b[0m" if self.color and text and style else text


_STYLES = {
    "error": "1;31",
    "warning": "1;33",
    "code": "1;31",
    "bold": "1",
    "place": "36",
    "frame": "1;34",
    "fixable": "36",
    "added": "32",
    "removed": "31",
}


def printable(text: str) -> str:
    """The text without what a terminal or a log would obey.

    These are control characters, reversals of the writing direction, and the start of a workflow command of GitHub's.
    """
    shown = _CONTROL.sub(_spelled, text)
    command = _COMMAND.match(shown)
    return shown if command is None else f"{command[1]}\\x{ord(shown[command.end() - 1]):02x}{shown[command.end() :]}"


def _spelled(match: re.Match[str]) -> str:
    number = ord(match[0])
    return f"\\x{number:02x}" if number < 256 else f"\\u{number:04x}" if number < 65536 else f"\\U{number:08x}"


def json_safe(text: str) -> str:
    """JSON text with what a terminal would obey spelled as JSON escapes: it can stand in strings only."""
    return _CONTROL.sub(lambda match: match[0] if match[0] == "\n" else json.dumps(match[0])[1:-1], text)


def place(path: str, location: Location | None) -> str:
    """`path:row:column` in ruff's spelling, with the cell of a notebook."""
    if location is None:
        return printable(path)
    cell = f"cell {location.cell}:" if location.cell is not None else ""
    return f"{printable(path)}:{cell}{location.row}:{location.column}"


def problem_code(status: Status) -> str:
    """The code of an input that could not be checked; ruff's word where ruff has one."""
    return "invalid-syntax" if status is Status.SYNTAX_ERROR else status.value


def headline(finding: Finding, look: Look, *, severity: bool = False) -> str:
    """`CKP302 [*] message`, or with its severity `CKP302 [*] error: message`."""
    mark = look.paint("[*]", "fixable") + " " if look.offered(finding.fix) else ""
    word = f"{finding.severity.value}: " if severity else ""
    return f"{look.paint(finding.code, finding.severity.value)} {mark}{word}{printable(finding.message)}"


def url_of(name: str) -> str | None:
    """The published page of a rule."""
    return None if DOCUMENTATION_URL is None else DOCUMENTATION_URL.format(name=name)
