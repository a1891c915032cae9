"""Faults of the family CKP2: what a training checkpoint must hold."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from seeding.source import Edit, Function, Site, Source, dotted, handed_over, kind_of, owner_of_state

_PROGRESS = re.compile(r"epoch|step|iter", re.IGNORECASE)
_BEST = re.compile(r"best", re.IGNORECASE)
_READS = ("print", "len", "save", "info", "sorted", "deepcopy")
_WEIGHTS = re.compile(r"model|state_dict$|net$|generator|weights|params", re.IGNORECASE)
_EXPORT = re.compile(r"best|final|export|deploy|infer", re.IGNORECASE)


@dataclass(frozen=True)
class Checkpoint:
    """A dict literal that is saved, and its entries by what they hold. `changed` says that keys may be added later."""

    node: ast.Dict
    save: ast.Call
    kinds: dict[str, list[int]]
    changed: bool


def checkpoints(source: Source) -> Iterator[Checkpoint]:
    """Yield the dict literals that reach torch.save, directly or by a name of the same function."""
    for save in handed_over(source):
        saved, changed = save.args[0], False
        if isinstance(saved, ast.Name):
            found = _bound_dict(source, save, saved.id)
            if found is None:
                continue
            saved, changed = found
        if isinstance(saved, ast.Dict):
            unpacked = any(key is None for key in saved.keys)
            yield Checkpoint(saved, save, _kinds(saved), changed or unpacked)


def _bound_dict(source: Source, save: ast.Call, name: str) -> tuple[ast.expr, bool] | None:
    """The dict literal that a name is bound to once in the function of a save, and whether it is changed there."""
    scope = source.scope(save)
    bound, changed = [], False
    for node in ast.walk(scope):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                if dotted(target) == name:
                    bound.append(node.value)
                changed |= (
                    isinstance(target, ast.Subscript) and dotted(target.value) == name and not _known(target, node)
                )
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and dotted(node.func.value) == name:
            changed |= node.func.attr in ("update", "pop", "setdefault")
        elif isinstance(node, ast.Call) and node is not save and dotted(node.func).rpartition(".")[2] not in _READS:
            changed |= any(dotted(one) == name for one in node.args) and node not in handed_over(source)
    return (bound[0], changed) if len(bound) == 1 else None


def _known(target: ast.Subscript, node: ast.Assign) -> bool:
    """Whether an entry that is added later has a constant key and no state for its value."""
    return isinstance(target.slice, ast.Constant) and not owner_of_state(node.value)


def _kinds(node: ast.Dict) -> dict[str, list[int]]:
    kinds: dict[str, list[int]] = {}
    for place, (key, value) in enumerate(zip(node.keys, node.values)):
        text = key.value if isinstance(key, ast.Constant) and isinstance(key.value, str) else ""
        owner = owner_of_state(value)
        kind = (kind_of(owner) or "other state") if owner else ""
        if not owner and _BEST.search(text):
            kind = "best"
        elif not owner and _PROGRESS.search(text):
            kind = "progress"
        elif not owner and re.search("version", text) and "'torch'" in ast.dump(value):
            kind = "version"
        elif "get_rng_state" in ast.dump(value):
            kind = "rng"
        kinds.setdefault(kind, []).append(place)
    return kinds


def _key(node: ast.Dict, place: int) -> str:
    key = node.keys[place]
    return key.value if isinstance(key, ast.Constant) and isinstance(key.value, str) else ""


def without_entries(source: Source, node: ast.Dict, places: list[int]) -> Edit:
    """The edit that writes a dict literal without some of its entries, the text of the others as it stands."""
    kept = [at for at in range(len(node.keys)) if at not in places]
    parts = []
    for at in kept:
        key = node.keys[at]
        start = source.span(key)[0] if key is not None else source.span(node.values[at])[0]
        parts.append(("" if key is not None else "**") + source.text[start : source.span(node.values[at])[1]])
    return source.replace(node, "{" + ", ".join(parts) + "}")


Refusal = Callable[[Source, Checkpoint, int], str]


def _dropping(code: str, kind: str, refuse: Refusal) -> Callable[[Source], Iterator[Site]]:
    def mutator(source: Source) -> Iterator[Site]:
        found = list(checkpoints(source))
        for checkpoint in found:
            places = checkpoint.kinds.get(kind, [])
            if not places:
                continue
            keys = [_key(checkpoint.node, place) for place in places]
            what = f"entries {', '.join(keys)} dropped"
            reasons = [
                _refused(source, checkpoint, place, found, kind) or refuse(source, checkpoint, place)
                for place in places
            ]
            reading = [_readers(source, key) for key in keys]
            edits = [edit for found_edits in reading for edit in found_edits or ()]
            edits.append(without_entries(source, checkpoint.node, places))
            reason = next((one for one in reasons if one), "")
            if not reason and None in reading:
                reason = "its key is read in a way that cannot be taken out"
            yield Site(code, checkpoint.node.lineno, what, tuple(dict.fromkeys(edits)), reason)

    mutator.__doc__ = f"{code[3:]}: drop the entries of kind {kind} from a checkpoint, and what restores them."
    return mutator


def _refused(source: Source, checkpoint: Checkpoint, place: int, found: list[Checkpoint], kind: str) -> str:
    if checkpoint.changed:
        return "keys may be added elsewhere"
    keys = [_key(checkpoint.node, at) for at in range(len(checkpoint.node.keys))]
    if "model" not in checkpoint.kinds and not any(_WEIGHTS.search(key) for key in keys):
        return "no model weights beside it"
    others = [one for one in found if one is not checkpoint and one.node is not checkpoint.node]
    if any(kind in one.kinds for one in others):
        return "another save of the file holds it"
    value = checkpoint.node.values[place]
    owner = owner_of_state(value) or dotted(value)
    if owner.count(".") and not owner.startswith("self."):
        return "the value is an attribute of something else"
    if owner and not owner.startswith("self.") and _only_parameter(source, checkpoint, owner, value):
        return "the value is a parameter that nothing else uses"
    return ""


def _only_parameter(source: Source, checkpoint: Checkpoint, owner: str, value: ast.expr) -> bool:
    scope = source.scope(checkpoint.save)
    if not isinstance(scope, Function):
        return False
    arguments = scope.args
    if owner not in {one.arg for one in (*arguments.args, *arguments.kwonlyargs, *arguments.posonlyargs)}:
        return False
    inside = set(ast.walk(value))
    uses = [node for node in ast.walk(scope) if isinstance(node, ast.Name) and node.id == owner and node not in inside]
    return not uses


def _readers(source: Source, key: str) -> tuple[Edit, ...] | None:
    """The edits that take out the statements that read an entry; None where one is more than an expression."""
    edits = []
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant) and node.slice.value == key:
            statement = source.statement(node)
            if not isinstance(node.ctx, ast.Load):
                continue
            if isinstance(statement, ast.Assign) and len(statement.targets) == 1 and dotted(statement.targets[0]):
                edits.append(source.replace(statement.value, "0"))
                continue
            if not isinstance(statement, ast.Expr) or not source.stands_alone(statement):
                return None
            edits.append(source.replace(statement, "pass"))
    return tuple(dict.fromkeys(edits))


def _for_optimizer(source: Source, checkpoint: Checkpoint, place: int) -> str:
    if not {"scheduler", "scaler", "progress"} & set(checkpoint.kinds):
        return "no other sign of a resume is left"
    tests = [source.part(one.test) for one in source.above(checkpoint.save) if isinstance(one, ast.If)]
    if _EXPORT.search(source.part(checkpoint.save.args[-1])) or any(_BEST.search(test) for test in tests):
        return "a best or final checkpoint"
    return ""


def _with_optimizer(source: Source, checkpoint: Checkpoint, place: int) -> str:
    if "last_epoch" in source.text and "sched" in source.part(checkpoint.node.values[place]):
        return "the schedule is set by last_epoch"
    return "" if "optimizer" in checkpoint.kinds else "no optimizer state beside it"


def _for_progress(source: Source, checkpoint: Checkpoint, place: int) -> str:
    if "optimizer" not in checkpoint.kinds:
        return "no optimizer state beside it"
    if _PROGRESS.search(source.part(checkpoint.save.args[-1])):
        return "the counter is in the path"
    names = {node.id for node in ast.walk(checkpoint.node.values[place]) if isinstance(node, ast.Name)}
    for node in ast.walk(source.scope(checkpoint.save)):
        if isinstance(node, ast.For) and isinstance(node.target, ast.Name) and node.target.id in names:
            return ""
    return "no loop counter of the same function"


def _for_best(source: Source, checkpoint: Checkpoint, place: int) -> str:
    if "optimizer" not in checkpoint.kinds:
        return "no optimizer state beside it"
    name = dotted(checkpoint.node.values[place])
    tests = [
        node for node in ast.walk(source.tree) if isinstance(node, ast.Compare) and name and name in source.part(node)
    ]
    flags = {dotted(target) for test in tests for target in getattr(source.parents[test], "targets", [])}
    others = {source.part(value) for value in checkpoint.node.values}
    if any(source.part(side) in others - {name} for test in tests for side in (test.left, *test.comparators)):
        return "what it is compared with is saved"
    for node in ast.walk(source.tree):
        if isinstance(node, ast.If) and (set(ast.walk(node.test)) & set(tests) or dotted(node.test) in flags - {""}):
            if re.search(r"torch\.save\(|\.copy\w*\(|\.move\(|\.rename\(", "".join(map(source.part, node.body))):
                return ""
    return "it guards no save of the file"


def _never(source: Source, checkpoint: Checkpoint, place: int) -> str:
    return ""


_FORGOTTEN = {
    "CKP202": ("scheduler", "sched", "torch.optim.lr_scheduler.StepLR({optimizer}, 30)", "{new}.step()"),
    "CKP203": ("scaler", "scaler|amp", "torch.cuda.amp.GradScaler()", "{new}.update()"),
    "CKP207": (
        "ema_model",
        "ema|averag",
        "torch.optim.swa_utils.AveragedModel({model})",
        "{new}.update_parameters({model})",
    ),
}


def forgotten(source: Source) -> Iterator[Site]:
    """202, 203, 207: give the training a scheduler, a scaler or an averaged model, and the checkpoint none."""
    for checkpoint in checkpoints(source):
        owners = {
            kind: owner_of_state(checkpoint.node.values[places[0]])
            for kind, places in checkpoint.kinds.items()
            if kind in ("optimizer", "model") and len(places) == 1
        }
        if len(owners) == 2 and all(owners.values()):
            for code, (name, words, made, used) in _FORGOTTEN.items():
                yield _forgotten(source, checkpoint, owners, code, (name, words, made, used))


def _forgotten(
    source: Source, checkpoint: Checkpoint, owners: dict[str, str], code: str, how: tuple[str, str, str, str]
) -> Site:
    name, words, made, used = how
    optimizer = owners["optimizer"]
    new = f"self.{name}" if optimizer.startswith("self.") else name
    what, row = f"{new} is made and not saved", checkpoint.node.lineno
    home = _home(source, checkpoint, optimizer)
    built = [one for one in _statements(home) if isinstance(one, ast.Assign) and dotted(one.targets[0]) == optimizer]
    if re.search(words, source.text, re.IGNORECASE):
        return Site(code, row, what, reason="the file has one already")
    if "last_epoch" in source.text:
        return Site(code, row, what, reason="the schedule is set by last_epoch")
    if len(built) > 1 or not all(map(source.stands_alone, built)) or checkpoint.changed:
        return Site(code, row, what, reason="the optimizer is not built once where the checkpoint is")
    if not re.search(r"(?m)^import torch[ \t]*$", source.text):
        return Site(code, row, what, reason="torch is not imported")
    texts = {"optimizer": optimizer, "model": owners["model"], "new": new}
    steps = [
        one for one in _statements(home) if isinstance(one, ast.Expr) and source.part(one) == f"{optimizer}.step()"
    ]
    steps = [one for one in steps if source.stands_alone(one)]
    if not steps:
        return Site(code, row, what, reason="no step of the optimizer where it is built")
    line = f"{new} = {made.format(**texts)}"
    if built:
        start = source.after(built[0], line)
    else:
        loops = [one for one in source.above(steps[0]) if isinstance(one, (ast.For, ast.While))]
        loops = [one for one in loops if source.scope(one) is source.scope(checkpoint.save)]
        if not loops or not source.stands_alone(loops[-1]):
            return Site(code, row, what, reason="no loop around the step of the optimizer where the checkpoint is")
        start = source.before(loops[-1], line)
    return Site(code, row, what, (start, source.after(steps[0], used.format(**texts))))


def _home(source: Source, checkpoint: Checkpoint, owner: str) -> ast.AST:
    """The class of a checkpoint where the state belongs to `self`, else the function."""
    if owner.startswith("self."):
        return next((one for one in source.above(checkpoint.save) if isinstance(one, ast.ClassDef)), source.tree)
    return source.scope(checkpoint.save)


def _statements(home: ast.AST) -> Iterator[ast.stmt]:
    return (node for node in ast.walk(home) if isinstance(node, ast.stmt))


def state_in_export(source: Source) -> Iterator[Site]:
    """211: write a training checkpoint to a path that says final."""
    for checkpoint in checkpoints(source):
        if "optimizer" in checkpoint.kinds and "model" in checkpoint.kinds and checkpoint.save in source.saves:
            reason = "already one" if _EXPORT.search(source.part(checkpoint.save.args[-1])) else ""
            edit = source.replace(checkpoint.save.args[1], '"export/final_model.pt"')
            yield Site("CKP211", checkpoint.save.lineno, "export/final_model.pt", (edit,), reason)


MUTATORS = (
    _dropping("CKP201", "optimizer", _for_optimizer),
    _dropping("CKP202", "scheduler", _with_optimizer),
    _dropping("CKP203", "scaler", _with_optimizer),
    _dropping("CKP204", "progress", _for_progress),
    _dropping("CKP205", "rng", _with_optimizer),
    _dropping("CKP206", "version", _never),
    _dropping("CKP207", "ema", _with_optimizer),
    _dropping("CKP210", "best", _for_best),
    forgotten,
    state_in_export,
)
