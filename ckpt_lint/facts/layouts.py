"""Whether a save writes the layout that a restore takes: nested or bare, with wrappers' prefixes or without."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ckpt_lint import apis
from ckpt_lint.facts.checkpoints import Checkpoint
from ckpt_lint.facts.guards import tests_above
from ckpt_lint.facts.linked import linked_saves
from ckpt_lint.facts.moves import Placement
from ckpt_lint.facts.restores import Part, Restore
from ckpt_lint.facts.saves import Save
from ckpt_lint.facts.state_dicts import is_bare_state_dict
from ckpt_lint.facts.states import WEIGHTS, Entry
from ckpt_lint.facts.unwrapping import MODULE_ATTRIBUTES
from ckpt_lint.facts.view import View
from ckpt_lint.facts.wrapping import PREFIXES, wrapped
from ckpt_lint.source import flow
from ckpt_lint.source import tree as t
from ckpt_lint.source.module import ModuleFacts

NESTED = "nested"
BARE = "bare"
PREFIXED = "prefixed"
_MARKS = ("module.", "_orig_mod.")


@dataclass(frozen=True, slots=True, eq=False)
class Mismatch:
    """A restore and the save that it does not fit. `kind` says how; `saved` and `wanted` are prefixes or a key."""

    kind: str
    restore: Restore
    save: Save
    part: Part
    saved: str
    wanted: str


def mismatches(view: View) -> Iterator[Mismatch]:
    """The restores of modules whose matching saves all write another layout."""
    for restore in view.restores:
        parts = _one_way(view, restore) if restore.role == apis.MODULE else ()
        found = [_of_part(view, restore, part) for part in parts]
        if found and found[0] is not None and all(f is not None and f.kind == found[0].kind for f in found):
            if not _is_tested(view, found[0]):
                yield found[0]


def _one_way(view: View, restore: Restore) -> tuple[Part, ...]:
    """What of a file is restored, where there is one way into it and nothing was changed on the way."""
    parts = view.facts.restores.parts(view.module, restore.state)
    if any(part.changed or part.keys != parts[0].keys for part in parts):
        return ()
    return parts


def _of_part(view: View, restore: Restore, part: Part) -> Mismatch | None:
    """How the saves behind one load do not fit, where all of them do not, in one way."""
    saves = linked_saves(view.facts, part.load)
    if not saves or any(view.checkpoint(save).open for save in saves):
        return None
    found = [_mismatch(view, restore, part, save) for save in saves]
    same = all(f is not None and found[0] is not None and f.kind == found[0].kind for f in found)
    return found[0] if same else None


def _is_tested(view: View, found: Mismatch) -> bool:
    """Whether the code around a restore looks at prefixes, asks for a key, or catches what does not fit."""
    call = found.restore.call
    if any(isinstance(parent, t.Try) and parent.handlers for parent in t.ancestors(call)):
        return True
    for node in t.walk(flow.function_of(call) or view.module.root):
        if isinstance(node, t.Constant) and isinstance(node.value, str) and found.kind == PREFIXED:
            if node.value.startswith(_MARKS):
                return True
        if isinstance(node, t.Compare) and node.ops[0] in ("in", "not in"):
            if view.module.string(node.left) in (found.saved, found.wanted):
                return True
    keys = view.checkpoint(found.save).keys
    return any(_asks_for(view.module, test.test, keys) for test in tests_above(call))


def _asks_for(module: ModuleFacts, test: t.Expr, keys: Sequence[str]) -> bool:
    """`if "epoch" in checkpoint`: the two layouts are told apart by a key of one of them."""
    asked = (n for n in t.walk(test) if isinstance(n, t.Compare) and n.ops[0] in ("in", "not in"))
    return any(module.string(node.left) in keys for node in asked)


def _mismatch(view: View, restore: Restore, part: Part, save: Save) -> Mismatch | None:
    checkpoint = view.checkpoint(save)
    if not part.keys and checkpoint.shape == "dict":
        entry = _nested_weights(view, checkpoint)
        return Mismatch(NESTED, restore, save, part, entry.key or "", "") if entry is not None else None
    if len(part.keys) == 1 and checkpoint.shape == "object":
        key = part.keys[0]
        if isinstance(key, str) and key != "?" and not key.startswith(".") and is_bare_state_dict(view, save):
            return Mismatch(BARE, restore, save, part, "", key)
        return None
    entry = _entry(checkpoint, part.keys)
    return _prefixed(view, restore, part, save, entry) if entry is not None else None


def _nested_weights(view: View, checkpoint: Checkpoint) -> Entry | None:
    """The entry of a checkpoint that holds a state dict."""
    for entry in checkpoint.entries:
        if entry.key is None:
            return None
        if WEIGHTS in view.facts.checkpoints.states(entry) and _receiver(entry) is not None:
            return entry
    return None


def _entry(checkpoint: Checkpoint, keys: Sequence[str | int]) -> Entry | None:
    """The entry that the way into a checkpoint leads to."""
    if not keys and checkpoint.shape == "object" and len(checkpoint.entries) == 1:
        return checkpoint.entries[0]
    if len(keys) == 1 and isinstance(keys[0], str) and checkpoint.shape == "dict":
        return checkpoint.entry(keys[0])
    return None


def _receiver(entry: Entry) -> t.Expr | None:
    """`m` of `m.state_dict()`."""
    value = entry.value
    if isinstance(value, t.Call) and isinstance(value.func, t.Attribute) and value.func.attr == "state_dict":
        return value.func.value
    return None


def _prefixed(view: View, restore: Restore, part: Part, save: Save, entry: Entry) -> Mismatch | None:
    receiver = _receiver(entry)
    saved = _prefix(view, entry.module, receiver) if receiver is not None else None
    wanted = _prefix(view, view.module, restore.receiver)
    if wanted is None and receiver is not None and _is_what_was_wrapped(view, restore.receiver, entry.module, receiver):
        wanted = ""
    if saved is None and receiver is not None and _is_inside(view, entry.module, receiver, restore.receiver):
        saved = ""
    if saved is None or wanted is None or saved == wanted:
        return None
    return Mismatch(PREFIXED, restore, save, part, saved, wanted)


def _is_what_was_wrapped(view: View, restored: t.Expr, module: ModuleFacts, saved: t.Expr) -> bool:
    """Whether the saved module is a wrapper around the very object that was restored before: `net = DDP(net)` between.

    Whatever that object is, the keys of the two differ by the prefix.
    """
    values = view.facts.values
    found = wrapped(values, module, saved)
    if found is None or found.conditional or len(found.prefixes) != 1 or found.module is not view.module:
        return False
    inner = found.call.args[0].value if found.call.args else None
    if not isinstance(inner, t.Name) or not isinstance(restored, t.Name) or inner.id != restored.id:
        return False
    if flow.body_of(inner) is not flow.body_of(restored) or inner.start < restored.start:
        return False
    return view.module.names.bindings(inner) == view.module.names.bindings(restored)


def _is_inside(view: View, module: ModuleFacts, saved: t.Expr, restored: t.Expr) -> bool:
    """Whether the saved module is `net.module` of the very wrapper `net` that is restored.

    Only names that are wrapped in the same function: another one may restore before they are.
    """
    if not isinstance(saved, t.Attribute) or saved.attr not in MODULE_ATTRIBUTES or not isinstance(restored, t.Name):
        return False
    values = view.facts.values
    outer, other = wrapped(values, module, saved.value), wrapped(values, view.module, restored)
    if outer is None or other is None or outer.call is not other.call:
        return False
    if flow.body_of(other.call) is not flow.body_of(restored) or other.call.start > restored.start:
        return False
    return not outer.conditional and not other.conditional and len(outer.prefixes) == 1


def _prefix(view: View, module: ModuleFacts, expr: t.Expr) -> str | None:
    """The prefix of a module's keys: "" where it surely has none, None where nobody can tell."""
    values = view.facts.values
    if not Placement(view.facts.world, values).is_left_alone(module):
        return None
    found = wrapped(values, module, expr)
    if found is not None:
        return None if found.conditional else found.prefix
    origins = values.origins(module, expr)
    plain = all(
        isinstance(o.node, t.Call)
        and o.how == "value"
        and apis.MODULE in values.kinds_of(o)
        and not set(o.module.names.of(o.node.func)) & set(PREFIXES)
        for o in origins
    )
    return "" if origins and plain else None
