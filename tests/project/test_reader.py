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
