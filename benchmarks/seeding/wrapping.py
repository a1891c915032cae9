"""The functions of a project that save what they are given."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from pathlib import Path

from corpus import python_files

from seeding.source import wrappers_of


def importable(path: Path, project: Path, names: dict[str, set[Path]]) -> frozenset[str]:
    """The wrappers that a file defines, or imports without a change of `sys.path`: others are not followed."""
    data = path.read_bytes()
    known = set()
    for name in sorted(names):
        if path in names[name]:
            known.add(name)
            continue
        for module in re.findall(rb"(?m)^[ \t]*(?:from|import) ([\w.]+)", data) if name.encode() in data else ():
            parts = module.decode("ascii", "ignore").strip(".").split(".")
            ends = [Path(*parts).with_suffix(".py"), Path(*parts, "__init__.py")] if parts[0] else []
            tops = [project, path.parent, path.parent.parent, project / "src"]
            if any(top / end in names[name] for top in tops for end in ends) or module.startswith(b"."):
                known.add(name)
    return frozenset(known)


def wrappers(project: Path) -> dict[str, set[Path]]:
    """The project's functions that hand their argument to torch.save, and the files that define them."""
    names: dict[str, set[Path]] = defaultdict(set)
    for path in python_files([project]):
        data = path.read_bytes()
        if b"torch.save" in data:
            try:
                for name in wrappers_of(ast.parse(data)):
                    names[name].add(path)
            except (SyntaxError, ValueError, RecursionError):
                continue
    return names
