"""`verify --fix`, and the evidence that it leaves for reviewers."""

from __future__ import annotations

import html
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from tests.cli.command import ckpt_lint
from tests.report.test_formats import schema
from tests.verify.projects import ANYWHERE, RESTORE, RESUME, digests, project, verify


def test_a_confirmed_unsafe_fix_is_applied_and_nothing_else_is_touched(tmp_path: Path) -> None:
    project(tmp_path, RESUME.format(name="last.pt"), last="train_full.pt")
    before = digests(tmp_path)
    ran = ckpt_lint("verify", ".", "--fix", cwd=tmp_path)
    assert ran.code == 0, ran.out + ran.err
    assert 'torch.load("last.pt", map_location="cpu", weights_only=True)' in (tmp_path / "train.py").read_text()
    assert "fixed train.py:5 CKP303: confirmed on every matching checkpoint" in ran.out
    after = digests(tmp_path)
    assert {name for name in after if after.get(name) != before.get(name)} == {"train.py", "ckpt-lint-evidence.md"}
    assert ckpt_lint("check", ".", cwd=tmp_path).code == 0


def test_a_refuted_fix_is_not_applied_and_the_device_is_fixed_all_the_same(tmp_path: Path) -> None:
    project(tmp_path, RESTORE.format(name="last.pt"), last="namespace.pt")
    ran = ckpt_lint("verify", ".", "--fix", cwd=tmp_path)
    text = (tmp_path / "train.py").read_text()
    assert ran.code == 1 and "weights_only" not in text and 'map_location="cpu"' in text
    assert "left train.py:5 CKP302: refuted" in ran.out


def test_what_could_not_be_verified_stays_as_it_is(tmp_path: Path) -> None:
    project(tmp_path, ANYWHERE)
    before = digests(tmp_path)
    ran = ckpt_lint("verify", ".", "--fix", "--report", "e.md", cwd=tmp_path)
    assert ran.code == 3 and "left train.py:5 CKP302: unavailable" in ran.out
    assert {**digests(tmp_path), "e.md": ""} == {**before, "e.md": ""}


def test_one_checkpoint_that_refutes_is_enough(tmp_path: Path) -> None:
    project(tmp_path, ANYWHERE, "state_dict.pt", "whole_module_own_class.pt")
    before = (tmp_path / "train.py").read_text()
    ran = ckpt_lint("verify", ".", "--fix", "--checkpoint", "*.pt", cwd=tmp_path)
    assert ran.code == 1 and "left train.py:5 CKP302: refuted" in ran.out
    assert (tmp_path / "train.py").read_text() == before


def test_a_file_that_cannot_be_written_is_said_so(tmp_path: Path) -> None:
    project(tmp_path, RESUME.format(name="last.pt"), last="train_full.pt")
    (tmp_path / "train.py").chmod(0o444)
    ran = ckpt_lint("verify", ".", "--fix", cwd=tmp_path)
    assert ran.code == 3 and "read-only" in ran.err and "weights_only=False" in (tmp_path / "train.py").read_text()


def test_the_evidence_names_the_file_its_content_the_torch_and_what_was_compared(tmp_path: Path) -> None:
    import torch

    project(tmp_path, RESUME.format(name="last.pt"), last="train_full.pt")
    assert ckpt_lint("verify", ".", "--report", "evidence.md", cwd=tmp_path).code == 0
    text = html.unescape((tmp_path / "evidence.md").read_text())
    for part in (
        f"torch {torch.__version__}",
        "| `train.py:5:12` | CKP303 unsafe-load | 1 | confirmed |",
        "**`last.pt`** (17.7 kB, content id ",
        "- matched by: the path in the code, `last.pt`",
        "- compared: header: every global is on the list",
        "- enforced: weights_only=True, 120 s",
    ):
        assert part in text
    assert str(tmp_path) not in text


def test_no_report_unless_asked_or_fixed(tmp_path: Path) -> None:
    project(tmp_path, RESUME.format(name="last.pt"), last="train_full.pt")
    before = digests(tmp_path)
    assert verify(tmp_path).code == 0 and digests(tmp_path) == before


def test_text_shows_verdict_reason_and_evidence(tmp_path: Path) -> None:
    project(tmp_path, RESUME.format(name="last.pt"), last="train_full.pt")
    ran = ckpt_lint("verify", ".", cwd=tmp_path)
    assert "train.py:5:12 CKP303 unsafe-load: confirmed\n  confirmed   last.pt (17.7 kB, content id " in ran.out
    assert "1 place (1 confirmed), 1 check (1 confirmed)" in ran.out
    assert "torch 2." in ran.out.splitlines()[0] and "\x1b" not in ran.out + ran.err and ran.err == ""


@pytest.mark.parametrize(
    ("name", "level", "notified"), [("train_full.pt", "note", 0), ("defaultdict.pt", "error", 0), ("text.pt", "warning", 1)]
)
def test_sarif_is_valid_and_says_the_verdict(tmp_path: Path, name: str, level: str, notified: int) -> None:
    project(tmp_path, RESUME.format(name="last.pt"), last=name)
    ran = ckpt_lint("verify", ".", "--output-format", "sarif", cwd=tmp_path)
    document = json.loads(ran.out)
    jsonschema.Draft4Validator(schema()).validate(document)
    (run,) = document["runs"]
    assert [row["level"] for row in run["results"]] == [level]
    assert "[fix " in run["results"][0]["message"]["text"]
    assert len(run["invocations"][0]["toolExecutionNotifications"]) == notified


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals")
def test_a_bar_is_drawn_on_a_terminal(tmp_path: Path) -> None:
    project(tmp_path, RESTORE.format(name="last.pt"), last="state_dict.pt")
    ours, theirs = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-m", "ckpt_lint", "verify", "."],
        cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=theirs, check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip
    os.close(theirs)
    drawn = os.read(ours, 1 << 16).decode()
    os.close(ours)
    assert done.returncode == 0 and "] 0/1 last.pt" in drawn and drawn.endswith("\r\x1b[K")
