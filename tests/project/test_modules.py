"""The files of a project, the names of its modules, and what an import means."""

from __future__ import annotations

from pathlib import Path

import pytest

from ckpt_lint.project.modules import (
    ModuleIndex,
    ProjectFiles,
    index_modules,
    limited,
    module_names,
    project_files,
    resolve_from,
    resolve_import,
)
from ckpt_lint.project.root import RootCache


def listed(tmp_path: Path, *names: str, most: int = 100) -> ProjectFiles:
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    return project_files(str(tmp_path), RootCache(home="/nowhere"), most=most)


def names_of(tmp_path: Path, files: ProjectFiles) -> list[str]:
    return [str(Path(path).relative_to(tmp_path)) for path in files.paths]


def index(tmp_path: Path, *names: str) -> ModuleIndex:
    return index_modules(listed(tmp_path, *names))


def resolved(tmp_path: Path, known: ModuleIndex, source: str, module: str, level: int = 0) -> str | None:
    found = resolve_import(known, str(tmp_path / source), module, level)
    return None if found is None else str(Path(found).relative_to(tmp_path))


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("train.py", ("train",)),
        ("src/pkg/sub/mod.py", ("src.pkg.sub.mod", "pkg.sub.mod")),
        ("src/pkg/__init__.py", ("src.pkg", "pkg")),
        ("scripts/eval.py", ("scripts.eval", "eval")),
        ("my-scripts/eval.py", ("eval",)),
        ("pkg2/mod.py", ("pkg2.mod", "mod")),
        ("__init__.py", ()),
        ("2fast.py", ()),
    ],
)
def test_names_of_a_module(tmp_path: Path, path: str, expected: tuple[str, ...]) -> None:
    listed(tmp_path, "src/pkg/__init__.py", "src/pkg/sub/__init__.py")
    assert module_names(str(tmp_path), str(tmp_path / path)) == expected


def test_imports_of_scripts_and_packages(tmp_path: Path) -> None:
    known = index(
        tmp_path, "train.py", "utils.py", "pkg/__init__.py", "pkg/save.py", "pkg/io/__init__.py", "pkg/io/load.py",
        "examples/a/main.py", "examples/a/utils.py", "examples/b/main.py", "src/lib/__init__.py", "src/lib/x.py",
    )  # fmt: skip
    assert resolved(tmp_path, known, "train.py", "utils") == "utils.py"
    assert resolved(tmp_path, known, "examples/a/main.py", "utils") == "examples/a/utils.py"
    assert resolved(tmp_path, known, "examples/b/main.py", "utils") == "utils.py"
    assert resolved(tmp_path, known, "train.py", "pkg.save") == "pkg/save.py"
    assert resolved(tmp_path, known, "train.py", "pkg.io") == "pkg/io/__init__.py"
    assert resolved(tmp_path, known, "pkg/save.py", "io.load", 1) == "pkg/io/load.py"
    assert resolved(tmp_path, known, "pkg/io/load.py", "save", 2) == "pkg/save.py"
    assert resolved(tmp_path, known, "pkg/io/load.py", "", 2) == "pkg/__init__.py"
    assert resolved(tmp_path, known, "pkg/io/__init__.py", "load", 1) == "pkg/io/load.py"
    assert resolved(tmp_path, known, "train.py", "lib.x") == "src/lib/x.py"
    assert resolved(tmp_path, known, "train.py", "torch") is None
    assert resolved(tmp_path, known, "train.py", "", 0) is None
    assert resolved(tmp_path, known, "train.py", "x", 9) is None


def test_two_files_of_one_name_are_ambiguous(tmp_path: Path) -> None:
    known = index(tmp_path, "a/helpers.py", "b/helpers.py", "b/use.py", "c/d/use.py", "pkg.py", "pkg/__init__.py")
    assert resolved(tmp_path, known, "c/d/use.py", "helpers") is None
    assert resolved(tmp_path, known, "b/use.py", "helpers") == "b/helpers.py"
    assert resolved(tmp_path, known, "c/d/use.py", "pkg") is None


def test_a_script_inside_a_package_finds_its_neighbour(tmp_path: Path) -> None:
    known = index(tmp_path, "a/__init__.py", "a/train.py", "a/save.py", "b/__init__.py", "b/train.py", "b/save.py")
    assert resolved(tmp_path, known, "a/train.py", "save") == "a/save.py"


def test_inside_a_package_the_projects_module_goes_before_a_neighbour(tmp_path: Path) -> None:
    known = index(tmp_path, "a/__init__.py", "a/train.py", "a/save.py", "save.py")
    assert resolved(tmp_path, known, "a/train.py", "save") == "save.py"


def test_from_imports_name_a_module_or_something_in_one(tmp_path: Path) -> None:
    known = index(tmp_path, "pkg/__init__.py", "pkg/save.py", "train.py")
    source = str(tmp_path / "train.py")
    assert resolve_from(known, source, "pkg", "save") == (str(tmp_path / "pkg/save.py"), "")
    assert resolve_from(known, source, "pkg.save", "go") == (str(tmp_path / "pkg/save.py"), "go")
    assert resolve_from(known, str(tmp_path / "pkg/__init__.py"), "", "save", 1) == (str(tmp_path / "pkg/save.py"), "")
    assert resolve_from(known, source, "os", "path") is None


def test_listing_leaves_out_what_is_not_the_project(tmp_path: Path) -> None:
    files = listed(
        tmp_path, "a.py", "b/c.py", ".git/x.py", ".venv/lib/y.py", "env3/pyvenv.cfg", "env3/z.py", "__pycache__/q.py",
        "inner/setup.py", "inner/i.py", "third_party/lib/.git/HEAD", "third_party/lib/l.py", "n.txt",
    )  # fmt: skip
    assert names_of(tmp_path, files) == ["a.py", "b/c.py"]
    assert files.note is None


def test_listing_does_not_follow_links_to_folders(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "loop").symlink_to("..")
    (tmp_path / "broken.py").symlink_to("gone.py")
    (tmp_path / "self.py").symlink_to("self.py")
    assert names_of(tmp_path, listed(tmp_path, "a/x.py")) == ["a/x.py"]


def test_listing_ends_at_the_limit_and_says_so(tmp_path: Path) -> None:
    files = listed(tmp_path, *(f"m{number}.py" for number in range(5)), most=3)
    assert (len(files.paths), files.cut) == (3, True)
    assert files.note is not None and "more than 3 files" in files.note
    assert limited("/r", ["b", "a"], most=2) == ProjectFiles("/r", ("a", "b"))


def test_a_root_may_be_a_file(tmp_path: Path) -> None:
    listed(tmp_path, "x.py", "y.py")
    path = str(tmp_path / "x.py")
    files = project_files(path, RootCache())
    assert files.paths == (path,)
    assert resolve_import(index_modules(files), path, "y") is None
