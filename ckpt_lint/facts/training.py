"""Training checkpoints: which saves write one, what it holds, what was in scope and is missing. RULES.md, CKP2."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ckpt_lint import apis
from ckpt_lint.facts.checkpoints import Checkpoint, Checkpoints
from ckpt_lint.facts.in_scope import STATES, InScope, Subject, is_rebuilt
from ckpt_lint.facts.paths import opened, path_facts
from ckpt_lint.facts.progress import Progress, is_loop_counter
from ckpt_lint.facts.resume import Resumes
from ckpt_lint.facts.roles import named_role, role_of
from ckpt_lint.facts.saves import Save, Saves
from ckpt_lint.facts.states import COUNTER, COUNTER_KEY, WEIGHTS, Entry
from ckpt_lint.facts.values import Values
from ckpt_lint.facts.world import Definition, World, bind, is_method_call
from ckpt_lint.source import flow
from ckpt_lint.source import tree as t
from ckpt_lint.source.module import ModuleFacts, last_name
from ckpt_lint.source.names import path_key

EXPORT_WORD = re.compile(r"best|final|export|deploy|infer", re.IGNORECASE)
NAMES = {
    apis.OPTIMIZER: "optimizer state", apis.SCHEDULER: "scheduler state", apis.SCALER: "gradient scaler state",
    COUNTER: "progress counter", apis.EMA: "EMA weights",
}  # fmt: skip
_MARKERS = frozenset({apis.OPTIMIZER, apis.SCHEDULER, apis.SCALER, COUNTER})
_HOLDERS = re.compile(
    r"trainer|^state$|train_state|engine|agent|algo|learner|runner|system|accelerator|^self$|callback|loader|sampler"
)
_CARRIERS = re.compile(r"extra|(^|_)state$|other|misc|client|(^|_)meta(_?data|_?info)?$")
"""Keys under which callers hand in what else they want saved."""
_DEPTH = 3


@dataclass(frozen=True, slots=True, eq=False)
class TrainingCheckpoint:
    """What one save writes, together with the saves of the same block to sibling files.

    `held` are the states in it, those left out on purpose (`None`) among them; `written` those that are really there.
    `open` says that it may hold more. `parts` are the checkpoints, the main one (a dict with weights) first.
    """

    parts: tuple[Checkpoint, ...]
    held: frozenset[str]
    written: frozenset[str]
    open: bool
    mentioned: frozenset[str]

    @property
    def main(self) -> Checkpoint:
        """The checkpoint that stands for all of them in reports."""
        return self.parts[0]

    @property
    def save(self) -> Save:
        """The save of the main one."""
        return self.main.save

    @property
    def is_training(self) -> bool:
        """Model weights and a resume marker."""
        return WEIGHTS in self.written and bool(self.written & _MARKERS)

    def holds(self, subject: Subject) -> bool:
        """Whether an entry holds, or is made from, a subject: by its state or by its name."""
        return subject.role in self.held or subject.name in self.mentioned


class Training:
    """The training checkpoints of a world's modules."""

    def __init__(self, world: World, values: Values, saves: Saves, checkpoints: Checkpoints, resumes: Resumes) -> None:
        self.world = world
        self.values = values
        self.saves = saves
        self.checkpoints = checkpoints
        self.resumes = resumes
        self.scope = InScope(world, values)
        self.progress = Progress(world, values, checkpoints)
        self._of: dict[ModuleFacts, tuple[TrainingCheckpoint, ...]] = {}
        self._missing: dict[TrainingCheckpoint, tuple[Subject, ...]] = {}

    def of(self, module: ModuleFacts) -> tuple[TrainingCheckpoint, ...]:
        """The training checkpoints that a module writes, one for each group of sibling files, in source order."""
        known = self._of.get(module)
        if known is None:
            self._of[module] = ()
            groups = (self._read(group) for group in self._groups(module))
            known = self._of[module] = tuple(group for group in groups if group.is_training)
        return known

    def in_file(self, module: ModuleFacts) -> tuple[TrainingCheckpoint, ...]:
        """Those of all modules of the file that a module stands in."""
        modules = self.world.modules_of(module.path) or (module,)
        return tuple(c for m in modules for c in self.of(m))

    # -- groups -----------------------------------------------------------------------------------------------------

    def _groups(self, module: ModuleFacts) -> Iterator[tuple[Save, ...]]:
        """The saves of a module to files, those of one block to files of one directory together."""
        groups: list[tuple[object, str | None, list[Save]]] = []
        seen: set[tuple[t.Call, t.Expr]] = set()
        for save in self.saves.of(module):
            if (save.call, save.value) in seen or self.saves.in_memory(save):
                continue
            seen.add((save.call, save.value))
            statement = flow.statement_of(save.call)
            block = (statement.parent, statement.role)
            folder = directory(self.values, save)
            for other_block, other_folder, members in groups:
                if other_block == block and (folder is None or other_folder in (None, folder)):
                    members.append(save)
                    break
            else:
                groups.append((block, folder, [save]))
        yield from (tuple(members) for _, _, members in groups)

    def _by_wrappers(self, saves: Sequence[Save]) -> Iterator[Save]:
        """What the wrappers of saves write besides what they are given: the optimizer's file beside the model's."""
        for wrapper in dict.fromkeys(save.wrapper for save in saves if save.wrapper is not None):
            for other in self.saves.direct(wrapper.module):
                if not other.passed and flow.function_of(other.call) is wrapper.node and not self.saves.in_memory(other):
                    yield other

    def _read(self, saves: Sequence[Save]) -> TrainingCheckpoint:
        parts = [self.checkpoints.of(save) for save in saves]
        beside = [self.checkpoints.of(save) for save in self._by_wrappers(saves)]
        states = {part: self._written(part) for part in (*parts, *beside)}
        parts.sort(key=lambda p: (p.shape != "dict", WEIGHTS not in states[p], p.save.call.start))
        parts.extend(beside)
        held = {s for part in parts for entry in part.entries for s in self._states(entry)}
        mentioned = {name for part in parts for entry in part.entries for name in mentions(entry.module, entry.value)}
        return TrainingCheckpoint(
            tuple(parts),
            frozenset(held),
            frozenset(s for found in states.values() for s in found),
            any(self._open(part) for part in parts),
            frozenset(mentioned),
        )

    def _written(self, part: Checkpoint) -> frozenset[str]:
        return frozenset(s for e in part.entries if not e.left_out for s in self._states(e))

    def _states(self, entry: Entry) -> frozenset[str]:
        states = self.checkpoints.states(entry)
        if COUNTER in states and not entry.left_out and not self.progress.holds(entry):
            states -= {COUNTER}
        return states

    def _open(self, part: Checkpoint) -> bool:
        if part.shape == "object":
            entry = part.entries[0]
            return not self.checkpoints.states(entry) and not self.values.kinds(entry.module, entry.value)
        return part.open or any(self._opaque(entry) for entry in part.entries)

    def _opaque(self, entry: Entry) -> bool:
        """An entry that may hold any training state: what a trainer, an engine or another checkpoint gives."""
        value = entry.value
        if isinstance(value, t.Name) and _CARRIERS.search(entry.key or value.id):
            handed_in = any(b.how == "param" for b in entry.module.names.bindings(value))
            unknown = not self.values.kinds(entry.module, value)
            return (handed_in or unknown) and not self.checkpoints.states(entry)
        if not isinstance(value, t.Call) or not isinstance(value.func, t.Attribute):
            return False
        if value.func.attr not in ("state_dict", "get_state", "state", "checkpoint") or value.args:
            return False
        receiver = value.func.value
        carrier = bool(_HOLDERS.search(last_name(receiver)))
        role = role_of(self.values, entry.module, receiver)
        if role is not None and (role != apis.MODULE or not carrier or self._built(entry.module, receiver)):
            return False
        holders = self.world.classes_of(entry.module, receiver)
        return carrier or any(self.world.methods(holder, "state_dict") for holder in holders)

    def _built(self, module: ModuleFacts, receiver: t.Expr) -> bool:
        return apis.MODULE in self.values.kinds(module, receiver)

    # -- what is missing --------------------------------------------------------------------------------------------

    def missing(self, checkpoint: TrainingCheckpoint) -> tuple[Subject, ...]:
        """The states in scope that a training checkpoint does not hold, nor any other one of the same file.

        Empty where its key set is open. Of each role the subjects, the counter as one more; schedules that the program
        makes again are none.
        """
        known = self._missing.get(checkpoint)
        if known is None:
            known = self._missing[checkpoint] = () if checkpoint.open else tuple(self._find_missing(checkpoint))
        return known

    def _find_missing(self, checkpoint: TrainingCheckpoint) -> Iterator[Subject]:
        others = self._held_elsewhere(checkpoint)
        pickled = frozenset(self._pickled_beside(checkpoint.save))
        found = [s for s in _outermost(self._subjects(checkpoint)) if s.role not in others and not checkpoint.holds(s)]
        found = [s for s in found if s.name not in pickled]
        rebuilt = {s.role for s in found if s.role == apis.SCHEDULER and self._finds_its_place(s)}
        for role in STATES:
            if role not in rebuilt and role not in checkpoint.held:
                yield from (s for s in found if s.role == role)
        if COUNTER not in checkpoint.held | others and not self._counts_otherwise(checkpoint):
            counter = self.progress.in_scope(*_where(checkpoint.main))
            if counter is not None:
                yield counter

    def _finds_its_place(self, scheduler: Subject) -> bool:
        return is_rebuilt(scheduler) or self.scope.sets_itself(scheduler) or self.scope.made_where_it_was(scheduler)

    def _counts_otherwise(self, checkpoint: TrainingCheckpoint) -> bool:
        """Whether the path has the counter in it, or an entry is one under a name that does not say so."""
        if any(self.progress.in_path(part.save) for part in checkpoint.parts):
            return True
        entries = [e for part in checkpoint.parts for e in part.entries]
        counted = any(COUNTER in self.checkpoints.states(e) for e in entries)
        return counted or any(is_loop_counter(e.module, e.value) for e in entries)

    def _subjects(self, checkpoint: TrainingCheckpoint) -> tuple[Subject, ...]:
        main = checkpoint.main
        at_dict = self.scope.at(*_where(main))
        if main.literal is None or flow.body_of(main.literal) is flow.body_of(main.save.call):
            return at_dict
        function = flow.function_of(main.literal)
        if function is not None and len(self.world.callers(Definition(main.module, function))) > 1:
            return at_dict  # what every caller has is in it
        known = {(s.role, s.name) for s in at_dict}
        at_save = self.scope.at(main.save.module, main.save.call)
        return (*at_dict, *(replace(s, nameable=False) for s in at_save if (s.role, s.name) not in known))

    def _held_elsewhere(self, checkpoint: TrainingCheckpoint) -> frozenset[str]:
        if _state_saved_whole(checkpoint.save.module):
            return frozenset({COUNTER, *STATES})
        others = (c for c in self.in_file(checkpoint.save.module) if c is not checkpoint)
        held = {s for c in others for s in (c.held | ({COUNTER, *STATES} if c.open else set()))}
        return frozenset(held.union(*(self._written(self.checkpoints.of(save)) for save in self._beside(checkpoint))))

    def _beside(self, checkpoint: TrainingCheckpoint) -> Iterator[Save]:
        """Saves to the same directory under an `if` of the same block: `if ema is not None: torch.save(...)`."""
        folder = directory(self.values, checkpoint.save)
        block = flow.block_of(flow.statement_of(checkpoint.save.call))
        for save in self.saves.of(checkpoint.save.module) if folder else ():
            inside = any(parent in block for parent in t.ancestors(save.call) if isinstance(parent, t.If))
            if inside and not self.saves.in_memory(save) and directory(self.values, save) == folder:
                yield save

    def _pickled_beside(self, save: Save) -> Iterator[str]:
        """The variables in what the function of a save pickles into the same directory: `pickle.dump(data, file)`."""
        module, folder = save.module, directory(self.values, save)
        for call in module.calls if folder else ():
            args = [arg.value for arg in call.args if not arg.star]
            if len(args) < 2 or flow.function_of(call) is not flow.function_of(save.call):
                continue
            if any(name in apis.PICKLE_DUMPS for name in module.names.of(call.func)):
                stream = opened(module, args[1]) if isinstance(args[1], t.Name) else None
                if _folder(module, stream or args[1]) == folder:
                    yield from mentions(module, args[0])

    # -- where it goes ----------------------------------------------------------------------------------------------

    def path_words(self, save: Save) -> tuple[str, ...]:
        """What the path of a save says of itself: one text, or one for each caller that gives a part of it."""
        own = path_facts(self.values, save.path_module, save.path).words
        given = tuple(self._given_words(save))
        return tuple(f"{own} {words}" for words in given) or (own,)

    def _given_words(self, save: Save) -> Iterator[str]:
        function = flow.function_of(save.path) if save.path is not None else None
        if function is None or save.path is None:
            return
        named = _params_in(save.path_module, save.path, _DEPTH)
        for site in self.world.callers(Definition(save.path_module, function)) if named else ():
            values = bind(site.call, function, instance=is_method_call(site.call, function)).values
            texts = [path_facts(self.values, site.module, values[p]).words for p in sorted(named) if p in values]
            yield " ".join(texts)

    def is_export(self, save: Save) -> bool:
        """Whether every way to a save gives it a path that says best, final, export, deploy or infer."""
        return all(EXPORT_WORD.search(words) for words in self.path_words(save))


