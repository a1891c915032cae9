"""The engine: a source in, its findings or its fixed text out. Pure: it reads no files and prints nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from ckpt_lint import rules, suppress, unused
from ckpt_lint.boundary import guarded
from ckpt_lint.edits import ast_parses, converge
from ckpt_lint.facts.explained import facts_at
from ckpt_lint.facts.view import Facts, Other, Report, View
from ckpt_lint.model import Applicability, Finding, Fix, Outcome, Problem, Related, RuleInfo, Span
from ckpt_lint.project.bounds import TorchBounds
from ckpt_lint.settings import Settings
from ckpt_lint.source import tree as t
from ckpt_lint.source.module import ModuleFacts
from ckpt_lint.source.parse import is_readable, is_readable_as_before_37
from ckpt_lint.source.read import Read
from ckpt_lint.source.text import Source

PARSERS = (ast_parses, is_readable, is_readable_as_before_37)
"""What may take a text before a fix, the strictest first: the one that did must take it afterwards."""

STRONGER = {
    "pickle": ("CKP312", "CKP304", "CKP303", "CKP311", "CKP307", "CKP302"),
    "device": ("CKP310", "CKP306", "CKP301"),
    "value": ("CKP101", "CKP103", "CKP110", "CKP107"),
}
"""Which finding speaks where several are about one argument of one call, the strongest first (RULES.md)."""


class Project(Protocol):
    """What the engine asks of the project that a source belongs to."""

    def read(self, source: Source) -> Read:
        """The modules of a source: a draft of them, perhaps."""
        ...

    def confirmed(self, source: Source, read: Read, at: Sequence[Span]) -> Read:
        """What LibCST says of a source; its modules are those of `read` where it agrees with the draft `at` some places."""
        ...

    def facts(self, modules: Sequence[ModuleFacts]) -> Facts:
        """The project's facts, with these modules of one file in place of those on disk."""
        ...

    def bounds(self, source: Source) -> TorchBounds:
        """The torch that is declared for a source."""
        ...

    def notes(self, source: Source) -> tuple[str, ...]:
        """What a reader has to know of the project so as not to take silence for an answer."""
        ...

    def display(self, path: str) -> str:
        """How the run names a file."""
        ...

    def source(self, path: str) -> Source | None:
        """The text of a project file, for places in it."""
        ...


@dataclass(frozen=True, slots=True)
class Judged:
    """What was found in one source, suppressed findings sorted out."""

    findings: tuple[Finding, ...]
    suppressed: tuple[Finding, ...]
    problems: tuple[Problem, ...]
    parsed: int
    notes: tuple[str, ...] = ()


def check(source: Source, *, project: Project, settings: Settings) -> Outcome:
    """Judge one source. Whatever goes wrong becomes an outcome of its own: nothing is raised."""

    def judged() -> Outcome:
        found = judge(source, project=project, settings=settings)
        problems = (*source.problems, *found.problems)
        return Outcome(source.path, found.findings, problems, found.suppressed, parsed=found.parsed, notes=found.notes)

    return guarded(source.path, judged)


def fix(source: Source, *, project: Project, settings: Settings, unsafe: bool) -> tuple[Source, Outcome]:
    """Apply fixes to the fixed point; the outcome holds the findings that are left and what was fixed.

    Nothing is raised: where anything goes wrong the source comes back as it was.
    """
    wanted = {Applicability.SAFE, Applicability.UNSAFE} if unsafe else {Applicability.SAFE}
    fixed = source

    def findings_of(current: Source) -> Sequence[Finding]:
        return judge(current, project=project, settings=settings).findings

    def mended() -> Outcome:
        nonlocal fixed
        done = converge(source, findings_of, applicabilities=wanted, parsers=PARSERS)
        final = judge(done.source, project=project, settings=settings)
        problems = (*source.problems, *final.problems, *done.problems)
        applied = dict(done.applied)
        fixed = done.source
        return Outcome(
            source.path, final.findings, problems, final.suppressed, applied, parsed=final.parsed, notes=final.notes
        )

    outcome = guarded(source.path, mended)
    return fixed, outcome


