"""Every door says the same of the same files: command line, its formats, stdin, flake8, and a process pool."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from ckpt_lint.config import Configs, Layer
from ckpt_lint.model import Outcome
from ckpt_lint.rules import ALL
from ckpt_lint.run import Mode, Worker
from tests.cli.command import ckpt_lint
from tests.test_flake8 import flake8

ROOT = Path(__file__).parents[1]
CODES = ",".join(rule.code for rule in ALL)
Row = tuple[str, int, int, str]
"""Path, row, column from 1, code."""

_CONCISE = re.compile(r"(.+?\.py):(\d+):(\d+): (CKP\d+) ")
_GITHUB = re.compile(r"::\w+ title=ckpt-lint \(CKP\d+\),[^:]*(?::[^:]+)*?::(.+?\.py):(\d+):(\d+): (CKP\d+) ")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All fixtures of rules and the sample project, as one folder without a configuration."""
    folder = tmp_path_factory.mktemp("doors") / "project"
    shutil.copytree(ROOT / "fixtures" / "rules", folder / "rules")
    shutil.copytree(ROOT / "fixtures" / "projects", folder / "projects")
    return folder


@pytest.fixture(scope="module")
def expected(project: Path) -> list[Row]:
    """What the command line says in JSON, of Python files."""
    rows = json.loads(ckpt_lint("check", "--output-format", "json", "--select", CODES, cwd=project).out)
    found = [
        (
            str(Path(row["filename"]).relative_to(project)),
            row["location"]["row"],
            row["location"]["column"],
            row["code"],
        )
        for row in rows
        if row["cell"] is None and row["code"].startswith("CKP")
    ]
    assert len(found) > 20
    return sorted(found)


def matches(pattern: re.Pattern[str], text: str) -> list[Row]:
    return sorted(
        (path.removeprefix("./"), int(row), int(column), code) for path, row, column, code in pattern.findall(text)
    )


def test_concise_and_github(project: Path, expected: list[Row]) -> None:
    concise = ckpt_lint("check", "--output-format", "concise", "--select", CODES, cwd=project).out
    assert matches(_CONCISE, concise) == expected
    github = ckpt_lint("check", "--output-format", "github", "--select", CODES, cwd=project).out
    assert matches(_GITHUB, github) == expected


def test_sarif(project: Path, expected: list[Row]) -> None:
    document = json.loads(ckpt_lint("check", "--output-format", "sarif", "--select", CODES, cwd=project).out)
    assert sorted(_sarif_rows(document)) == expected


def _sarif_rows(
    document: dict[str, list[dict[str, list[dict[str, list[dict[str, dict[str, dict[str, int]]]]]]]]],
) -> Iterator[Row]:
    for result in document["runs"][0]["results"]:
        place = result["locations"][0]["physicalLocation"]
        if "region" in place:
            yield (
                place["artifactLocation"]["uri"],
                place["region"]["startLine"],
                place["region"]["startColumn"],
                result["ruleId"],
            )  # type: ignore[misc]


def test_flake8(project: Path, expected: list[Row]) -> None:
    assert matches(_CONCISE, flake8("--select", CODES, cwd=project).stdout) == expected


def test_stdin_and_text(project: Path, expected: list[Row], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    worker = Worker(Configs(ALL, [Layer("test", str(project), {"select": CODES.split(",")})]), Mode())
    by_bytes, by_text = list[Row](), list[Row]()
    for file in sorted(project.rglob("*.py")):
        path = str(file.relative_to(project))
        settings = worker.configs.settings_for(path)
        by_bytes += _rows(worker.check_bytes(path, file.read_bytes(), settings).outcome)
        by_text += _rows(worker.check_text(path, file.read_text(), settings).outcome)
    assert sorted(by_bytes) == expected
    assert sorted(by_text) == expected


def _rows(outcome: Outcome) -> list[Row]:
    return [(one.path, one.location.row, one.location.column, one.code) for one in outcome.findings]


def test_real_stdin(project: Path, expected: list[Row]) -> None:
    path = expected[0][0]
    ran = ckpt_lint(
        "check", "--output-format", "concise", "--select", CODES, "--stdin-filename", path, "-",
        cwd=project, stdin=(project / path).read_bytes(),
    )  # fmt: skip
    assert matches(_CONCISE, ran.out) == [row for row in expected if row[0] == path]
