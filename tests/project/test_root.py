"""Which folder a file's project is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ckpt_lint.project.root import RootCache, ancestors, bounds_limit, project_root


def root_of(tmp_path: Path, path: str, *files: str, home: str = "nowhere") -> str:
    """Make `files` ("a/" is a folder, "a=text" a file with a text) and name the root of `path` below `tmp_path`."""
    for name in files:
        full = tmp_path / name.partition("=")[0]
        if name.endswith("/"):
            full.mkdir(parents=True, exist_ok=True)
        else:
            full.parent.mkdir(parents=True, exist_ok=True)
            full.write_text(name.partition("=")[2])
    found = project_root(str(tmp_path / path), RootCache(home=str(tmp_path / home)))
    return os.path.relpath(found, tmp_path)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (("a/pyproject.toml=[project]\nname='x'", ".git/"), "a"),
        (("a/pyproject.toml=[tool.poetry]\n", ".git/"), "a"),
        (("a/pyproject.toml=[tool.poetry.dependencies]\n", ".git/"), "a"),
        (("a/pyproject.toml=[tool.ckpt-lint]\n", ".git/"), "a"),
        (('a/pyproject.toml=[tool."ckpt-lint".api]\n', ".git/"), "a"),
        (("a/pyproject.toml=[project\nbroken [[[", "setup.py", ".git/"), "."),
        (("a/pyproject.toml=[project]\nname = 'never ends\n", ".git/"), "a"),
        (("a/pyproject.toml=[tool.black]\n", ".git/"), "."),
        (("a/pyproject.toml=[tool.projectile]\n[tool.ckpt-linter]", ".git/"), "."),
        (("a/pyproject.toml/", ".git/"), "."),
        (("a/setup.py", ".git/"), "a"),
        (("a/b/setup.cfg", "a/setup.py"), "a/b"),
        ((".git/",), "."),
        ((".git=gitdir: elsewhere",), "."),
        (("setup.py", "a/.git/"), "a"),
        (("a/requirements.txt=torch",), "a/b"),
        (("a/b/__init__.py", "a/__init__.py", "a/b/c.py"), "."),
        (("a/b/__init__.py",), "a"),
    ],
)
def test_root(tmp_path: Path, files: tuple[str, ...], expected: str) -> None:
    assert root_of(tmp_path, "a/b/train.py", *files) == expected


def test_the_home_folder_is_never_a_root(tmp_path: Path) -> None:
    files = ("home/setup.py", "home/.git/", "home/work/")
    assert root_of(tmp_path, "home/work/train.py", *files, home="home") == "home/work"
    assert root_of(tmp_path, "home/train.py", *files, home="home") == "home/train.py"


def test_the_home_folder_is_known_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "link").symlink_to("home")
    (tmp_path / "home" / "setup.py").write_text("")
    assert root_of(tmp_path, "link/x.py", home="home") == "link/x.py"


def test_the_outermost_folder_is_never_a_root() -> None:
    assert project_root("/train.py", RootCache()) == "/train.py"
    assert ancestors("/", RootCache()) == []


def test_loops_of_links_end(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "loop").symlink_to("../a")
    (tmp_path / "a" / "setup.py").symlink_to("setup.py")
    (tmp_path / ".git").mkdir()
    assert root_of(tmp_path, "a/loop/loop/loop/x.py") == "."


def test_manifests_count_up_to_the_repository(tmp_path: Path) -> None:
    cache = RootCache(home=str(tmp_path / "nowhere"))
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "setup.py").write_text("")
    path = str(tmp_path / "a" / "b" / "x.py")
    assert bounds_limit(path, project_root(path, cache), cache) == str(tmp_path / "a")
    (tmp_path / ".git").mkdir()
    cache = RootCache(home=str(tmp_path / "nowhere"))  # of another run
    assert bounds_limit(path, project_root(path, cache), cache) == str(tmp_path)