def judge(source: Source, *, project: Project, settings: Settings) -> Judged:
    """The findings of a source: read, asked of every rule that is on, suppressed, one finding an argument.

    Where a rule speaks of a draft LibCST reads the source, too; where the two differ it is LibCST's facts that are judged.
    """
    drafted = project.read(source)
    notes = project.notes(source)
    read, found = drafted, _heard(source, drafted, notes, project=project, settings=settings)
    if found and drafted.is_draft:
        read = project.confirmed(source, drafted, [place for f in found for place in f.places])
        if read.modules != drafted.modules:
            found = _heard(source, read, notes, project=project, settings=settings)
    found.sort(key=lambda f: f.finding.sort_key)
    sorted_out = suppress.suppress((f.finding for f in found), texts_of(source) if settings.noqa else {})
    kept = {id(f) for f in sorted_out.kept}
    spoken = _strongest([f for f in found if id(f.finding) in kept])
    return Judged(tuple(spoken), sorted_out.suppressed, read.problems, read.parsed, notes)


def _heard(
    source: Source, read: Read, notes: Sequence[str], *, project: Project, settings: Settings
) -> list[_Found]:
    """What the rules that are on say of a source, suppressed or not."""
    codes = settings.codes_for(source.path)
    whole = settings.noqa and not (notes or read.problems or source.problems)
    if not (whole and unused.RULE.code in codes and unused.may_matter(source)):
        return list(_findings(source, read, project=project, settings=settings, codes=codes))
    every = frozenset(rule.code for rule in rules.ALL)
    heard = list(_findings(source, read, project=project, settings=settings, codes=every))
    spare = unused.unused(source, [f.finding for f in heard], rules.ALL)
    found = [f for f in heard if f.finding.code in codes]
    return found + [_Found(replace(one, fix=settings.adjusted(one.code, one.fix)), ()) for one in spare]


def explain(
    source: Source, row: int, *, cell: int | None, project: Project, settings: Settings
) -> Iterator[str]:
    """Why something fired on a line, or stayed silent: the declared torch, the findings, the facts. One line each."""
    start = source.offset(row, 1, cell=cell)
    end = _line_end(source.text, start)
    bounds = project.bounds(source)
    yield f"torch: {bounds.source or 'nothing is declared, which means 1.13 and newer'}"
    judged = judge(source, project=project, settings=settings)
    for problem in judged.problems:
        yield f"not checked: {problem.status.value.replace('-', ' ')}: {problem.message}"
    touching = [f for f in judged.findings if _on_line(f, start, end)]
    silenced = [f for f in judged.suppressed if _on_line(f, start, end)]
    for finding in touching:
        yield f"fires: {finding.code} {finding.name}: {finding.message}"
        if finding.fix_withheld:
            yield f"  no fix: {finding.fix_withheld}"
    for finding in silenced:
        yield f"suppressed by a comment: {finding.code} {finding.name}: {finding.message}"
    yield from _off(source, start, end, project=project, settings=settings)
    read = project.read(source)
    facts = project.facts(read.modules)
    views = [View(module, source, facts, bounds, settings) for module in read.modules]
    lines = [line for view in views for line in facts_at(view, start, end, lambda m, n: _elsewhere(project, m, n))]
    yield from lines
    if not lines and not touching and not silenced:
        yield "nothing on this line loads, saves or restores a checkpoint, as far as can be told"


def _off(source: Source, start: int, end: int, *, project: Project, settings: Settings) -> Iterator[str]:
    """What rules would say that are off in this file."""
    every = frozenset(rule.code for rule in rules.ALL)
    off = every - settings.codes_for(source.path)
    free = replace(settings, selected=every, in_tests=every, per_file_ignores=())
    for finding in judge(source, project=project, settings=free).findings:
        if finding.code in off and _on_line(finding, start, end):
            yield f"would fire, but is off in this file: {finding.code} {finding.name}: {finding.message}"


def _elsewhere(project: Project, module: ModuleFacts, node: t.Node) -> str:
    source = project.source(module.path)
    path = project.display(module.path)
    if source is None or node.start > len(source.text):
        return path
    place = source.location(node.start)
    return f"{path}:{place.row}" if place.cell is None else f"{path}:cell {place.cell}:{place.row}"


def _line_end(text: str, start: int) -> int:
    end = text.find("\n", start)
    return end if end >= 0 else len(text)


