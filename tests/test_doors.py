"""Every door says the same of the same files: command line, its formats, stdin, flake8, hooks, and the engine itself.

A file that is checked alone gets the answers of a run over its whole project; notebooks are among the files.
"""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ckpt_lint import engine
from ckpt_lint.config import Configs, Layer
from ckpt_lint.discover import Target, discover
from ckpt_lint.model import Outcome
from ckpt_lint.rules import ALL
from ckpt_lint.run import Mode, Worker, run
from ckpt_lint.source.text import Source, read_source
from ckpt_lint.workspace import Workspace
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
def said(project: Path) -> Callable[[str], str]:
    """What the command line says of everything in a format."""
    return functools.cache(
        lambda output_format: ckpt_lint("check", "--output-format", output_format, "--select", CODES, cwd=project).out
    )


@pytest.fixture(scope="module")
def expected(project: Path, said: Callable[[str], str]) -> list[Row]:
    """What the command line says in JSON, of Python files."""
    rows = json.loads(said("json"))
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


def test_concise_and_github(said: Callable[[str], str], expected: list[Row]) -> None:
    assert matches(_CONCISE, said("concise")) == expected
    assert matches(_GITHUB, said("github")) == expected


def test_sarif(said: Callable[[str], str], expected: list[Row]) -> None:
    assert sorted(_sarif_rows(json.loads(said("sarif")))) == expected


def _sarif_rows(document: dict[str, Any]) -> Iterator[Row]:
    for result in document["runs"][0]["results"]:
        place = result["locations"][0]["physicalLocation"]
        if "region" in place:
            yield (
                place["artifactLocation"]["uri"],
                place["region"]["startLine"],
                place["region"]["startColumn"],
                result["ruleId"],
            )


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


Full = tuple[str, int | None, int, int, str, str, str]
"""Path, cell, row, column, code, message, and the other places of a finding."""


def in_full(outcome: Outcome) -> list[Full]:
    return [
        (f.path, f.location.cell, f.location.row, f.location.column, f.code, f.message, str(f.related))
        for f in outcome.findings
    ]


@pytest.fixture(scope="module")
def configs(project: Path) -> Iterator[Configs]:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project)
        yield Configs(ALL, [Layer("test", str(project), {"select": CODES.split(",")})])


@pytest.fixture(scope="module")
def whole(configs: Configs) -> dict[str, list[Full]]:
    """What a run over everything says of each file, notebooks among them."""
    found = {
        result.outcome.path: in_full(result.outcome)
        for result in run(discover(["."], configs), configs, Mode(), jobs=1)
    }
    assert sum(map(bool, found.values())) > 100
    assert any(rows and path.endswith(".ipynb") for path, rows in found.items())
    return found


def test_a_file_alone_gets_the_answers_of_the_whole_run(configs: Configs, whole: dict[str, list[Full]]) -> None:
    """As a hook, an editor or an explicit path has it: nothing is known before the file is named."""
    for path, rows in whole.items():
        assert in_full(Worker(configs, Mode()).check(Target(path)).outcome) == rows, path


def test_the_engine_alone(configs: Configs, whole: dict[str, list[Full]]) -> None:
    for path, rows in whole.items():
        source, settings = read_source(path, Path(path).read_bytes()), configs.settings_for(path)
        assert isinstance(source, Source)
        outcome = engine.check(source, project=Workspace().project_of(source, settings), settings=settings)
        assert in_full(outcome) == rows, path


_IN_CELLS = {
    "concise": re.compile(r"^(\S+:cell \d+:\d+:\d+: CKP\d+)", re.MULTILINE),
    "github": re.compile(r"::(\S+:cell \d+:\d+:\d+: CKP\d+)"),
}


def test_every_format_names_cell_and_line_of_notebooks(
    project: Path, said: Callable[[str], str], whole: dict[str, list[Full]]
) -> None:
    expected = sorted(row[:5] for rows in whole.values() for row in rows if row[0].endswith(".ipynb"))
    in_json = [
        (os.path.relpath(r["filename"], project), r["cell"], r["location"]["row"], r["location"]["column"], r["code"])
        for r in json.loads(said("json"))
        if r["cell"] is not None
    ]
    assert sorted(in_json) == expected
    shown = sorted(f"{path}:cell {cell}:{row}:{column}: {code}" for path, cell, row, column, code in expected)
    for output_format, pattern in _IN_CELLS.items():
        assert sorted(pattern.findall(said(output_format))) == shown
    results = json.loads(said("sarif"))["runs"][0]["results"]
    assert sorted(_sarif_cell(one) for one in results if "logicalLocations" in one["locations"][0]) == shown


def _sarif_cell(result: dict[str, Any]) -> str:
    """A place in a notebook as the other formats have it."""
    (place,) = result["locations"]
    name = place["logicalLocations"][0]["fullyQualifiedName"]
    cell = re.sub(r"cell (\d+), row (\d+), column (\d+)", r"cell \1:\2:\3", name)
    return f"{place['physicalLocation']['artifactLocation']['uri']}:{cell}: {result['ruleId']}"


def test_a_named_notebook_on_stdin(project: Path, whole: dict[str, list[Full]]) -> None:
    for path, rows in whole.items():
        if path.endswith(".ipynb"):
            ran = ckpt_lint(
                "check", "--output-format", "json", "--select", CODES, "--stdin-filename", path, "-",
                cwd=project, stdin=(project / path).read_bytes(),
            )  # fmt: skip
            assert [(r["cell"], r["location"]["row"], r["code"]) for r in json.loads(ran.out)] == [
                (row[1], row[2], row[4]) for row in rows
            ]


def _rows(outcome: Outcome) -> list[Row]:
    return [(one.path, one.location.row, one.location.column, one.code) for one in outcome.findings]


def test_real_stdin(project: Path, expected: list[Row]) -> None:
    path = expected[0][0]
    ran = ckpt_lint(
        "check", "--output-format", "concise", "--select", CODES, "--stdin-filename", path, "-",
        cwd=project, stdin=(project / path).read_bytes(),
    )  # fmt: skip
    assert matches(_CONCISE, ran.out) == [row for row in expected if row[0] == path]