def _outermost(subjects: Sequence[Subject]) -> Iterator[Subject]:
    """Without `optimizer.inner` beside `optimizer`: one holds the other, and may have no `state_dict` of its own."""
    for subject in subjects:
        alike = [other for other in subjects if other.role == subject.role]
        if not any(subject.name.startswith(f"{other.name}.") for other in alike):
            holds = any(other.name.startswith(f"{subject.name}.") for other in alike)
            yield replace(subject, certain=False) if holds else subject


def _where(checkpoint: Checkpoint) -> tuple[ModuleFacts, t.Node]:
    if checkpoint.literal is not None:
        return checkpoint.module, checkpoint.literal
    return checkpoint.save.module, checkpoint.save.call


def _params_in(module: ModuleFacts, expr: t.Expr, depth: int) -> set[str]:
    """The parameters that an expression is made from, through local names."""
    out: set[str] = set()
    for node in t.walk(expr):
        if isinstance(node, t.Name):
            for binding in module.names.bindings(node):
                if binding.how == "param":
                    out.add(binding.name)
                elif binding.how == "assign" and binding.value is not None and depth > 0:
                    out |= _params_in(module, binding.value, depth - 1)
    return out


def mentions(module: ModuleFacts, expr: t.Expr, depth: int = _DEPTH) -> Iterator[str]:
    """Every variable that a value is made from, as it is written, through local names."""
    for node in t.walk(expr):
        if isinstance(node, (t.Name, t.Attribute)):
            key = path_key(node)
            if key:
                yield key
            for value in _followed(module, node) if isinstance(node, t.Name) and depth > 0 else ():
                yield from mentions(module, value, depth - 1)


