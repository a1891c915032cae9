"""What a rule gets: one module of one file, with the facts of its project at hand."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ckpt_lint.facts.best_values import BestValues
from ckpt_lint.facts.checkpoints import Checkpoint, Checkpoints
from ckpt_lint.facts.loads import Load, Loads
from ckpt_lint.facts.matching import Match, Matching
from ckpt_lint.facts.reads import Flow, follow
from ckpt_lint.facts.restores import Restore, Restores
from ckpt_lint.facts.resume import Resumes
from ckpt_lint.facts.roles import role_of
from ckpt_lint.facts.saves import Save, Saves
from ckpt_lint.facts.training import Training
from ckpt_lint.facts.values import Values
from ckpt_lint.facts.weights_resume import WeightsResumes
from ckpt_lint.facts.world import World
from ckpt_lint.model import Fix, Severity, Span
from ckpt_lint.settings import Settings
from ckpt_lint.source import tree as t
from ckpt_lint.source.module import ModuleFacts
from ckpt_lint.source.text import Part, Source

if TYPE_CHECKING:
    from ckpt_lint.project.bounds import TorchBounds


@dataclass(frozen=True, slots=True)
class Other:
    """The other end of a finding: a node of some module, and what it has to do with it."""

    module: ModuleFacts
    node: t.Node
    message: str


@dataclass(frozen=True, slots=True)
class Report:
    """What a rule says of one place. `argument` names what the finding is about ("pickle", "device", "value" of the
    `call`), for the rules of precedence, `over` more calls that it speaks for; `severity` is None where it is the rule's
    own.
    """

    node: t.Node
    message: str
    fix: Fix | None = None
    fix_withheld: str | None = None
    others: tuple[Other, ...] = ()
    severity: Severity | None = None
    call: t.Node | None = None
    argument: str | None = None
    cause: str | None = None
    module: ModuleFacts | None = None
    span: Span | None = None
    over: tuple[t.Node, ...] = ()


class Facts:
    """The facts of a whole world, computed when asked for and kept."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.values = Values(world)
        self.loads = Loads(world, self.values)
        self.saves = Saves(world, self.values)
        self.restores = Restores(world, self.values, self.loads)
        self.checkpoints = Checkpoints(world, self.values, self.saves)
        self.matching = Matching(world, self.values, self.saves, self.checkpoints, self.restores)
        self.resumes = Resumes(world, self.values, self.restores)
        self.training = Training(world, self.values, self.saves, self.checkpoints, self.resumes)
        self.best_values = BestValues(world, self.saves, self.checkpoints, self.resumes, self.training)
        self.weights_resumes = WeightsResumes(world, self.saves, self.checkpoints, self.restores)

    def let_go(self) -> None:
        """Untie what names one another, so that it is freed at once: nothing of it may be used afterwards."""
        for part in vars(self).values():
            vars(part).clear()


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """One module to judge."""

    module: ModuleFacts
    source: Source
    facts: Facts
    bounds: TorchBounds
    settings: Settings
    fired: Callable[[str], Sequence[Report]] = field(default=lambda code: ())

    @property
    def loads(self) -> Sequence[Load]:
        """The module's loads."""
        return self.facts.loads.of(self.module)

    @property
    def saves(self) -> Sequence[Save]:
        """The module's saves, those inside save wrappers left out."""
        return self.facts.saves.of(self.module)

    @property
    def file_saves(self) -> Iterable[Save]:
        """The module's saves that go to a file."""
        return (save for save in self.saves if not self.facts.saves.in_memory(save))

    @property
    def saver_calls(self) -> Sequence[Save]:
        """The module's calls of savers, those inside save wrappers among them: what they say themselves is said once."""
        return self.facts.saves.direct(self.module)

    @property
    def restores(self) -> Sequence[Restore]:
        """The module's calls of `.load_state_dict(...)`."""
        return self.facts.restores.of(self.module)

    def checkpoint(self, save: Save) -> Checkpoint:
        """What a save writes."""
        return self.facts.checkpoints.of(save)

    def match(self, load: Load) -> Match:
        """The saves that may have written what a load reads."""
        return self.facts.matching.of(load)

    def flow(self, load: Load) -> Flow:
        """What becomes of the result of a load."""
        return follow(self.facts.restores, load)

    def role(self, expr: t.Expr, module: ModuleFacts | None = None) -> str | None:
        """The role of a value in training."""
        return role_of(self.facts.values, module or self.module, expr)

    @property
    def text(self) -> str:
        """The file's text."""
        return self.source.text

    def code(self, node: t.Node) -> str:
        """The text of a node of this module."""
        return self.source.text[node.start : node.end]

    @property
    def part(self) -> Part:
        """The part at which an import may be added: the first of this module."""
        return next(p for p in self.source.parts if p.module == self.module.name)
