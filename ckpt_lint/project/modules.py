"""The python files of a project, and which of them an import names.

Import cycles are no matter here: one import is resolved to one path, and nothing is followed.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from ckpt_lint.project.root import RootCache, is_project

MOST_FILES = 100_000
_SOURCE_FOLDERS = frozenset({"src", "lib", "python"})
# What is never a project's own code; what else is left out, the caller says (it knows .gitignore and the settings).
_SKIPPED = frozenset({"__pycache__", "node_modules", "site-packages"})
SkipFolder = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class ProjectFiles:
    """Absolute paths of a project's files, in sorted order, and whether the limit cut the list short."""

    root: str
    paths: tuple[str, ...] = ()
    cut: bool = False

    @property
    def note(self) -> str | None:
        """One line for the end of the run, where the project was not read whole."""
        if not self.cut:
            return None
        return f"{self.root}: more than {len(self.paths)} files; what the others hold is not known"


@dataclass(frozen=True, slots=True)
class ModuleIndex:
    """Where a project's modules are: dotted name to path, None where several files bear one name."""

    root: str
    paths: frozenset[str] = frozenset()
    packages: frozenset[str] = frozenset()
    by_name: Mapping[str, str | None] = field(default_factory=dict)


def project_files(
    root: str,
    cache: RootCache,
    *,
    skip: SkipFolder | None = None,
    suffixes: tuple[str, ...] = (".py",),
    most: int = MOST_FILES,
) -> ProjectFiles:
    """List the files of the project `root` with one of `suffixes`, at most `most`; `root` may be a single file.

    Links to folders are not followed, so that no loop of them can be entered. Hidden folders, virtual environments and
    folders that are projects of their own are left out, and those for which `skip(path)` holds.
    """
    if os.path.isfile(root):
        return ProjectFiles(root, (root,))
    found: list[str] = []
    folders = [root]
    while folders and len(found) <= most:
        files, inner = _entries(folders.pop(), suffixes)
        found.extend(files)
        folders.extend(one for one in reversed(inner) if not (is_project(one, cache) or (skip and skip(one))))
    return limited(root, found, most=most)


def limited(root: str, paths: Iterable[str], *, most: int = MOST_FILES) -> ProjectFiles:
    """Make the list of a project's files from one that the caller has found; no more than `most` are taken in."""
    taken = list(itertools.islice(paths, most + 1))
    return ProjectFiles(root, tuple(sorted(taken[:most])), cut=len(taken) > most)


def _entries(folder: str, suffixes: tuple[str, ...]) -> tuple[list[str], list[str]]:
    files: list[str] = []
    folders: list[str] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    if not _skipped(entry):
                        folders.append(entry.path)
                elif entry.name.endswith(suffixes) and os.path.isfile(entry.path):
                    files.append(entry.path)
    except OSError:
        return [], []
    return sorted(files), sorted(folders)


def _skipped(entry: os.DirEntry[str]) -> bool:
    if entry.name in _SKIPPED or entry.name.startswith("."):
        return True
    return os.path.exists(os.path.join(entry.path, "pyvenv.cfg"))


def module_names(root: str, path: str, packages: frozenset[str] | None = None) -> tuple[str, ...]:
    """Return the dotted names under which an import may know the file, the one from the project root first.

    Besides its name from the root, a file is known from every folder down to the first that is a package: `src` and
    `python` folders are put on the path, and scripts are run from their own folder. `packages` are the folders that
    hold an `__init__.py`, where the caller knows them.
    """
    if not path.startswith(root.rstrip(os.sep) + os.sep):
        return (_stem(os.path.basename(path)),)
    parts = path[len(root.rstrip(os.sep)) + 1 :].split(os.sep)
    folders = parts[:-1]
    tail = [] if parts[-1] == "__init__.py" else [_stem(parts[-1])]
    names = []
    for start in range(len(folders) + 1):
        name = [*folders[start:], *tail]
        if name and all(part.isidentifier() for part in name):
            names.append(".".join(name))
        if start < len(folders) and _is_package(os.path.join(root, *folders[: start + 1]), packages):
            break
    return tuple(names)


def _is_package(folder: str, packages: frozenset[str] | None) -> bool:
    if packages is not None:
        return folder in packages
    return os.path.isfile(os.path.join(folder, "__init__.py"))


def _stem(name: str) -> str:
    return name.rpartition(".")[0]


def index_modules(files: ProjectFiles) -> ModuleIndex:
    """Build the index of a project.

    A name from the root (or from `src`, `lib`, `python`) goes before one from a deeper folder; a name that two files
    bear alike is ambiguous.
    """
    packages = frozenset(os.path.dirname(path) for path in files.paths if os.path.basename(path) == "__init__.py")
    ranked: dict[str, tuple[int, str | None]] = {}
    for path in files.paths:
        names = module_names(files.root, path, packages)
        for place, name in enumerate(names):
            rank = _rank(place, names[0])
            known = ranked.get(name)
            if known is None or rank < known[0]:
                ranked[name] = (rank, path)
            elif rank == known[0] and known[1] != path:
                ranked[name] = (rank, None)
    by_name = {name: path for name, (_, path) in ranked.items()}
    return ModuleIndex(files.root, frozenset(files.paths), packages, by_name)


def _rank(place: int, full_name: str) -> int:
    if place == 1 and full_name.partition(".")[0] in _SOURCE_FOLDERS:
        return 1
    return 0 if place == 0 else 2


def resolve_import(index: ModuleIndex, from_path: str, module: str, level: int = 0) -> str | None:
    """Return the file that `import module` (or `from <level dots>module import ...`) in `from_path` names.

    None where no file of the project has the name, or where several have it. A module beside the importing script
    comes first, as it does when the script is run; then the project's names, the fullest spelling first.
    """
    parts = module.split(".") if module else []
    if level:
        folder = from_path
        for _ in range(level):
            folder = os.path.dirname(folder)
        return _file_at(index, folder, parts)
    if not parts:
        return None
    own = os.path.dirname(from_path)
    beside = _file_at(index, own, parts)
    if beside is not None and own not in index.packages:
        return beside
    # In a package a bare name means the project's module; a file beside counts where there is none, for a script
    # that lies in a package and is run by its path.
    return index.by_name.get(module, beside)


def resolve_from(index: ModuleIndex, from_path: str, module: str, name: str, level: int = 0) -> tuple[str, str] | None:
    """Return the file and the name in it that `from module import name` means; ("...", "") where `name` is a module."""
    dotted = f"{module}.{name}" if module else name
    submodule = resolve_import(index, from_path, dotted, level)
    if submodule is not None:
        return submodule, ""
    holder = resolve_import(index, from_path, module, level) if module or level else None
    return (holder, name) if holder is not None else None


def _file_at(index: ModuleIndex, folder: str, parts: Iterable[str]) -> str | None:
    base = os.path.join(folder, *parts)
    # A package goes before a module of the same name, as Python has it.
    for candidate in (os.path.join(base, "__init__.py"), base + ".py"):
        if candidate in index.paths:
            return candidate
    return None
