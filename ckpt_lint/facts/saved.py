"""What reaches a save, value by value: the object itself, the entries of a dict, the items of a list, nested too."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ckpt_lint.facts.checkpoints import Checkpoints
from ckpt_lint.facts.saves import Save
from ckpt_lint.facts.values import Origin, Values
from ckpt_lint.source import tree as t
from ckpt_lint.source.module import ModuleFacts

MAX_NESTING = 3


@dataclass(frozen=True, slots=True, eq=False)
class Saved:
    """A value in a checkpoint, an expression of `module`; `keys` is the way to it, () for the saved object itself."""

    save: Save
    keys: tuple[str, ...]
    value: t.Expr
    module: ModuleFacts

    def call_in(self, module: ModuleFacts) -> t.Node:
        """What findings on this value are about: the save call for the object itself, else the value."""
        return self.value if self.keys and self.module is module else self.save.call

    def where(self, module: ModuleFacts, node: t.Node | None = None) -> t.Node:
        """Where to report in `module`: the node (else the value) if it stands there, else the save call."""
        return (node or self.value) if self.module is module else self.save.call

    def __str__(self) -> str:
        return "".join(f"[{key!r}]" for key in self.keys)


def saved_values(checkpoints: Checkpoints, save: Save) -> Iterator[Saved]:
    """Every value that reaches a save, entries that are literally None left out."""
    checkpoint = checkpoints.of(save)
    if checkpoint.shape == "object" or not checkpoint.entries:
        yield Saved(save, (), save.value, save.module)
        return
    for entry in checkpoint.entries:
        if not entry.left_out:
            for keys, value, module in parts_of(checkpoints, entry.module, entry.value, (entry.key or "?",)):
                yield Saved(save, keys, value, module)


def parts_of(
    checkpoints: Checkpoints, module: ModuleFacts, value: t.Expr, keys: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], t.Expr, ModuleFacts]]:
    """A value, or what stands in it where it is a dict, list or tuple that can be read, with the way to it."""
    content = checkpoints.content(module, value) if len(keys) < MAX_NESTING else None
    if content is None or content.shape == "object" or not content.entries:
        yield keys, value, module
        return
    for entry in content.entries:
        if not entry.left_out:
            yield from parts_of(checkpoints, entry.module, entry.value, (*keys, entry.key or "?"))


def state_dict_calls(values: Values, module: ModuleFacts, value: t.Expr) -> Iterator[tuple[t.Call, Origin]]:
    """The calls `x.state_dict()` that a value may come from, copies and moves looked through."""
    for origin in values.origins(module, value):
        node = origin.node
        if origin.how != "value" or not isinstance(node, t.Call) or not isinstance(node.func, t.Attribute):
            continue
        if node.func.attr == "state_dict" and not origin.module.names.is_a(node.func.value, "apex.amp"):
            yield node, origin


def is_editable(node: t.Node) -> bool:
    """Whether a node's place in the text is exact: of what is in an f-string only the string is known."""
    return not any(isinstance(parent, t.JoinedStr) for parent in t.ancestors(node))
