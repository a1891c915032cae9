"""Which classes a project's own loads allow: `add_safe_globals([...])` and `with safe_globals([...])`."""

from __future__ import annotations

from collections.abc import Iterator

from ckpt_lint import apis
from ckpt_lint.facts.world import World
from ckpt_lint.source import tree as t
from ckpt_lint.source.module import ModuleFacts, last_name

_WORDS = ("safe_globals", "add_safe_globals")


def inside_safe_globals(module: ModuleFacts, node: t.Node) -> bool:
    """Whether a node stands in a `with torch.serialization.safe_globals(...)`, or in a project's own of that name."""
    for parent in t.ancestors(node):
        if isinstance(parent, t.With):
            for item in parent.items:
                called = item.value.func if isinstance(item.value, t.Call) else None
                if called is not None and (
                    module.names.is_a(called, apis.SAFE_GLOBALS) or "safe_globals" in last_name(called)
                ):
                    return True
    return False


def allowed_classes(world: World, module: ModuleFacts) -> frozenset[str]:
    """The last names of the classes that the project allow-lists, in this module or elsewhere."""
    known = world.memo.get("allowed classes")
    if not isinstance(known, frozenset):
        paths = world.files.mentioning(["safe_globals"])
        modules = [m for path in paths for m in world.modules_of(path)]
        known = world.memo["allowed classes"] = frozenset(name for m in modules for name in _allowed(m))
    return known | frozenset(_allowed(module))


def _allowed(module: ModuleFacts) -> Iterator[str]:
    for word in _WORDS:
        for call in module.calls_by_name.get(word, ()):
            for arg in call.args:
                yield from _named(module, arg.value)


def _named(module: ModuleFacts, value: t.Expr) -> Iterator[str]:
    """Every name in a list of classes, itself or under the name that it was bound to once."""
    for node in t.walk(value):
        if isinstance(node, (t.Name, t.Attribute)):
            yield last_name(node)
            binding = module.once_bound(node)
            if binding is not None and isinstance(binding.value, t.Sequence):
                yield from (last_name(item) for item in binding.value.items)