def _on_line(finding: Finding, start: int, end: int) -> bool:
    call = finding.call or finding.span
    return min(call.start, finding.span.start) <= end and start <= max(call.end, finding.span.end)


def texts_of(source: Source) -> Mapping[int | None, str]:
    """The text that a suppression may stand in, by cell."""
    return {cell.number: source.text[cell.span.start : cell.span.end] for cell in source.cells}


@dataclass(frozen=True, slots=True)
class _Found:
    finding: Finding
    keys: tuple[tuple[Span, str], ...]

    @property
    def places(self) -> Iterator[Span]:
        """What it speaks of: itself, the calls that it is about, and what its fix changes."""
        yield self.finding.span
        if self.finding.call is not None:
            yield self.finding.call
        yield from (span for span, _ in self.keys)
        if self.finding.fix is not None:
            yield from (edit.span for edit in self.finding.fix.edits)


def _findings(
    source: Source, read: Read, *, project: Project, settings: Settings, codes: frozenset[str]
) -> Iterable[_Found]:
    facts = project.facts(read.modules)
    bounds = project.bounds(source)
    seen: set[tuple[str, Span, str]] = set()
    for module in read.modules:
        view = View(module, source, facts, bounds, settings)
        for rule in rules.MODULES:
            if rule.RULE.code not in codes:
                continue
            for report in rule.check(view):
                found = _found(report, rule.RULE, view, project)
                key = (found.finding.code, found.finding.span, found.finding.message)
                if key not in seen:
                    seen.add(key)
                    yield found


def _found(report: Report, rule: RuleInfo, view: View, project: Project) -> _Found:
    source = view.source
    span = report.span or report.node.span
    call = report.call or report.node
    finding = Finding(
        code=rule.code,
        name=rule.name,
        severity=report.severity or rule.severity,
        message=report.message,
        path=source.path,
        span=span,
        location=source.location(span.start),
        end_location=source.location(span.end),
        noqa_row=source.location(min(call.start, span.start)).row,
        fix=view.settings.adjusted(rule.code, _bounded(report.fix, call, source)),
        fix_withheld=report.fix_withheld,
        related=tuple(r for other in report.others if (r := _related(other, view, project)) is not None),
        call=call.span,
        cause=report.cause,
    )
    calls = (call, *report.over) if report.argument else ()
    return _Found(finding, tuple((node.span, report.argument or "") for node in calls))


def _bounded(fix: Fix | None, node: t.Node, source: Source) -> Fix | None:
    """A fix without edits, or with edits outside of the text, is none; nor is one inside of an f-string.

    Of what stands in an f-string only the place of the whole string is known (see `record_expressions`).
    """
    if any(isinstance(parent, t.JoinedStr) for parent in (node, *t.ancestors(node))):
        return None
    if fix is None or not fix.edits or any(edit.span.end > len(source.text) for edit in fix.edits):
        return None
    return fix


def _related(other: Other, view: View, project: Project) -> Related | None:
    source = view.source if other.module.path == view.module.path else project.source(other.module.path)
    if source is None or other.node.end > len(source.text):
        return None
    path = project.display(other.module.path)
    return Related(path, source.location(other.node.start), source.location(other.node.end), other.message)


def _strongest(found: Sequence[_Found]) -> list[Finding]:
    """One finding an argument of a call: the strongest, which names the others."""
    groups: dict[tuple[Span, str], list[Finding]] = {}
    for item in found:
        for key in item.keys:
            groups.setdefault(key, []).append(item.finding)
    weaker: dict[int, list[Finding]] = {}
    silent: set[int] = set()
    for (_, argument), members in groups.items():
        order = STRONGER.get(argument, ())
        ranked = sorted(members, key=lambda f: order.index(f.code) if f.code in order else len(order))
        weaker.setdefault(id(ranked[0]), []).extend(f for f in ranked[1:] if f.code != ranked[0].code)
        silent.update(id(f) for f in ranked[1:] if f.code != ranked[0].code)
    return [_naming(f.finding, weaker.get(id(f.finding), ())) for f in found if id(f.finding) not in silent]


def _naming(finding: Finding, others: Sequence[Finding]) -> Finding:
    if not others:
        return finding
    names = ", ".join(dict.fromkeys(f"{f.code} {f.name}" for f in others))
    return replace(finding, message=f"{finding.message} (also {names})")
