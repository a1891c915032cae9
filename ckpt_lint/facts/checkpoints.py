"""Checkpoints: what reaches a save call, entry by entry, and which training state each entry holds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ckpt_lint import apis
from ckpt_lint.facts.passing import literal_entries
from ckpt_lint.facts.saves import Save, Saves
from ckpt_lint.facts.states import Entry, States
from ckpt_lint.facts.values import Values
from ckpt_lint.facts.world import World
from ckpt_lint.source import flow
from ckpt_lint.source import tree as t
from ckpt_lint.source.module import ModuleFacts, last_name

_MAX_DEPTH = 6


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """What a save writes.

    `shape` is "dict", "sequence" or "object" (then the only entry is the object itself). `literal` is the dict display
    or `dict(...)` call that stands for it in reports and takes new entries. `open` says that it may hold more.
    """

    save: Save
    shape: str
    entries: tuple[Entry, ...]
    open: bool
    literal: t.Expr | None
    module: ModuleFacts

    @property
    def where(self) -> t.Node:
        """Where rules on missing entries report: the dict, else the save call."""
        return self.literal if self.literal is not None else self.save.call

    @property
    def keys(self) -> tuple[str, ...]:
        """The constant keys."""
        return tuple(entry.key for entry in self.entries if entry.key is not None)

    def entry(self, key: str) -> Entry | None:
        """The entry with a key; of several the last."""
        return next((entry for entry in reversed(self.entries) if entry.key == key), None)


@dataclass(frozen=True, slots=True)
class _Content:
    shape: str
    entries: tuple[Entry, ...]
    open: bool
    literal: t.Expr | None
    module: ModuleFacts


class Checkpoints:
    """The checkpoints of a world's saves."""

    def __init__(self, world: World, values: Values, saves: Saves) -> None:
        self.world = world
        self.values = values
        self.saves = saves
        self._of: dict[t.Expr, Checkpoint] = {}
        self._states = States(values)

    def of(self, save: Save) -> Checkpoint:
        """What a save writes."""
        known = self._of.get(save.value)
        if known is None:
            content = self.content(save.module, save.value)
            known = Checkpoint(save, content.shape, content.entries, content.open, content.literal, content.module)
            self._of[save.value] = known
        return known

    # -- reading the value ------------------------------------------------------------------------------------------

    def content(self, module: ModuleFacts, value: t.Expr, depth: int = _MAX_DEPTH) -> _Content:
        """The entries of a value, wherever it was built."""
        if isinstance(value, t.Dict):
            entries, is_open = self._of_display(module, value, depth)
            return _Content("dict", entries, is_open, value, module)
        if isinstance(value, t.Sequence):
            items = tuple(Entry(str(i), item, module) for i, item in enumerate(value.items))
            return _Content("sequence", items, any(isinstance(i, t.Starred) for i in value.items), value, module)
        if isinstance(value, t.Call):
            found = self._of_call(module, value, depth)
            if found is not None:
                return found
        if isinstance(value, t.Comprehension) and value.kind == "dict":
            return _Content("dict", (), True, None, module)
        if isinstance(value, (t.Name, t.Attribute)) and depth > 0:
            found = self._of_variable(module, value, depth)
            if found is not None:
                return found
        return _Content("object", (Entry(None, value, module),), False, None, module)

    def _of_display(self, module: ModuleFacts, value: t.Dict, depth: int) -> tuple[tuple[Entry, ...], bool]:
        entries: list[Entry] = []
        is_open = False
        for key, item in zip(value.keys, value.values, strict=True):
            if key is None:
                known = literal_entries(module, item)
                if known is None and depth > 0:
                    inner = self.content(module, item, depth - 1)
                    entries.extend(inner.entries if inner.shape == "dict" else ())
                    is_open = is_open or inner.shape != "dict" or inner.open
                else:
                    entries.extend(Entry(k, v, module) for k, v in (known or {}).items())
            else:
                name = module.string(key)
                entries.append(Entry(name if name is not None else _number(key), item, module))
                is_open = is_open or entries[-1].key is None
        return tuple(entries), is_open

    def _of_call(self, module: ModuleFacts, call: t.Call, depth: int) -> _Content | None:
        names = module.names.of(call.func)
        if "builtins.dict" in names or "collections.OrderedDict" in names:
            return self._of_dict_call(module, call, depth)
        if "copy.deepcopy" in names or "copy.copy" in names:
            return self.content(module, call.args[0].value, depth - 1) if call.args and depth else None
        if "dataclasses.asdict" in names and call.args:
            return self._of_dataclass(module, call.args[0].value)
        if set(names) & {apis.TORCH_LOAD, apis.HUB_LOAD, apis.ULTRALYTICS_LOAD}:
            return _Content("dict", (), True, None, module)
        if depth > 0:
            return self._of_returned(module, call, depth)
        return None

    def _of_dict_call(self, module: ModuleFacts, call: t.Call, depth: int) -> _Content:
        entries: list[Entry] = []
        is_open = False
        for arg in call.args:
            if arg.keyword is not None:
                entries.append(Entry(arg.keyword, arg.value, module))
            elif depth > 0:
                inner = self.content(module, arg.value, depth - 1)
                entries.extend(inner.entries if inner.shape == "dict" else ())
                is_open = is_open or inner.shape != "dict" or inner.open
            else:
                is_open = True
        return _Content("dict", tuple(entries), is_open, call, module)

    def _of_dataclass(self, module: ModuleFacts, value: t.Expr) -> _Content:
        entries: list[Entry] = []
        for origin in self.values.origins(module, value):
            if not isinstance(origin.node, t.Call):
                continue
            for found in self.world.callees(origin.module, origin.node):
                if isinstance(found.node, t.ClassDef):
                    entries.extend(_dataclass_entries(origin.node, found.node, origin.module))
                    return _Content("dict", tuple(entries), False, origin.node, origin.module)
        return _Content("dict", (), True, None, module)

    def _of_returned(self, module: ModuleFacts, call: t.Call, depth: int) -> _Content | None:
        found = [d for d in self.world.callees(module, call) if isinstance(d.node, t.FunctionDef)]
        contents = [self.content(d.module, v, depth - 2) for d in found for v in flow.returned_values(d.node)]
        dicts = [content for content in contents if content.shape == "dict"]
        if not dicts:
            return None
        return _merged(dicts) if len(dicts) == len(contents) else replace(_merged(dicts), open=True)

    def _of_variable(self, module: ModuleFacts, value: t.Expr, depth: int) -> _Content | None:
        bindings = module.names.bindings(value)
        if not bindings or any(b.how == "param" for b in bindings):
            return _Content("dict", (), True, None, module) if self._filled(module, value) else None
        contents = []
        for binding in bindings:
            if binding.how != "assign" or binding.value is None or binding.value is value:
                if binding.how not in ("augment", "delete"):
                    return None
                continue
            contents.append(self.content(module, binding.value, depth - 1))
        if not contents or any(c.shape != contents[0].shape for c in contents):
            return None
        if contents[0].shape == "object":
            return contents[0] if len(contents) == 1 and not self._filled(module, value) else (
                _Content("dict", (), True, None, module) if self._filled(module, value) else None
            )
        base = _merged(contents)
        if base.shape == "sequence":
            grown = any(_method(place) in ("append", "extend", "insert") for place in module.uses(value))
            return replace(base, open=base.open or grown)
        return self._with_later_entries(module, value, base)

    def _filled(self, module: ModuleFacts, value: t.Expr) -> bool:
        return any(
            isinstance(place.parent, t.Subscript) and place.role == "value" and place.parent.role == "targets"
            for place in module.uses(value)
            if place.start < value.start and flow.body_of(place) is flow.body_of(value)
        )

    def _with_later_entries(self, module: ModuleFacts, value: t.Expr, base: _Content) -> _Content:
        """Adds `d["k"] = v`, `d.update(...)`, `d.pop("k")` between the binding and the save."""
        entries, is_open = list(base.entries), base.open
        first = min((flow.statement_of(b.node).end for b in module.names.bindings(value) if b.value), default=0)
        for place in module.uses(value):
            here = flow.body_of(place) is flow.body_of(value)
            if here and (not first <= place.start < value.start or flow.exclusive(place, value)):
                continue
            parent = place.parent
            if isinstance(parent, t.Subscript) and place.role == "value" and parent.role == "targets":
                added, opened = self._stored(module, parent)
            elif _method(place) in ("update", "setdefault") and isinstance(parent.parent, t.Call):
                added, opened = self._updated(module, parent.parent)
            elif _handed_on(place):
                added, opened = [], not self._is_saved(module, place)
            else:
                continue
            entries.extend(added)
            is_open = is_open or opened
        return replace(base, entries=tuple(entries), open=is_open)

    def _is_saved(self, module: ModuleFacts, place: t.Expr) -> bool:
        """Whether a dict is handed to a save wrapper, which fills nothing in."""
        call = place.parent.parent
        found = self.world.callees(module, call) if isinstance(call, t.Call) else ()
        return bool(found) and all(self.saves.inside(definition) for definition in found)

    def _stored(self, module: ModuleFacts, target: t.Subscript) -> tuple[list[Entry], bool]:
        statement = target.parent
        key = module.string(target.sub)
        if not isinstance(statement, t.Assign):
            return [], True
        if key is None:
            return [Entry(None, statement.value, module)], True
        return [Entry(key, statement.value, module)], False

    def _updated(self, module: ModuleFacts, call: t.Call) -> tuple[list[Entry], bool]:
        entries: list[Entry] = []
        is_open = False
        for arg in call.args:
            if arg.keyword is not None:
                entries.append(Entry(arg.keyword, arg.value, module))
            else:
                inner = self.content(module, arg.value, 2)
                entries.extend(inner.entries if inner.shape == "dict" else ())
                is_open = is_open or inner.shape != "dict" or inner.open
        return entries, is_open

    def states(self, entry: Entry) -> frozenset[str]:
        """The training state that an entry holds: roles, RNG, COUNTER, VERSION, WEIGHTS. By value, else by key."""
        return self._states.of(entry)


