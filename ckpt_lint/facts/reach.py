"""Which save and load wrappers of the project a file can call: asked before a call is resolved, which costs parsing.

The answer is a set of names, rather too large than too small: what a call really runs is found out afterwards. Imports
are followed one step, and through the `__init__.py` of packages further, for the names that the file mentions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ckpt_lint.facts.world import World
from ckpt_lint.project.imports import Import, reached
from ckpt_lint.source import tree as t
from ckpt_lint.source.module import ModuleFacts, last_name


def own_imports(module: ModuleFacts) -> Iterator[Import]:
    """The imports of a parsed module."""
    for node in module.all(t.ImportFrom):
        yield Import(node.module, node.level, tuple(alias.name for alias in node.names))
    for plain in module.all(t.Import):
        for alias in plain.names:
            yield Import(alias.name, 0, ())


def renamed(module: ModuleFacts, names: frozenset[str]) -> Iterator[str]:
    """What a module calls some of `names` instead: `from m import save as keep`."""
    for node in module.all(t.ImportFrom):
        for alias in node.names:
            if alias.asname and alias.name in names:
                yield alias.asname
    for assign in module.all(t.Assign):
        if isinstance(assign.value, (t.Name, t.Attribute)) and last_name(assign.value) in names:
            yield from (target.id for target in assign.targets if isinstance(target, t.Name))


def callers_by_name(module: ModuleFacts, names: frozenset[str]) -> frozenset[str]:
    """The functions of a module in which something with one of `names` is called: wrappers of wrappers, perhaps."""
    out: set[str] = set()
    for name in names & module.calls_by_name.keys():
        for call in module.calls_by_name[name]:
            out.update(parent.name for parent in t.ancestors(call) if isinstance(parent, t.FunctionDef))
    return frozenset(out)


def wrapper_names(
    world: World, module: ModuleFacts, wrapping: Callable[[ModuleFacts], frozenset[str]]
) -> frozenset[str]:
    """The names under which a module may call wrappers, its own, imported ones, and wrappers of wrappers.

    `wrapping` gives the names of the functions of one module that are wrappers by themselves.
    """
    paths = reached(world.files, module.path, own_imports(module), lambda: module.keywords, mattering=True)
    files = sorted(path for path in paths if world.files.matters(path))
    modules = [module, *(other for path in files for other in world.modules_of(path))]
    direct = frozenset(name for other in modules for name in wrapping(other))
    if not direct:
        return direct
    names = direct | {name for other in modules for name in callers_by_name(other, direct)}
    return names | frozenset(renamed(module, names))


def may_call(call: t.Call, names: frozenset[str]) -> bool:
    """Whether a call may be of a function with one of `names`, `__call__` of some object included."""
    if not names:
        return False
    name = last_name(call.func)
    return name in names or ("__call__" in names and not isinstance(call.func, t.Attribute)) or not name
