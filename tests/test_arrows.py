"""Imports run one way, and heavy libraries are imported in their adapters only. Read from the source by `ast`."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "ckpt_lint"

LAYERS = (
    ("model", "apis", "boundary", "cache_folder", "plain", "orphans", "processes", "rule_table"),
    ("settings",),
    ("source", "artifact"),
    ("project",),
    ("edits",),
    ("facts",),
    ("rules",),
    ("engine", "suppress", "directives", "unused", "add_noqa", "fingerprints"),
    ("select", "config", "discover", "targets", "workspace", "write"),
    ("checkpoint_file", "verdict_keys", "verdicts", "file_verdicts", "run", "parallel"),
    ("baseline",),
    ("report",),
    ("verify",),
    ("cli", "api", "flake8", "server", "catalog", "reference", "scaffold", "__main__", "cluster"),
)
"""From the innermost outwards: a module imports its own layer and those before it."""

RANK = {name: rank for rank, layer in enumerate(LAYERS) for name in layer}

HEAVY = {
    "libcst": ("source/record.py", "source/record_expressions.py", "source/parse.py", "source/positions.py"),
    "torch": ("proofs/", "verify/worker.py"),
    "numpy": ("proofs/", "verify/worker.py"),
    "safetensors": ("proofs/",),
    "rich": ("cli/", "report/"),
    "fsspec": ("artifact/remote.py",),
    "multiprocessing": ("parallel.py", "processes.py", "cluster/engines.py", "flake8.py"),
    "concurrent": ("processes.py", "parallel.py", "verify/", "server/", "cluster/"),
    "pygls": ("server/",),
    "lsprotocol": ("server/",),
    "watchfiles": ("cli/",),
    "shtab": ("cli/completion.py",),
    "distributed": ("cluster/dask_engine.py",),
    "pyarrow": ("cluster/parquet.py",),
}


def modules() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py") if "proofs" not in path.parts)


def imports(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            if node.module == "ckpt_lint":
                for alias in node.names:
                    yield f"ckpt_lint.{alias.name}", node.lineno
            else:
                yield node.module, node.lineno


def layer_of(name: str) -> str:
    return name.split(".")[1]


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_run_one_way(path: Path) -> None:
    own = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    if own == "__init__":
        return
    assert own in RANK, f"{own} stands in no layer"
    for name, line in imports(path):
        if name.startswith("ckpt_lint.") and layer_of(name) not in ("__version__", "__init__"):
            assert RANK[layer_of(name)] <= RANK[own], f"{path}:{line} imports {name}"


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_heavy_libraries_stay_in_their_adapters(path: Path) -> None:
    place = path.relative_to(PACKAGE).as_posix()
    for name, line in imports(path):
        allowed = HEAVY.get(name.split(".")[0])
        assert allowed is None or place.startswith(allowed), f"{place}:{line} imports {name}"


def test_the_broad_except_stands_at_the_boundary_only() -> None:
    found = []
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ExceptHandler):
                names = {n.id for n in ast.walk(node.type) if isinstance(n, ast.Name)} if node.type else {"(bare)"}
                if names & {"Exception", "BaseException", "(bare)"}:
                    found.append(f"{path.relative_to(PACKAGE).as_posix()}")
    # the verifier's worker is a program of its own, in which whatever torch raises becomes an answer
    assert sorted(set(found)) == ["boundary.py", "verify/worker.py"]


def test_modules_and_functions_keep_their_size() -> None:
    long = []
    for path in modules():
        text = path.read_text(encoding="utf-8")
        if text.count("\n") > 400:
            long.append(f"{path.relative_to(PACKAGE)}: {text.count(chr(10))} lines")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.end_lineno:
                if node.end_lineno - node.lineno + 1 > 40:
                    long.append(f"{path.relative_to(PACKAGE)}:{node.lineno} {node.name}")
    assert not long, long
