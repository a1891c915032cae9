"""`async` as a name, which Python allowed up to 3.6 and much code for old releases of torch has: said, and checked."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ckpt_lint.source.parse import before_python_37

OLD = """\
import torch
from torch import nn


def main(path, batches):
    model = nn.DataParallel(nn.Linear(2, 2)).cuda()
    checkpoint = torch.load(path)
    model.load_state_dict(checkpoint["state_dict"])
    for batch, target in batches:
        target = target.cuda(async=True)
        model(batch)
    torch.save({"state_dict": model.state_dict()}, path)
"""


def check(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ckpt_lint", "check", "--isolated", *options, "."]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("cache", [True, False])
def test_the_file_is_reported_and_checked(tmp_path: Path, cache: bool) -> None:
    (tmp_path / "old.py").write_text(OLD)
    done = check(tmp_path, "--output-format", "json", *([] if cache else ["--no-cache"]))
    found = {(row["code"], row["location"]["row"]) for row in json.loads(done.stdout)}
    assert done.returncode == 3
    assert {("CKP301", 7), ("CKP302", 7), ("CKP103", 12), ("invalid-syntax", 10)} <= found
    assert "`async` is a keyword since Python 3.7; checked as if it were a name" in done.stdout


def test_a_fix_leaves_async_alone(tmp_path: Path) -> None:
    (tmp_path / "old.py").write_text(OLD)
    check(tmp_path, "--fix", "--unsafe-fixes")
    fixed = (tmp_path / "old.py").read_text()
    assert "target.cuda(async=True)" in fixed
    assert "torch.load(path, map_location=" in fixed


def test_other_syntax_errors_stay_unread(tmp_path: Path) -> None:
    (tmp_path / "two.py").write_text(OLD + 'print "done"\n')
    done = check(tmp_path, "--output-format", "json")
    assert done.returncode == 3 and [row["code"] for row in json.loads(done.stdout)] == ["invalid-syntax"]
    assert "as if it were a name" not in done.stdout


@pytest.mark.parametrize(
    ("code", "old"),
    [
        ("x.cuda(async=True)", "x.cuda(asinc=True)"),
        ("def f(async, b): pass", "def f(asinc, b): pass"),
        ("f(x.async)", "f(x.asinc)"),
        ("async def f(): pass", None),
        ("async with a: pass", None),
        ("is_async=True", None),
    ],
)
def test_where_async_is_a_name(code: str, old: str | None) -> None:
    assert before_python_37(code) == old
