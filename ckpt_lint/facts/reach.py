"""Which save and load wrappers of the project a file can call: asked before a call is resolved, which costs parsing.

The answer is a set of names, rather too large than too small: what a call really runs is found out afterwards. Imports
are followed one step, and through the `__init__.py` of packages further, for the names that the file mentions. A file
in whose bytes nothing is saved or loaded has no wrapper of its own, and is not parsed to learn that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from ckpt_lint.facts.world import World
from ckpt_lint.project.imports import Import, reached, words_of
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


class Wrappers:
    """The names of one kind of wrappers, saves' or loads', around the files of a world.

    `wrapping` gives the names of the functions of one module that are wrappers by themselves.
    """

    def __init__(self, world: World, kind: str, wrapping: Callable[[ModuleFacts], frozenset[str]]) -> None:
        self.world = world
        self.kind = kind
        self.wrapping = wrapping

    def callable_names(self, module: ModuleFacts) -> frozenset[str]:
        """The names under which a module may call wrappers, its own, imported ones, and wrappers of wrappers."""
        files = self._files(module.path, own_imports(module), lambda: module.keywords)
        direct = self.wrapping(module) | self._direct(files)
        if not direct:
            return direct
        near = (path for path in files if self.world.is_given(path) or self.world.files.contains(path, direct))
        modules = [module, *(other for path in near for other in self.world.modules_of(path))]
        names = direct | {name for other in modules for name in callers_by_name(other, direct)}
        return names | frozenset(renamed(module, names))

    def near(self, path: str, data: bytes) -> bool:
        """Whether a file on disk may have wrappers or call some, told without parsing it where it saves or loads none."""
        if self._direct([path]):
            return True
        return bool(self._direct(self._files(path, self.world.files.imports_of(path), lambda: words_of(data))))

    def _files(self, path: str, imports: Iterable[Import], words: Callable[[], frozenset[str]]) -> list[str]:
        files = self.world.files
        return sorted(p for p in reached(files, path, imports, words, mattering=True) if files.matters(p))

    def _direct(self, paths: Iterable[str]) -> frozenset[str]:
        return frozenset(name for path in paths for name in self._wrapping_in(path))

    def _wrapping_in(self, path: str) -> frozenset[str]:
        def find() -> frozenset[str]:
            return frozenset(name for module in self.world.modules_of(path) for name in self.wrapping(module))

        if self.world.is_given(path):
            return find()
        files = self.world.files
        return files.remembered(path, self.kind, find) if files.acts(path) else frozenset()


def may_call(call: t.Call, names: frozenset[str]) -> bool:
    """Whether a call may be of a function with one of `names`, `__call__` of some object included."""
    if not names:
        return False
    name = last_name(call.func)
    return name in names or ("__call__" in names and not isinstance(call.func, t.Attribute)) or not name
