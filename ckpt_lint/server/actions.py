"""Code actions: one quick fix a finding, one comment that silences it, and all safe fixes of a document at once."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lsprotocol import types

from ckpt_lint.add_noqa import annotated
from ckpt_lint.model import Applicability, Edit, Finding, Span
from ckpt_lint.server.diagnostics import SOURCE, Wanted, edits, place, range_of
from ckpt_lint.server.documents import Buffer, Subject
from ckpt_lint.server.snapshot import Checked
from ckpt_lint.source.text import Source

FIX_ALL = f"{types.CodeActionKind.SourceFixAll.value}.{SOURCE}"
FIX_ALL_TITLE = "Fix all safe ckpt-lint problems"
_SAFETY = {
    Applicability.SAFE: "",
    Applicability.UNSAFE: " (unsafe)",
    Applicability.DISPLAY: " (to be finished by hand)",
}

Changes = dict[str, list[types.TextEdit]]


@dataclass(frozen=True)
class Asked:
    """The place and the diagnostics that actions are asked for, and the kinds that are wanted (None: all)."""

    uri: str
    range: types.Range
    diagnostics: tuple[types.Diagnostic, ...] = ()
    only: tuple[str, ...] | None = None

    def wants(self, kind: str) -> bool:
        """Whether the editor wants actions of a kind: `source` asks for `source.fixAll`, too."""
        return self.only is None or any(kind == one or kind.startswith(f"{one}.") for one in self.only)


def quick_fixes(checked: Checked, asked: Asked, wanted: Wanted, *, versions: bool) -> list[types.CodeAction]:
    """What can be done about the findings that the place touches, one after the other: to fix, then to silence them."""
    if not asked.wants(types.CodeActionKind.QuickFix.value):
        return []
    touched = [finding for finding in checked.result.outcome.findings if _touches(checked, finding, asked, wanted)]
    fixes = [action for one in touched if (action := _fix(checked, one, asked, wanted, versions=versions))]
    silencing = [action for one in touched if (action := _silence(checked, one, asked, wanted, versions=versions))]
    return [*fixes, *silencing]


def has_safe_fix(checked: Checked) -> bool:
    """Whether there is something that `Fix all` would do."""
    fixes = (finding.fix for finding in checked.result.outcome.findings)
    return any(fix is not None and fix.applicability is Applicability.SAFE for fix in fixes)


def fix_all(fixed: Checked, wanted: Wanted, *, versions: bool) -> types.WorkspaceEdit:
    """From the document with the safe fixes in it to the edits that make it so."""
    before, after = fixed.result.before, fixed.result.source
    changes = {} if before is None or after is None else _between(fixed.subject, before, after, wanted)
    return workspace_edit(fixed.subject, changes, versions=versions)


def workspace_edit(subject: Subject, changes: Changes, *, versions: bool) -> types.WorkspaceEdit:
    """The edits as the editor wants them, for the version that was checked where it can tell."""
    if not versions:
        return types.WorkspaceEdit(changes=changes)
    known = {buffer.uri: buffer.version for _, buffer in subject.buffers}
    return types.WorkspaceEdit(
        document_changes=[
            types.TextDocumentEdit(types.OptionalVersionedTextDocumentIdentifier(uri, known.get(uri)), list(several))
            for uri, several in changes.items()
        ]
    )


def _touches(checked: Checked, finding: Finding, asked: Asked, wanted: Wanted) -> bool:
    found = place(checked, finding.span)
    if found is None or found[0].uri != asked.uri:
        return False
    buffer, start, end = found
    first, last = (_offset(buffer, one, wanted) for one in (asked.range.start, asked.range.end))
    return start <= last and first <= end


def _offset(buffer: Buffer, position: types.Position, wanted: Wanted) -> int:
    return buffer.offset(position.line, position.character, wanted.encoding)


def _fix(
    checked: Checked, finding: Finding, asked: Asked, wanted: Wanted, *, versions: bool
) -> types.CodeAction | None:
    changes = edits(checked, finding, wanted)
    if finding.fix is None or not changes:
        return None
    safety = finding.fix.applicability
    return types.CodeAction(
        title=f"{SOURCE} ({finding.code}): {finding.fix.message}{_SAFETY[safety]}",
        kind=types.CodeActionKind.QuickFix,
        diagnostics=_its(finding, asked),
        is_preferred=safety is Applicability.SAFE or None,
        edit=workspace_edit(checked.subject, changes, versions=versions),
    )


def _silence(
    checked: Checked, finding: Finding, asked: Asked, wanted: Wanted, *, versions: bool
) -> types.CodeAction | None:
    source = checked.result.source
    if source is None:
        return None
    silenced, count = annotated(source, [finding])
    if not count:
        return None
    return types.CodeAction(
        title=f"{SOURCE} ({finding.code}): Disable {finding.code} for this line",
        kind=types.CodeActionKind.QuickFix,
        diagnostics=_its(finding, asked),
        edit=workspace_edit(checked.subject, _between(checked.subject, source, silenced, wanted), versions=versions),
    )


def _its(finding: Finding, asked: Asked) -> list[types.Diagnostic] | None:
    """Those of the editor's diagnostics that an action is about."""
    same = [one for one in asked.diagnostics if one.source == SOURCE and one.code == finding.code]
    return [one for one in same if one.message == finding.message] or None


def _between(subject: Subject, before: Source, after: Source, wanted: Wanted) -> Changes:
    """The edits that lead from one text to another, cell by cell."""
    changes: Changes = {}
    for old, new in zip(before.cells, after.cells):
        buffer = subject.buffer(old.number)
        old_text, new_text = (s.text[c.span.start : c.span.end] for s, c in ((before, old), (after, new)))
        if buffer is not None and old_text != new_text:
            several = [
                types.TextEdit(range_of(buffer, edit.span.start, edit.span.end, wanted), edit.text)
                for edit in differences(old_text, new_text)
            ]
            changes[buffer.uri] = several
    return changes


def differences(before: str, after: str) -> Iterator[Edit]:
    """Edits, as small as they come by lines, that lead from one text to another; what stays the same is not touched."""
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    for kind, first, last, new_first, new_last in matcher.get_opcodes():
        if kind != "equal":
            start = sum(map(len, old[:first]))
            yield _trimmed(start, "".join(old[first:last]), "".join(new[new_first:new_last]))


def _trimmed(start: int, old: str, new: str) -> Edit:
    lead = _common(old, new)
    lead -= _parts_newline(old, lead) or _parts_newline(new, lead)
    tail = _common(old[lead:][::-1], new[lead:][::-1])
    tail -= _parts_newline(old, len(old) - tail) or _parts_newline(new, len(new) - tail)
    return Edit(Span(start + lead, start + len(old) - tail), new[lead : len(new) - tail])


def _parts_newline(text: str, at: int) -> bool:
    """Whether a place is between the two characters of a line end, which is no place of the protocol."""
    return at > 0 and text[at - 1 : at + 1] == "\r\n"


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    count = 0
    for left, right in zip(one, other):
        if left != right:
            break
        count += 1
    return count