def _followed(module: ModuleFacts, name: t.Name) -> Iterator[t.Expr]:
    """What a name was made from. Of an object whose method gives the value only other names: not what built it.

    A scaler or a counter that a call gives beside other things is not made from all that the call was given.
    """
    itself = bool(COUNTER_KEY.search(name.id)) or named_role(name.id) is not None
    for binding in module.names.bindings(name):
        if binding.value is None or binding.how not in ("assign", "unpack", "item"):
            continue
        if itself and binding.how == "unpack" and isinstance(binding.value, t.Call):
            continue
        if not isinstance(name.parent, t.Attribute) or isinstance(binding.value, (t.Name, t.Attribute, t.IfExp)):
            yield binding.value


def directory(values: Values, save: Save) -> str | None:
    """The directory that a save writes into, as an expression; None where the path does not say."""
    if save.path is None:
        return None
    return _folder(save.path_module, save.path)


def _folder(module: ModuleFacts, path: t.Expr) -> str | None:
    text = _spelled(module, path, _DEPTH)
    head, slash, _ = text.rpartition("/")
    if slash:
        return head
    return None if text.startswith("{") and text.endswith("}") and text.count("{") == 1 else ""


def _spelled(module: ModuleFacts, expr: t.Expr, depth: int) -> str:
    """A path expression as text, variables in braces."""
    if isinstance(expr, t.Constant):
        return str(expr.value)
    if isinstance(expr, t.JoinedStr):
        return "".join(_spelled(module, piece, depth) for piece in expr.values)
    if isinstance(expr, t.BinOp) and expr.op in ("+", "/"):
        return ("/" if expr.op == "/" else "").join(_spelled(module, side, depth) for side in (expr.left, expr.right))
    if isinstance(expr, t.BinOp) and expr.op == "%":
        return _spelled(module, expr.left, depth)
    if isinstance(expr, t.Call):
        return _spelled_call(module, expr, depth)
    if isinstance(expr, t.Name) and depth > 0:
        bindings = [b for b in module.names.bindings(expr) if b.how == "assign" and b.value is not None]
        if len(bindings) == 1 and bindings[0].value is not None:
            return _spelled(module, bindings[0].value, depth - 1)
    return "{" + (path_key(expr) or str(expr.index)) + "}"


def _spelled_call(module: ModuleFacts, call: t.Call, depth: int) -> str:
    args = [arg.value for arg in call.args if arg.keyword is None and not arg.star]
    if last_name(call.func) in ("join", "joinpath", "Path"):
        if last_name(call.func) == "joinpath" and isinstance(call.func, t.Attribute):
            args.insert(0, call.func.value)
        return "/".join(_spelled(module, part, depth) for part in args)
    if last_name(call.func) in ("str", "abspath", "expanduser", "open") and args:
        return _spelled(module, args[0], depth)
    if isinstance(call.func, t.Attribute) and call.func.attr == "format":
        return _spelled(module, call.func.value, depth)
    return "{" + str(call.index) + "}"


def _state_saved_whole(module: ModuleFacts) -> bool:
    """`accelerator.save_state(folder)`, which writes the optimizer, the scheduler and the scaler, too."""
    return any(isinstance(call.func, t.Attribute) for call in module.calls_by_name.get("save_state", ()))
