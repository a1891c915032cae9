"""`ckpt-lint explain FILE:LINE`: the facts behind a finding, or behind a silence."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.command import ckpt_lint

TRAIN = """\
import torch

def save(model, epoch):
    torch.save({"model": model.state_dict(), "epoch": epoch}, "run.pt")

def load(model):
    checkpoint = torch.load("run.pt", weights_only=True)  # noqa: CKP301
    model.load_state_dict(checkpoint["model"])
    return checkpoint["epoch"]
"""


@pytest.mark.parametrize(
    ("row", "lines"),
    [
        (4, ["save: torch.save", "    model: weights", "    epoch: counter"]),
        (7, ["torch: nothing is declared, which means 1.13 and newer", "load: torch.load",
             "  matching save: the nearest, by path, at line 4", "  keys read: model, epoch"]),
        (8, ["restore: the receiver is module", "  it is given the load at line 7['model']"]),
        (9, ["nothing on this line loads, saves or restores a checkpoint, as far as can be told"]),
    ],
)  # fmt: skip
def test_explain_prints_the_facts_of_a_line(tmp_path: Path, row: int, lines: list[str]) -> None:
    (tmp_path / "train.py").write_text(TRAIN)
    done = ckpt_lint("explain", f"train.py:{row}", cwd=tmp_path)
    assert done.code == 0, done.err
    assert set(lines) <= set(done.out.splitlines())


def test_explain_names_what_a_comment_suppressed(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(TRAIN)
    done = ckpt_lint("explain", "train.py:7", cwd=tmp_path)
    assert "suppressed by a comment: CKP301" in done.out


def test_explain_of_a_file_that_does_not_parse(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("import torch\nx = torch.load(\n")
    done = ckpt_lint("explain", "broken.py:2", cwd=tmp_path)
    assert "not checked: syntax error" in done.out


def test_explain_names_rules_that_are_off_and_what_the_declared_torch_does(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'x'\ndependencies = ['torch>=2.6']\n")
    for name in ("train.py", "test_train.py"):
        (tmp_path / name).write_text("import torch\nx = torch.load(p)\n")
    assert "fires: CKP301" in ckpt_lint("explain", "train.py:2", cwd=tmp_path).out
    told = ckpt_lint("explain", "test_train.py:2", cwd=tmp_path).out.splitlines()
    assert told[0] == "torch: pyproject.toml: torch>=2.6"
    assert told[1].startswith("would fire, but is off in this file: CKP301 load-without-map-location: ")
    assert "  `weights_only` is True by default in every torch that is declared" in told
    older = ckpt_lint("explain", "--torch-version", "2.4", "train.py:2", cwd=tmp_path).out
    assert "fires: CKP302" in older and "by default" not in older


def test_explain_names_places_in_other_files(tmp_path: Path) -> None:
    (tmp_path / "setup.cfg").write_text("")
    (tmp_path / "keep.py").write_text("import torch\n\ndef keep(m):\n    torch.save(m.state_dict(), 'm.pt')\n")
    (tmp_path / "train.py").write_text("import torch\nm.load_state_dict(torch.load('m.pt'))\n")
    assert "  matching save: the nearest, by path, at keep.py:4" in ckpt_lint("explain", "train.py:2", cwd=tmp_path).out


def test_explain_in_a_notebook_needs_the_cell() -> None:
    sample = Path(__file__).parents[2] / "fixtures" / "projects" / "classifier"
    done = ckpt_lint("explain", "notebooks/mistakes.ipynb:3", cwd=sample)
    assert done.code == 2 and "mistakes.ipynb:cell N:3" in done.err
    assert "fires: CKP302" in ckpt_lint("explain", "notebooks/mistakes.ipynb:cell 3:3", cwd=sample).out
    assert ckpt_lint("explain", "notebooks/mistakes.ipynb:cell 99:3", cwd=sample).code == 2
