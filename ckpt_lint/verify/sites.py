"""Which places of the code are verified: every load whose findings have fixes that change what it gives.

All findings on one load make one site: the device and the globals are fixed together, since mending one reveals the
other. A fix of a default concerns every call that inherits it, so it makes several sites.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from ckpt_lint.config import Configs
from ckpt_lint.discover import Target
from ckpt_lint.facts.judged import judged
from ckpt_lint.facts.loads import Load
from ckpt_lint.facts.prefixes import Strip, strips
from ckpt_lint.facts.reads import Flow, Read, Use
from ckpt_lint.facts.state_dicts import StateDicts
from ckpt_lint.facts.view import View
from ckpt_lint.model import Finding, Location, Problem, Span
from ckpt_lint.run import FileResult, Mode, Worker
from ckpt_lint.source import flow
from ckpt_lint.source import tree as t
from ckpt_lint.source.module import ModuleFacts
from ckpt_lint.verify.path_hints import path_hints
from ckpt_lint.workspace import FileProject

PICKLE, DEVICE, MMAP, WRAP, STRIP, KEY = "pickle", "device", "mmap", "wrap", "strip", "key"
KINDS = {
    "CKP302": PICKLE, "CKP303": PICKLE, "CKP301": DEVICE, "CKP306": DEVICE, "CKP309": MMAP, "CKP402": WRAP,
    "CKP404": STRIP, "CKP409": KEY,
}  # fmt: skip
"""The rules whose fixes change what a load or a restore does, and what they change."""

SAVE_CODES = ("CKP101", "CKP110")
ARGUMENTS = ("map_location", "weights_only", "pickle_module", "mmap")
COMPUTED = "computed"


@dataclass(frozen=True, slots=True)
class PathHint:
    """What the code says of the file: the texts that the path may have, with a NUL for each computed piece."""

    texts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Cut:
    """A prefix that is cut off keys: how the code does it now (`replace`, `lstrip`, ...), and the prefix."""

    how: str
    prefix: str


@dataclass(frozen=True, slots=True)
class SaveLine:
    """The line of a matching save that writes what `weights_only=True` refuses."""

    path: str
    row: int
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Site:
    """One load with the findings on it.

    `path` is as the run names the file, `file` absolute; `function` the qualified name around the load. `keys` are read
    without a guard; `maybe` are read with one; `whole` says that all of it goes to `load_state_dict`. `given` holds the
    constant arguments of the load, `COMPUTED` for the others. `matching` are the places of the matching saves, `saves`
    what was found at them. `root` is the project's folder.
    """

    path: str
    file: str
    root: str
    location: Location
    function: str
    findings: tuple[Finding, ...]
    hint: PathHint
    keys: tuple[str, ...] = ()
    maybe: tuple[str, ...] = ()
    whole: bool = False
    given: tuple[tuple[str, object], ...] = ()
    cut: Cut | None = None
    matching: tuple[tuple[str, Span], ...] = ()
    saves: tuple[SaveLine, ...] = ()

    @property
    def kinds(self) -> frozenset[str]:
        """What its fixes change."""
        return frozenset(KINDS[finding.code] for finding in self.findings)

    @property
    def place(self) -> tuple[str, int, int, int]:
        """Its place, for sorting."""
        return (self.path, self.location.cell or 0, self.location.row, self.location.column)

    def argument(self, name: str) -> object:
        """A constant argument of the load: None where it is absent, `COMPUTED` where it is not constant."""
        return dict(self.given).get(name)


@dataclass
class Linted:
    """What the linter said of all files: results by file, the sites, and findings whose fix is withheld."""

    results: list[FileResult] = field(default_factory=list)
    sites: list[Site] = field(default_factory=list)
    withheld: list[Finding] = field(default_factory=list)

    @property
    def problems(self) -> list[tuple[str, Problem]]:
        """What could not be linted."""
        return [(result.outcome.path, problem) for result in self.results for problem in result.outcome.problems]


def lint(targets: Iterable[Target], configs: Configs, *, cache: str | None = None) -> Linted:
    """Lint every target and collect the sites, in the order of the text. Raises ConfigError.

    `cache` is the folder of the fact cache, None for none.
    """
    worker = Worker(configs, Mode(cache=cache))
    linted = Linted()
    found: dict[tuple[str, int], Site] = {}
    for target in targets:
        if getattr(target, "checkpoint", False):
            continue  # a checkpoint file is no code; the ones of a load are found by the load
        result = worker.check(target)
        linted.results.append(result)
        mine = [finding for finding in result.outcome.findings if finding.code in KINDS]
        linted.withheld += [finding for finding in mine if finding.fix is None]
        fixed = [finding for finding in mine if finding.fix is not None]
        if fixed and result.source is not None:
            for key, site in _sites(worker, result, fixed):
                known = found.get(key)
                found[key] = site if known is None else replace(known, findings=_joined(known, site))
    linted.sites = sorted((_with_saves(site, linted) for site in found.values()), key=lambda site: site.place)
    return linted


def _joined(one: Site, other: Site) -> tuple[Finding, ...]:
    return tuple(dict.fromkeys([*one.findings, *(f for f in other.findings if f not in one.findings)]))


def _sites(
    worker: Worker, result: FileResult, findings: Sequence[Finding]
) -> Iterator[tuple[tuple[str, int], Site]]:
    source = result.source
    assert source is not None
    settings = worker.configs.settings_for(source.path)
    project = worker.workspace.project_of(source, settings)
    read = project.read(source)
    facts, bounds = project.facts(read.modules), project.bounds(source)
    for module in read.modules:
        places = _Places(View(module, source, facts, bounds, settings), project)
        for finding in findings:
            yield from places.sites_of(finding)


class _Places:
    """Finds the load, the strip or the restore behind a finding of one module."""

    def __init__(self, view: View, project: FileProject) -> None:
        self.view = view
        self.project = project
        self.loads: dict[Span, list[Load]] = {}
        for found in judged(view, *ARGUMENTS):
            self.loads.setdefault(found.place.span, []).append(found.load)
        for load in view.loads:
            known = self.loads.setdefault(load.call.span, [])
            if load not in known:
                known.append(load)

    def sites_of(self, finding: Finding) -> Iterator[tuple[tuple[str, int], Site]]:
        """The sites of one finding, with the key that joins findings on one load."""
        kind = KINDS[finding.code]
        if kind == STRIP:
            yield from self._strip_sites(finding)
        elif kind == WRAP:
            yield from self._wrap_sites(finding)
        elif kind == KEY:
            yield from self._key_sites(finding)
        else:
            for load in self.loads.get(finding.span, ()):
                yield (load.module.path, load.call.start), self._of_load(load, finding)

    def _of_load(self, load: Load, finding: Finding) -> Site:
        followed = self.view.flow(load)
        keys = tuple(dict.fromkeys(read.key for read in _in_order(followed) if not read.safe))
        maybe = tuple(dict.fromkeys(read.key for read in _in_order(followed) if read.safe and read.key not in keys))
        site = self._site(load.module, load.call, finding, self._hint(load.path_module, load.path))
        whole = Use.RESTORED in followed.uses and not followed.reads and Use.ESCAPES not in followed.uses
        matching = tuple((self._shown(save.module), save.call.span) for save in self.view.match(load).saves)
        return replace(site, keys=keys, maybe=maybe, whole=whole, given=_given(load), matching=matching)

    def _strip_sites(self, finding: Finding) -> Iterator[tuple[tuple[str, int], Site]]:
        states = StateDicts(self.view.facts.values, self.view.facts.restores)
        for strip in strips(states, self.view.module):
            if strip.node.span == finding.span and strip.prefix is not None:
                load = self._load_near(strip)
                hint = PathHint() if load is None else self._hint(load.path_module, load.path)
                site = self._site(self.view.module, strip.node, finding, hint)
                yield (site.file, strip.node.start), replace(site, cut=Cut(strip.how, strip.prefix))

    def _load_near(self, strip: Strip) -> Load | None:
        """The only load of the function around, or of the module: where the keys come from."""
        function = flow.function_of(strip.node)
        for around in (function, None):
            inside = [load for load in self.view.loads if around is None or flow.function_of(load.call) is around]
            if len(inside) == 1:
                return inside[0]
        return None

    def _wrap_sites(self, finding: Finding) -> Iterator[tuple[tuple[str, int], Site]]:
        for restore in self.view.restores:
            if restore.call.span == finding.span and restore.state is not None:
                hint = self._hint(self.view.module, restore.state)
                site = self._site(self.view.module, restore.call, finding, hint)
                yield (site.file, restore.call.start), replace(site, whole=True)

    def _key_sites(self, finding: Finding) -> Iterator[tuple[tuple[str, int], Site]]:
        """The load that the wrong key is read from; its other keys hold as well."""
        for load in self.view.loads:
            reads = [read for read in self.view.flow(load).reads if read.node.span == finding.span]
            if reads:
                yield (load.module.path, load.call.start), self._of_load(load, finding)

    def _hint(self, module: ModuleFacts, expr: t.Expr | None) -> PathHint:
        return PathHint(path_hints(self.view.facts.values, module, expr))

    def _site(self, module: ModuleFacts, node: t.Node, finding: Finding, hint: PathHint) -> Site:
        path = self._shown(module)
        here = module.path == self.view.module.path
        source = self.view.source if here else self.project.source(module.path)
        location = source.location(node.start) if source is not None else finding.location
        return Site(path, module.path, self.project.project.files.root, location, qualified(node), (finding,), hint)

    def _shown(self, module: ModuleFacts) -> str:
        here = module.path == self.view.module.path
        return self.view.source.path if here else self.project.display(module.path)


def qualified(node: t.Node) -> str:
    """The dotted name of the functions and classes around a node, "" at the top of a module."""
    names = [parent.name for parent in t.ancestors(node) if isinstance(parent, (t.FunctionDef, t.ClassDef))]
    return ".".join(reversed(names))


def _in_order(followed: Flow) -> list[Read]:
    return sorted(followed.reads, key=lambda read: read.node.start)


def _given(load: Load) -> tuple[tuple[str, object], ...]:
    """The arguments that decide a load: constants, and `COMPUTED` for what is not."""
    out: list[tuple[str, object]] = []
    for name in ARGUMENTS:
        constant = load.constant(name)
        if constant is not None:
            out.append((name, constant.value))
        elif load.has(name):
            out.append((name, COMPUTED))
    return tuple(out)


def _with_saves(site: Site, linted: Linted) -> Site:
    """The site with the findings at its matching saves that say what must be saved differently."""
    lines: dict[SaveLine, None] = {}
    for path, span in site.matching:
        for result in linted.results:
            if result.outcome.path != path:
                continue
            for finding in result.outcome.findings:
                if finding.code in SAVE_CODES and _belongs(finding, span):
                    lines[SaveLine(path, finding.location.row, finding.code, finding.message)] = None
    return replace(site, saves=tuple(lines))


def _belongs(finding: Finding, save: Span) -> bool:
    """Whether a finding is about a save: it stands in its call, or speaks of that call."""
    call = finding.call or finding.span
    return any(save.start <= span.start and span.end <= save.end for span in (finding.span, call))
