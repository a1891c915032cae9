"""Ranges of versions: what pip, Poetry and conda write, read as one lower and one upper bound.

`!=` and the holes of an `||` are not kept: a rule asks whether some allowed torch is older or newer than a version,
and a range may say "yes" where a hole would say "no". Local parts, pre- and post-releases are cut off: 2.6.0.dev1 and
2.6.0+cu124 behave as 2.6.0 does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from packaging.version import InvalidVersion, Version

_CLAUSE = re.compile(r"\s*(===|~=|==|!=|<=|>=|<|>|=|\^|~)?\s*v?([0-9][^\s,|]*|\*)\s*$")


@dataclass(frozen=True, slots=True)
class VersionRange:
    """Versions between two bounds; None is no bound. The lower one is included unless `above` says otherwise."""

    lower: Version | None = None
    upper: Version | None = None
    above: bool = False
    through: bool = False

    @property
    def bounded(self) -> bool:
        """Whether there is any bound."""
        return self.lower is not None or self.upper is not None

    @property
    def empty(self) -> bool:
        """Whether no version lies between the bounds."""
        if self.lower is None or self.upper is None:
            return False
        return self.lower > self.upper or (self.lower == self.upper and (self.above or not self.through))

    def admits(self, version: Version) -> bool:
        """Whether `version` lies in the range."""
        if self.lower is not None and (version < self.lower or (self.above and version == self.lower)):
            return False
        return self.upper is None or version < self.upper or (self.through and version == self.upper)

    def __and__(self, other: VersionRange) -> VersionRange:
        """Return the versions that lie in both."""
        low = self if _starts_later(self, other) else other
        high = self if _ends_sooner(self, other) else other
        return VersionRange(low.lower, high.upper, low.above, high.through)

    def __or__(self, other: VersionRange) -> VersionRange:
        """Return the smallest range that holds both."""
        low = other if _starts_later(self, other) else self
        high = other if _ends_sooner(self, other) else self
        return VersionRange(low.lower, high.upper, low.above, high.through)

    def __str__(self) -> str:
        if self.lower is not None and self.lower == self.upper:
            return f"=={self.lower}"
        parts = []
        if self.lower is not None:
            parts.append(f"{'>' if self.above else '>='}{self.lower}")
        if self.upper is not None:
            parts.append(f"{'<=' if self.through else '<'}{self.upper}")
        return ",".join(parts)


ANY = VersionRange()


def plain_version(text: str) -> Version | None:
    """Read a version and cut it to its release; None where it is none."""
    try:
        return Version(Version(text).base_version)
    except InvalidVersion:
        return None


def exact_range(text: str) -> VersionRange | None:
    """The one version that a lock file, a wheel's name or a tag pins."""
    version = plain_version(text)
    return None if version is None else VersionRange(version, version, through=True)


def pip_range(text: str) -> VersionRange | None:
    """Read PEP 440 clauses joined by commas (`>=1.8,<2`); "" has no bound; None where a clause is not understood."""
    return _all_clauses(text, _pip_clause)


def poetry_range(text: str) -> VersionRange | None:
    """Read a Poetry constraint: PEP 440 clauses, `^`, `~`, `*`, a bare version (exact), alternatives after `||`."""
    return _alternatives(re.split(r"\|\|?", text), _poetry_clause)


def conda_range(text: str) -> VersionRange | None:
    """Read a conda version: `1.8` and `=1.8` mean 1.8.*, `==1.8` is exact, `,` is and, `|` is or."""
    return _alternatives(text.split("|"), _conda_clause)


def _alternatives(parts: list[str], read: Callable[[str, str], VersionRange | None]) -> VersionRange | None:
    united: VersionRange | None = None
    for part in parts:
        one = _all_clauses(part, read)
        if one is None:
            return None
        united = one if united is None else united | one
    return united


def _all_clauses(text: str, read: Callable[[str, str], VersionRange | None]) -> VersionRange | None:
    result = ANY
    for clause in _split_clauses(text):
        match = _CLAUSE.match(clause)
        one = read(match[1] or "", match[2]) if match else None
        if one is None:
            return None
        result = result & one
    return result


def _split_clauses(text: str) -> Iterable[str]:
    # Poetry lets blanks stand for commas: ">=1.8 <2.0".
    return [part for part in re.split(r",|(?<=[0-9*])\s+(?=[<>=!~^])", text) if part.strip()]


def _pip_clause(operator: str, text: str) -> VersionRange | None:
    if operator in ("==", "===") and text.endswith(".*"):
        return _same_release(text[:-2])
    version = plain_version(text)
    if version is None or operator in ("", "=", "^", "~"):
        return None
    if operator in ("==", "==="):
        return VersionRange(version, version, through=True)
    if operator == "~=":
        return None if len(version.release) < 2 else VersionRange(version, _next(version.release[:-1]))
    return _comparison(operator, version)


def _comparison(operator: str, version: Version) -> VersionRange:
    if operator == ">=":
        return VersionRange(lower=version)
    if operator == ">":
        return VersionRange(lower=version, above=True)
    if operator == "<=":
        return VersionRange(upper=version, through=True)
    return VersionRange(upper=version) if operator == "<" else ANY


def _poetry_clause(operator: str, text: str) -> VersionRange | None:
    if text == "*":
        return ANY
    if operator in ("", "=", "==") and text.endswith(".*"):
        return _same_release(text[:-2])
    if operator in ("", "="):
        return exact_range(text)
    if operator not in ("^", "~"):
        return _pip_clause(operator, text)
    version = plain_version(text)
    if version is None:
        return None
    if operator == "~":
        return VersionRange(version, _next(version.release[:2]))
    return VersionRange(version, _caret_end(version.release))


def _conda_clause(operator: str, text: str) -> VersionRange | None:
    if text == "*":
        return ANY
    release = text.rstrip("*").rstrip(".")
    if operator in ("", "=") or (operator == "==" and release != text):
        return _same_release(release)
    return _pip_clause(operator, release)


def _same_release(text: str) -> VersionRange | None:
    version = plain_version(text)
    return None if version is None else VersionRange(version, _next(version.release))


def _caret_end(release: tuple[int, ...]) -> Version:
    """The version that `^` excludes: the leftmost number that is not 0 grows (^0.4 ends at 0.5, ^0 at 1)."""
    for place, number in enumerate(release):
        if number:
            return _next(release[: place + 1])
    return _next(release)


def _next(release: tuple[int, ...]) -> Version:
    return Version(".".join(map(str, (*release[:-1], release[-1] + 1))))


def _starts_later(one: VersionRange, other: VersionRange) -> bool:
    if one.lower is None or other.lower is None:
        return other.lower is None
    return (one.lower, one.above) > (other.lower, other.above)


def _ends_sooner(one: VersionRange, other: VersionRange) -> bool:
    if one.upper is None or other.upper is None:
        return other.upper is None
    return (one.upper, one.through) < (other.upper, other.through)
