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
