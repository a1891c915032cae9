"""`ckpt-lint inspect` as a user runs it."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from tests.cli.command import ckpt_lint
from tests.cli.test_imports import imported

FILES = Path(__file__).parents[2] / "fixtures" / "checkpoints" / "files"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("tied.pt", "train_adam.pt", "train_sgd.pt", "namespace.pt", "lfs_pointer.pt", "nan.pt"):
        shutil.copy(FILES / name, tmp_path)
    return tmp_path


def test_text_says_what_it_is_and_what_torch_will_do(folder: Path) -> None:
    ran = ckpt_lint("inspect", "namespace.pt", "--torch", "2.4.1", cwd=folder, env={"COLUMNS": "100"})
    assert ran.code == 0 and not ran.err
    assert "torch.save file (zip)" in ran.out and "argparse.Namespace" in ran.out and "CKP110" in ran.out
    assert "torch 2.4.1" in ran.out and "safe_globals" in ran.out
    assert max(map(len, ran.out.splitlines())) <= 100


def test_text_can_be_shown_by_a_terminal_of_ascii(folder: Path) -> None:
    ran = ckpt_lint("inspect", "train_adam.pt", cwd=folder, env={"PYTHONIOENCODING": "ascii", "COLUMNS": "60"})
    assert ran.code == 0 and ran.out.isascii()


def test_json_is_one_document_whatever_the_number_of_files(folder: Path) -> None:
    one = ckpt_lint("inspect", "--json", "tied.pt", cwd=folder)
    assert json.loads(one.out)["tied"] == [["embed.weight", "head.weight"]]
    two = ckpt_lint("inspect", "--json", "tied.pt", "nan.pt", "--deep", cwd=folder)
    assert [len(row["findings"]) for row in json.loads(two.out)] == [0, 1]


def test_differences(folder: Path) -> None:
    ran = ckpt_lint("inspect", "--diff", "train_adam.pt", "train_sgd.pt", cwd=folder)
    assert ran.code == 0 and "momentum_buffer" in ran.out
    assert ckpt_lint("inspect", "--diff", "train_adam.pt", "none.pt", cwd=folder).code == 3


def test_the_page(folder: Path) -> None:
    assert ckpt_lint("inspect", "tied.pt", "--html", "page.html", cwd=folder).code == 0
    assert (folder / "page.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    ran = ckpt_lint("inspect", "tied.pt", "--html", "no/page.html", cwd=folder)
    assert (ran.code, ran.err) == (2, "ckpt-lint inspect: no/page.html: No such file or directory\n")


def test_what_cannot_be_read_takes_nothing_else_with_it(folder: Path) -> None:
    ran = ckpt_lint("inspect", "none.pt", "tied.pt", cwd=folder)
    assert ran.code == 3 and "embed.weight" in ran.out
    assert ran.err == "ckpt-lint inspect: none.pt: No such file or directory\n"
    os.mkdir(folder / "plain")
    assert "a folder that is no checkpoint" in ckpt_lint("inspect", "plain", cwd=folder).out
    assert ckpt_lint("inspect", "tied.pt", "--torch", "newest", cwd=folder).code == 2
    assert ckpt_lint("inspect", cwd=folder).code == 2


def test_foreign_files_are_named(folder: Path) -> None:
    ran = ckpt_lint("inspect", "lfs_pointer.pt", cwd=folder, env={"COLUMNS": "120"})
    assert ran.code == 0 and "git lfs pull" in ran.out


def test_nothing_heavy_is_imported(folder: Path) -> None:
    modules = imported("inspect", "train_adam.pt", cwd=folder)
    assert "ckpt_lint.artifact" in modules
    assert not {"torch", "numpy", "libcst", "fsspec", "rich", "pickle", "ckpt_lint.engine"} & modules
    assert "ckpt_lint.artifact" not in imported("rule", "CKP301", cwd=folder)
