"""The baseline: findings that somebody has decided to live with, in a file of their own.

Findings are matched by what they are about (`ckpt_lint.fingerprints`), never by row or cell. Of equal ones (the same
rule, statement, scope and file) as many are known as the file counts, the first in the file first. Paths are relative
to the folder of the baseline, so that it holds wherever it is used from.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ckpt_lint.config import ConfigError
from ckpt_lint.fingerprints import Fingerprint, Fingerprints
from ckpt_lint.model import Finding
from ckpt_lint.run import FileResult
from ckpt_lint.write import create_atomic

VERSION = 1


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """What makes findings equal. `path` has forward slashes."""

    path: str
    code: str
    scope: str
    digest: str


@dataclass
class Baseline:
    """How many equal findings there are of each kind, and the statements that people read in the file."""

    path: str
    counts: Counter[Key] = field(default_factory=Counter)
    statements: dict[Key, str] = field(default_factory=dict)

    def key(self, finding: Finding, print_of: Fingerprint) -> Key:
        """The key of a finding, in this file."""
        return Key(self.relative(finding.path), finding.code, print_of.scope, print_of.digest)

    def relative(self, path: str) -> str:
        """How this file names another file."""
        if "://" in path:
            return path
        folder = os.path.dirname(os.path.abspath(self.path))
        return os.path.relpath(os.path.abspath(path), folder).replace(os.sep, "/")

    def names_a_file(self, key: Key) -> bool:
        """Whether the file of an entry is still there, or lies where that cannot be told."""
        folder = os.path.dirname(os.path.abspath(self.path))
        return "://" in key.path or os.path.exists(os.path.join(folder, key.path))


def read(path: str) -> Baseline:
    """A baseline from its file. Raises ConfigError where there is none, or it is none."""
    try:
        with open(path, "rb") as stream:
            document = json.loads(stream.read().decode("utf-8-sig"))
    except FileNotFoundError:
        raise ConfigError(f"baseline {path}: no such file; --update-baseline writes it") from None
    except OSError as error:
        raise ConfigError(f"baseline {path}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"baseline {path}: not valid JSON: {error}") from None
    if not isinstance(document, dict) or not isinstance(document.get("findings"), list):
        raise ConfigError(f"baseline {path}: not a baseline of ckpt-lint: it has no list of `findings`")
    if document.get("version") != VERSION:
        raise ConfigError(f"baseline {path}: version {document.get('version')!r}, where {VERSION} is expected")
    baseline = Baseline(path)
    for number, row in enumerate(document["findings"], 1):
        if not _is_entry(row):
            raise ConfigError(f"baseline {path}: entry {number} is none: {json.dumps(row)[:80]}")
        key = Key(row["path"], row["code"], row["scope"], row["digest"])
        baseline.counts[key] += row["count"]
        baseline.statements[key] = row["statement"]
    return baseline


def _is_entry(row: Any) -> bool:
    if not isinstance(row, dict):
        return False
    texts = ("path", "code", "scope", "digest", "statement")
    counted = type(row.get("count")) is int and row["count"] > 0
    return counted and all(isinstance(row.get(key), str) for key in texts)


def write(baseline: Baseline) -> None:
    """Put the baseline into its file, whole or not at all. Raises ConfigError."""
    rows: list[Mapping[str, Any]] = [
        {
            "path": key.path,
            "code": key.code,
            "scope": key.scope,
            "statement": baseline.statements[key],
            "digest": key.digest,
            "count": number,
        }
        for key, number in sorted(baseline.counts.items())
        if number > 0
    ]
    text = json.dumps({"version": VERSION, "findings": rows}, indent=2) + "\n"
    try:
        create_atomic(baseline.path, text.encode())
    except OSError as error:
        raise ConfigError(f"baseline {baseline.path}: could not be written: {error.strerror or error}") from None


class Comparison:
    """A run against a baseline. `codes_for` says which rules are on in a file: only of these can a run tell."""

    def __init__(self, known: Baseline, codes_for: Callable[[str], frozenset[str]]) -> None:
        self.known = known
        self.found = Baseline(known.path)
        self.accepted = 0
        self._left = Counter(known.counts)
        self._codes_for = codes_for
        self._checked: dict[str, frozenset[str]] = {}

    def watch(self, results: Iterable[FileResult]) -> Iterator[FileResult]:
        """The results without the findings that are known."""
        for result in results:
            yield self._compared(result)

    def _compared(self, result: FileResult) -> FileResult:
        outcome = result.outcome
        if outcome.checked:
            self._checked[self.known.relative(outcome.path)] = self._codes_for(outcome.path)
        if not outcome.findings:
            return result
        prints, new = Fingerprints(result.source), []
        for finding in outcome.findings:
            fingerprint = prints.of(finding)
            key = self.known.key(finding, fingerprint)
            self.found.counts[key] += 1
            self.found.statements[key] = fingerprint.statement
            if self._left[key] > 0:
                self._left[key] -= 1
                self.accepted += 1
            else:
                new.append(finding)
        return dataclasses.replace(result, outcome=dataclasses.replace(outcome, findings=tuple(new)))

    def stale(self) -> list[tuple[Key, int]]:
        """Entries that nothing matches any more, as far as this run can tell, and how many findings are gone."""
        return [(key, number) for key, number in sorted(self._left.items()) if number > 0 and self._can_tell(key)]

    def _can_tell(self, key: Key) -> bool:
        return key.code in self._checked.get(key.path, ()) or not self.known.names_a_file(key)

    def updated(self) -> Baseline:
        """The baseline that accepts all of this run; what the run cannot tell of stays as it was."""
        counts = Counter({key: number for key, number in self.known.counts.items() if not self._can_tell(key)})
        statements = {**self.known.statements, **self.found.statements}
        return Baseline(self.known.path, counts | self.found.counts, statements)