def _merged(contents: Sequence[_Content]) -> _Content:
    first = contents[0]
    entries = tuple(entry for content in reversed(contents) for entry in content.entries)
    return replace(first, entries=entries, open=any(content.open for content in contents))


def _dataclass_entries(call: t.Call, definition: t.ClassDef, module: ModuleFacts) -> Iterator[Entry]:
    fields = [s.target.id for s in definition.body if isinstance(s, t.AnnAssign) and isinstance(s.target, t.Name)]
    position = 0
    for arg in call.args:
        if arg.keyword is not None:
            yield Entry(arg.keyword, arg.value, module)
        elif not arg.star and position < len(fields):
            yield Entry(fields[position], arg.value, module)
            position += 1


def _number(key: t.Expr) -> str | None:
    return str(key.value) if isinstance(key, t.Constant) and isinstance(key.value, (int, str)) else None


def _method(place: t.Expr) -> str | None:
    parent = place.parent
    if isinstance(parent, t.Attribute) and isinstance(parent.parent, t.Call) and parent.role == "func":
        return parent.attr
    return None


def _handed_on(place: t.Expr) -> bool:
    """Whether a dict goes, itself, to a function that may fill it."""
    if not isinstance(place.parent, t.Argument) or not isinstance(place.parent.parent, t.Call):
        return False
    name = last_name(place.parent.parent.func)
    return name not in ("save", "len", "print", "deepcopy", "load_state_dict", "dict", "isinstance", "sorted", "list")

