"""Saves that surely belong to a load: in files that know one another, or to the same constant path.

RULES.md, "Project": statements about a failure match only between files that import one another, directly or through
one more, or whose paths are the same constant.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from ckpt_lint.facts.loads import Load
from ckpt_lint.facts.matching import HALF
from ckpt_lint.facts.paths import opened, path_facts
from ckpt_lint.facts.reads import keys_read
from ckpt_lint.facts.saves import Save
from ckpt_lint.facts.view import Facts
from ckpt_lint.facts.world import Definition
from ckpt_lint.source import flow
from ckpt_lint.source import tree as t
from ckpt_lint.source.module import ModuleFacts

NEAR = 0.75
"""How like two keys must be (by difflib's ratio) for one to be a misspelling of the other."""

ENOUGH = 2.0
"""Keys that two dicts must share to be the same checkpoint; common ones count half."""


def linked_saves(facts: Facts, load: Load) -> tuple[Save, ...]:
    """The saves that surely write what a load reads, the nearest first; () where none is known for sure."""
    if facts.matching.leaves_to_framework(load.module):
        return ()
    own = [s for m in facts.world.modules_of(load.module.path) or (load.module,) for s in facts.saves.of(m)]
    found = dict.fromkeys([*facts.matching.of(load).saves, *own, *_through_wrappers(facts, load.module)])
    candidates = [s for s in found if not facts.saves.in_memory(s)]
    by_path = [s for s in candidates if same_path(facts, load, s)]
    if by_path:
        return tuple(by_path)
    keys = set(keys_read(facts.restores, load))
    known = [s for s in candidates if acquainted(facts, load.module, s.module)]
    return tuple(s for s in known if shared_keys(facts, keys, s) >= ENOUGH)


def _through_wrappers(facts: Facts, module: ModuleFacts) -> Iterator[Save]:
    """The saves of other files that go through a save wrapper which stands beside a load."""
    for inner in facts.saves.direct(module):
        function = flow.function_of(inner.call)
        if not inner.passed or function is None:
            continue
        modules = {site.module for site in facts.world.callers(Definition(module, function))}
        for where in sorted(modules, key=lambda m: (m.path, m.name)):
            yield from (s for s in facts.saves.of(where) if s.wrapper is not None and s.wrapper.node is function)


def same_path(facts: Facts, load: Load, save: Save) -> bool:
    """Whether a load and a save name the same file: the same constant, or the same variable of one module."""
    one = path_facts(facts.values, load.path_module, load.path)
    other = path_facts(facts.values, save.path_module, save.path)
    if one.constant and one.text == other.text:
        return True
    if one.last and one.last == other.last and acquainted(facts, load.module, save.module):
        return True
    if load.path is None or save.path is None or load.module is not save.path_module:
        return False
    if opened(load.module, load.path) is not None or opened(save.path_module, save.path) is not None:
        return one.expression == other.expression != ""
    variable = load.module.variable(load.path)
    return variable is not None and variable == load.module.variable(save.path)


def shared_keys(facts: Facts, keys: set[str], save: Save) -> float:
    """How many keys a save writes of those that are read, a likely misspelling included; common ones count half."""
    written = set(facts.checkpoints.of(save).keys)
    left = sorted(written - keys)
    near = {k for key in sorted(keys - written) for k in difflib.get_close_matches(key, left, 1, NEAR)}
    return sum(0.5 if key in HALF else 1.0 for key in (keys & written) | near)


def acquainted(facts: Facts, one: ModuleFacts, other: ModuleFacts) -> bool:
    """Whether one of two files imports the other, directly or through one more."""
    if one.path == other.path:
        return True
    return _reaches(facts, one, other.path) or _reaches(facts, other, one.path)


def _reaches(facts: Facts, module: ModuleFacts, path: str) -> bool:
    direct = imported(facts, module)
    if path in direct:
        return True
    return any(path in imported(facts, m) for one in direct for m in facts.world.modules_of(one))


def imported(facts: Facts, module: ModuleFacts) -> tuple[str, ...]:
    """The project files that a module imports."""
    key = ("imports", module.path, module.name)
    known = facts.world.memo.get(key)
    if known is None:
        known = facts.world.memo[key] = tuple(dict.fromkeys(_resolved(facts, module)))
    assert isinstance(known, tuple)
    return known


def _resolved(facts: Facts, module: ModuleFacts) -> Iterator[str]:
    for node in module.nodes:
        if isinstance(node, t.Import):
            names = [(alias.name, 0) for alias in node.names]
        elif isinstance(node, t.ImportFrom):
            joint = "." if node.module else ""
            names = [(node.module, node.level)] if node.module else []
            names.extend((f"{node.module}{joint}{alias.name}", node.level) for alias in node.names)
        else:
            continue
        for name, level in names:
            path = facts.world.files.resolve(module.path, name, level)
            if path is not None:
                yield path
