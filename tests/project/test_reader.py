"""A project's files as the engine asks for them."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest

from ckpt_lint.facts.world import World
from ckpt_lint.project import reader
from ckpt_lint.project.modules import project_files


@pytest.mark.parametrize("most", [2, 3])
def test_a_project_that_was_not_listed_whole_is_partial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    for name in "abc":
        (tmp_path / f"{name}.py").write_text("import torch\n")
    monkeypatch.setattr(reader, "project_files", functools.partial(project_files, most=most))
    files = reader.ProjectFiles(str(tmp_path), reader.Disk())
    assert World(files).partial is (most < 3)


def test_a_script_in_a_package_is_given_what_lies_beside_it(tmp_path: Path) -> None:
    (tmp_path / "style" / "parts").mkdir(parents=True)
    for name in ("style/__init__.py", "style/train.py", "style/net.py", "style/parts/__init__.py"):
        (tmp_path / name).write_text("import torch\n")
    files = reader.ProjectFiles(str(tmp_path), reader.Disk())
    train = str(tmp_path / "style" / "train.py")
    assert files.resolve(train, "net", 0) == str(tmp_path / "style" / "net.py")
    assert files.resolve(train, "parts", 0) == str(tmp_path / "style" / "parts" / "__init__.py")
    assert files.resolve(train, "other", 0) is None


HANDING = {
    "pkg/__init__.py": "from pkg.io import save, load as restore\nfrom .deep import *\n",
    "pkg/io.py": "def save(path): ...\ndef load(path): ...\n",
    "pkg/deep/__init__.py": "from . import inner\nfrom .inner import Kept\n",
    "pkg/deep/inner.py": "class Kept:\n    def save(self): ...\n",
    "pkg/beside.py": "from .io import save\nsave('a')\n",
    "by_name.py": "from pkg import save\nsave('a')\n",
    "other_name.py": "from pkg import restore\nload('a')\n",
    "no_name.py": "import pkg\npkg.run()\nother.save('a')\n",
    "kept.py": "from pkg import Kept\nKept().save()\n",
    "longer_name.py": "from pkg import save\nunsave('a')\n",
    "renames.py": "from pkg import load as read\nread('a')\n",
    "whole.py": "import pkg.io\npkg.io.save('a')\n",
    "in_text.py": "# import pkg.io\nsave('a')\n",
    "nothing.py": "save('a')\nload('a')\n",
}


def users(root: Path, word: str) -> dict[str, list[str]]:
    files = reader.ProjectFiles(str(root), reader.Disk())
    named = {str(root / name): name for name in HANDING}
    return {name: [named[path] for path in files.users(word, whole)] for whole, name in named.items()}


@pytest.mark.parametrize("word", ["save", "load", "Kept", "run", "absent"])
def test_importers_once_found_are_those_found_one_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, word: str
) -> None:
    for name, text in HANDING.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(reader, "SEARCHES", 0)
    turned = users(tmp_path, word)
    monkeypatch.setattr(reader, "SEARCHES", 1_000)
    assert turned == users(tmp_path, word)
    if word == "save":
        assert turned["pkg/io.py"] == ["by_name.py", "kept.py", "no_name.py", "pkg/beside.py", "whole.py"]


def test_many_questions_about_callers_read_every_file_a_few_times_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(60):
        text = f"from m{number - 1} import f{number - 1}\nf{number - 1}()\n" if number else ""
        (tmp_path / f"m{number}.py").write_text(f"{text}def f{number}(): ...\n")
    read: list[str] = []
    disk = reader.Disk(read=lambda path: read.append(path) or reader.read_bytes(path))
    files = reader.ProjectFiles(str(tmp_path), disk)
    for number in range(59):
        assert files.users(f"f{number}", str(tmp_path / f"m{number}.py")) == (str(tmp_path / f"m{number + 1}.py"),)
    assert len(read) < 60 * 10
