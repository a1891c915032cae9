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
