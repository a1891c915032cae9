"""The public functions: what they find is what the command finds, they write nothing, and they are typed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import ckpt_lint
from tests.cli.command import ckpt_lint as command

TEXT = 'import torch\n\nmodel.load_state_dict(torch.load(p, weights_only=True))\nx = torch.load(q, map_location="cuda:0")\n'


def test_findings_of_a_text_are_those_of_the_command(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_text(TEXT)
    theirs = json.loads(command("check", "--output-format", "json", "a.py", cwd=tmp_path).out)
    outcome = ckpt_lint.check_source(TEXT, str(path))
    assert [(f.code, f.location.row, f.location.column) for f in outcome.findings] == [
        (row["code"], row["location"]["row"], row["location"]["column"]) for row in theirs
    ]
    first = outcome.findings[0]
    assert TEXT[first.span.start : first.span.end] == "torch.load(p, weights_only=True)"
    assert isinstance(first, ckpt_lint.Finding) and first.severity is ckpt_lint.Severity.WARNING


def test_a_text_without_a_name_needs_no_file() -> None:
    outcome = ckpt_lint.check_source(TEXT)
    assert outcome.checked and {f.code for f in outcome.findings} >= {"CKP301", "CKP306"}
    assert ckpt_lint.check_source("x = 1\n").findings == ()
    assert {f.code for f in ckpt_lint.check_source(TEXT, select=["CKP3"], ignore=["CKP301"]).findings} == {"CKP306"}
    for version, fires in (("2.4", True), ("2.6", False)):
        outcome = ckpt_lint.check_source(TEXT, torch_version=version)
        assert ("CKP302" in {f.code for f in outcome.findings}) is fires


def test_what_is_wrong_with_a_text_is_a_problem_of_the_outcome() -> None:
    outcome = ckpt_lint.check_source("import torch\ntorch.load(\n")
    assert not outcome.checked and outcome.problems[0].status is ckpt_lint.Status.SYNTAX_ERROR


def test_wrong_options_raise(tmp_path: Path) -> None:
    with pytest.raises(ckpt_lint.ConfigError, match="CKP999"):
        ckpt_lint.check_source(TEXT, select=["CKP999"])
    (tmp_path / "ckpt-lint.toml").write_text("selekt = []\n")
    with pytest.raises(ckpt_lint.ConfigError, match="selekt"):
        ckpt_lint.check_source(TEXT, str(tmp_path / "a.py"))
    assert ckpt_lint.check_source(TEXT, str(tmp_path / "a.py"), isolated=True).findings


def test_fixing_gives_a_text_and_writes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_text(TEXT)
    fixed, outcome = ckpt_lint.fix_source(TEXT, str(path))
    assert fixed == TEXT.replace("weights_only=True)", 'weights_only=True, map_location="cpu")')
    assert outcome.fixed == {"CKP301": 1} and path.read_text() == TEXT
    assert ckpt_lint.fix_source(TEXT, unsafe=True)[0] != fixed
    assert ckpt_lint.fix_source("x = 1\r\n") == ("x = 1\r\n", ckpt_lint.check_source("x = 1\r\n"))


def test_a_notebook_is_its_json() -> None:
    cell = {"cell_type": "code", "metadata": {}, "outputs": [], "source": TEXT.splitlines(keepends=True)}
    book = json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}, indent=1)
    assert ckpt_lint.check_source(book, "a.ipynb").findings[0].location.cell == 1
    fixed, _ = ckpt_lint.fix_source(book, "a.ipynb")
    assert 'map_location=\\"cpu\\"' in fixed and json.loads(fixed)["nbformat"] == 4


def test_the_names_are_typed(tmp_path: Path) -> None:
    (tmp_path / "user.py").write_text(
        "import ckpt_lint\n"
        "outcome: ckpt_lint.Outcome = ckpt_lint.check_source('x', select=['CKP3'])\n"
        "rows: list[int] = [finding.location.row for finding in outcome.findings]\n"
        "wrong: int = ckpt_lint.check_source('x')\n"
    )
    options = ["--strict", "--no-error-summary", "--cache-dir", str(tmp_path / "cache"), "--config-file", ""]
    root = str(Path(__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *options, "user.py"],
        cwd=tmp_path, capture_output=True, text=True, check=False, env={"MYPYPATH": root},
    )  # fmt: skip
    told = [line for line in done.stdout.splitlines() if line.startswith("user.py")]
    assert [line.split(":")[1] for line in told] == ["4"], done


def test_importing_the_package_imports_nothing() -> None:
    code = "import sys, ckpt_lint; print(sorted(name for name in sys.modules if name.startswith('ckpt_lint')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "['ckpt_lint']\n"
    assert all(getattr(ckpt_lint, name) is not None for name in ckpt_lint.__all__)
    with pytest.raises(AttributeError):
        _ = ckpt_lint.nothing
