"""Which classes a project's own loads allow: `add_safe_globals([...])` and `with safe_globals([...])`."""

from __future__ import annotations

from collections.abc import Iterator

from ckpt_lint import apis
from ckpt_lint.source import tree as t
from ckpt_lint.source.module import ModuleFacts, last_name


def inside_safe_globals(module: ModuleFacts, node: t.Node) -> bool:
    """Whether a node stands in a `with torch.serialization.safe_globals(...)`."""
    for parent in t.ancestors(node):
        if isinstance(parent, t.With):
            for item in parent.items:
                if isinstance(item.value, t.Call) and module.names.is_a(item.value.func, apis.SAFE_GLOBALS):
                    return True
    return False


def allowed_classes(module: ModuleFacts) -> frozenset[str]:
    """The last names of the classes that a module allow-lists anywhere."""
    return frozenset(_allowed(module))


def _allowed(module: ModuleFacts) -> Iterator[str]:
    for word in ("safe_globals", "add_safe_globals"):
        for call in module.calls_by_name.get(word, ()):
            for arg in call.args:
                for node in t.walk(arg.value):
                    if isinstance(node, (t.Name, t.Attribute)):
                        yield last_name(node)
