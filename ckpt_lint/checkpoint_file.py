"""One checkpoint file, from its path to its outcome: the findings of `ckpt_lint.artifact`, named by the catalogue.

Imported only when a run meets such a file. The settings that hold for code hold here: the selection, per-file-ignores
and test paths. A trusted path is one whose full pickle somebody answers for: there CKP501 is suppressed.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Sequence

from ckpt_lint.artifact import ArtifactFacts, read_artifact
from ckpt_lint.artifact.deep import DeepFacts, read_deep
from ckpt_lint.artifact.judge import FileFinding, findings, unreadable
from ckpt_lint.artifact.remote import RemoteError, is_remote, read_deep_remote, read_remote
from ckpt_lint.model import Finding, Location, Outcome, Problem, RuleInfo, Span, Status
from ckpt_lint.rule_table import ALL
from ckpt_lint.settings import Settings

_START = Location(1, 1)
_FOREIGN_CODE = "CKP501"


def check_file(path: str, settings: Settings, *, deep: bool) -> Outcome:
    """What became of one file, folder of a distributed checkpoint, or URL. `deep` reads the tensors, too."""
    try:
        facts, data = _read_remote(path, deep=deep) if is_remote(path) else _read_local(path, deep=deep)
    except RemoteError as error:
        return _unread(path, str(error))
    except OSError as error:
        return _unread(path, error.strerror or str(error))
    return _judged(path, facts, data, settings, notes=_notes(path, settings))


def _read_local(path: str, *, deep: bool) -> tuple[ArtifactFacts, DeepFacts | None]:
    facts = read_artifact(path)
    return facts, read_deep(path, facts) if deep else None


def _read_remote(url: str, *, deep: bool) -> tuple[ArtifactFacts, DeepFacts | None]:
    facts = read_remote(url)
    return facts, read_deep_remote(url, facts) if deep else None


def siblings(path: str) -> Sequence[str]:
    """The names of the files beside a local one."""
    folder = os.path.dirname(os.path.abspath(path))
    try:
        return _names(folder, os.stat(folder).st_mtime_ns)
    except OSError:
        return ()


def forget_folders() -> None:
    """Look at folders anew: for a process that lives longer than a run."""
    _names.cache_clear()


@functools.lru_cache(maxsize=8)
def _names(folder: str, changed: int) -> tuple[str, ...]:
    """What a folder holds; `changed` is when it did so last, for a run that goes on while files come and go."""
    return tuple(sorted(os.listdir(folder)))


def _judged(
    path: str, facts: ArtifactFacts, data: DeepFacts | None, settings: Settings, *, notes: tuple[str, ...]
) -> Outcome:
    codes = settings.codes_for(path)
    beside = () if is_remote(path) else siblings(path)
    found = sorted(
        (_finding(path, item) for item in findings(facts, deep=data, siblings=beside) if item.code in codes),
        key=lambda finding: finding.sort_key,
    )
    accepted = [one for one in found if one.code == _FOREIGN_CODE and settings.trusted(os.path.abspath(path))]
    reason = unreadable(facts) or _unknown_container(facts)
    return Outcome(
        path,
        tuple(one for one in found if one not in accepted),
        (Problem(Status.UNREADABLE, reason),) if reason else (),
        tuple(accepted),
        notes=notes,
    )


def _unread(path: str, reason: str) -> Outcome:
    return Outcome(path, problems=(Problem(Status.UNREADABLE, reason),))


def _unknown_container(facts: ArtifactFacts) -> str | None:
    """A container that we do not know was not looked into, whatever else is found of the file."""
    if facts.kind == "unknown" and facts.has("foreign"):
        return "no kind of checkpoint that we know: it was not looked into"
    return None


def _notes(path: str, settings: Settings) -> tuple[str, ...]:
    """What a reader must know so as not to take silence for an answer."""
    if settings.codes_for(path) & _CODES:
        return ()
    return (f"no rule about checkpoint files is on for {path} (test-paths, per-file-ignores, selection)",)


_RULES: dict[str, RuleInfo] = {rule.code: rule for rule in ALL if rule.artifact}
_CODES = frozenset(_RULES)


def _finding(path: str, item: FileFinding) -> Finding:
    """A finding of the catalogue; a file has no rows, so it stands at the first column of the first."""
    rule = _RULES[item.code]
    return Finding(
        code=item.code,
        name=rule.name,
        severity=item.severity or rule.severity,
        message=item.message,
        path=path,
        span=Span(0, 0),
        location=_START,
        end_location=_START,
        noqa_row=_START.row,
        artifact=item.artifact,
    )
