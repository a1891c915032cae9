"""What the rules about missing entries share: one report a checkpoint, its words, and the entry that mends it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from ckpt_lint import apis
from ckpt_lint.edits import add_dict_entry
from ckpt_lint.facts.in_scope import Subject
from ckpt_lint.facts.states import COUNTER
from ckpt_lint.facts.training import NAMES, TrainingCheckpoint
from ckpt_lint.facts.view import Other, Report, View
from ckpt_lint.model import Applicability, Edit, Fix, Severity
from ckpt_lint.source import tree as t


def absent(
    view: View, role: str, consequence: str, *, applies: Callable[[TrainingCheckpoint], bool]
) -> Iterator[Report]:
    """A report for every training checkpoint of the module that lacks a state of `role` which is in scope.

    `consequence` is what a resumed run does, with `{names}` for the objects; `applies` is the rule's own condition.
    """
    for checkpoint in view.facts.training.of(view.module):
        missing = view.facts.training.missing(checkpoint)
        mine = [subject for subject in missing if subject.role == role]
        if mine and applies(checkpoint):
            others = [subject for subject in missing if subject.role != role]
            yield _report(view, checkpoint, mine, others, consequence)


def _report(
    view: View, checkpoint: TrainingCheckpoint, mine: Sequence[Subject], others: Sequence[Subject], consequence: str
) -> Report:
    main = checkpoint.main
    node = place_of(view, checkpoint)
    also = f" (missing too: {_listed(others)})" if others else ""
    message = f"this training checkpoint holds no {NAMES[mine[0].role]}: {consequence.format(names=_names(mine))}{also}"
    fix = _fix(view, checkpoint, mine)
    place = mine[0].place
    related = (Other(mine[0].module, place, f"`{mine[0].name}` is in scope here"),) if place is not node else ()
    return Report(
        node, message, fix, _withheld(mine) if fix is None else None, related, severity_of(view), main.save.call
    )


def lacking(view: View, state: str) -> Iterator[TrainingCheckpoint]:
    """The training checkpoints without a state that no object in scope stands for, nor another one of the file has."""
    for checkpoint in view.facts.training.of(view.module):
        others = view.facts.training.in_file(view.module)
        if not checkpoint.open and not any(state in c.held or c.open for c in (checkpoint, *others)):
            yield checkpoint


def place_of(view: View, checkpoint: TrainingCheckpoint) -> t.Node:
    """Where the family reports: the dict, else the save call."""
    main = checkpoint.main
    return main.where if main.module is view.module else main.save.call


def severity_of(view: View) -> Severity | None:
    """The whole family is a warning where nothing in the project resumes."""
    return None if view.facts.resumes.anywhere(view.module) else Severity.WARNING


def _names(subjects: Sequence[Subject]) -> str:
    return ", ".join(f"`{name}`" for name in dict.fromkeys(s.name for s in subjects))


def _listed(subjects: Sequence[Subject]) -> str:
    roles = dict.fromkeys(subject.role for subject in subjects)
    return ", ".join(f"{NAMES[role]} of {_names([s for s in subjects if s.role == role])}" for role in roles)


def _withheld(subjects: Sequence[Subject]) -> str | None:
    if not all(subject.nameable for subject in subjects):
        return "the callers have to pass it in"
    if not all(subject.always for subject in subjects):
        return "it is bound on some ways to the save only"
    return None


def _fix(view: View, checkpoint: TrainingCheckpoint, subjects: Sequence[Subject]) -> Fix | None:
    literal = checkpoint.main.literal
    if literal is None or checkpoint.main.module is not view.module or not is_dict(view, literal):
        return None
    if not all(_can_be_named(view, subject) for subject in subjects):
        return None
    keys = list(checkpoint.main.keys)
    edits: list[Edit] = []
    for subject in subjects:
        key = key_for(subject, keys)
        if key in keys:
            return None
        keys.append(key)
        edits.extend(add_dict_entry(view.text, literal.span, key, _value(subject)))
    return Fix(Applicability.UNSAFE, f"Save {_names(subjects)}", tuple(edits))


def _can_be_named(view: View, subject: Subject) -> bool:
    here = subject.module is view.module or subject.name.startswith("self.")
    return here and subject.nameable and subject.certain and subject.always


def is_dict(view: View, literal: t.Expr) -> bool:
    """Whether an entry can be added to what builds a checkpoint: a dict display or a `dict(...)` call."""
    if isinstance(literal, t.Call):
        return view.module.names.is_a(literal.func, "builtins.dict", "collections.OrderedDict") and not any(
            arg.keyword is None and not arg.star for arg in literal.args
        )
    return isinstance(literal, t.Dict)


def key_for(subject: Subject, keys: Sequence[str]) -> str:
    """The key for a new entry, in the style of those that are there (`model_state_dict`, `model_state`)."""
    name = subject.name.rpartition(".")[2].lstrip("_")
    if subject.role == COUNTER:
        return name
    for style in ("_state_dict", "_state"):
        if any(key.endswith(style) and key != "state_dict" for key in keys):
            return f"{name}{style}"
    return name


def _value(subject: Subject) -> str:
    if subject.role == COUNTER:
        return subject.name
    value = f"{subject.name}.state_dict()"
    return f"{value} if {subject.name} is not None else None" if subject.optional else value


def saves_optimizer(checkpoint: TrainingCheckpoint) -> bool:
    """The condition of the rules about what belongs beside the optimizer's state."""
    return apis.OPTIMIZER in checkpoint.written
