"""What a file that nothing in itself makes interesting may call: the save and load wrappers of its project."""

from __future__ import annotations

from collections.abc import Iterator

from ckpt_lint.facts.view import Facts
from ckpt_lint.facts.world import Definition
from ckpt_lint.source import tree as t
from ckpt_lint.source.module import ModuleFacts

def wrapper_names(facts: Facts, module: ModuleFacts) -> frozenset[str]:
    """The names of a module's functions and methods that are save or load wrappers."""
    return frozenset(_wrappers(facts, module))


def _wrappers(facts: Facts, module: ModuleFacts) -> Iterator[str]:
    for function in module.functions:
        definition = Definition(module, function)
        if facts.saves.inside(definition) or facts.loads.inside(definition):
            yield function.name
            if function.name in ("__call__", "__init__") and isinstance(function.parent, t.ClassDef):
                yield function.parent.name
