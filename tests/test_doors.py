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

import jsonschema
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
from tests.report.test_formats import schema
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


SUPPRESSED = """\
import torch
a = torch.load(p)  # noqa
b = torch.load(p)  # noqa: CKP301
c = torch.load(p)  # noqa: E501, CKP3 for now
d = torch.load(  # noqa: CKP302
    p,
)
e = torch.load(
    p,
)  # noqa
f = torch.load(p)  # noqa: E501
"""
LEFT = [(3, "CKP302"), (5, "CKP301"), (8, "CKP301"), (8, "CKP302"), (11, "CKP301"), (11, "CKP302")]


def one_door_each(folder: Path, *options: str) -> Iterator[tuple[str, list[tuple[int, str]]]]:
    """Row and code of what each door finds in `a.py`."""
    data = (folder / "a.py").read_bytes()
    named = ("--stdin-filename", "a.py", "-")
    for door, out in (
        ("check", ckpt_lint("check", "--output-format", "concise", *options, "a.py", cwd=folder).out),
        ("github", ckpt_lint("check", "--output-format", "github", *options, "a.py", cwd=folder).out),
        ("stdin", ckpt_lint("check", "--output-format", "concise", *options, *named, cwd=folder, stdin=data).out),
        ("flake8", flake8("--extend-ignore", "F,E", *options, "a.py", cwd=folder).stdout),
        ("flake8 stdin", flake8(*options, "--stdin-display-name", "a.py", "-", cwd=folder, stdin=data.decode()).stdout),
    ):
        pattern = _GITHUB if door == "github" else _CONCISE
        yield door, [(row, code) for _, row, _, code in matches(pattern, out)]
    document = json.loads(ckpt_lint("check", "--output-format", "sarif", *options, "a.py", cwd=folder).out)
    yield "sarif", sorted((row, code) for _, row, _, code in _sarif_rows(document))


def test_a_comment_suppresses_in_every_door(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(SUPPRESSED)
    for door, found in one_door_each(tmp_path):
        assert found == LEFT, door
    cell = {"cell_type": "code", "metadata": {}, "outputs": [], "source": SUPPRESSED.splitlines(keepends=True)}
    document = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    (tmp_path / "a.ipynb").write_text(json.dumps(document))
    rows = json.loads(ckpt_lint("check", "--output-format", "json", "a.ipynb", cwd=tmp_path).out)
    assert [(row["location"]["row"], row["code"]) for row in rows] == LEFT
    (tmp_path / "a.py").write_text("# flake8: noqa\n" + SUPPRESSED)
    for door, found in one_door_each(tmp_path):
        assert found == [], door


def test_no_fix_touches_what_is_suppressed(tmp_path: Path) -> None:
    for name, text in (("a.py", SUPPRESSED), ("b.py", "# flake8: noqa\n" + SUPPRESSED)):
        (tmp_path / name).write_text(text)
    ckpt_lint("check", "--fix", "--unsafe-fixes", cwd=tmp_path)
    assert (tmp_path / "b.py").read_text() == "# flake8: noqa\n" + SUPPRESSED
    fixed = (tmp_path / "a.py").read_text().splitlines()
    assert fixed[1] == "a = torch.load(p)  # noqa" and fixed[3] == "c = torch.load(p)  # noqa: E501, CKP3 for now"
    assert fixed[2] == "b = torch.load(p, weights_only=True)  # noqa: CKP301"
    assert "weights_only" not in "".join(fixed[4:7]) and "map_location" in "".join(fixed[4:8])


OFF_AND_ON = """\
import torch


def restore(model, path):
    torch.save(model.state_dict()["head"][:2], "head.pt")
    model.load_state_dict(torch.load(path, map_location="cpu"))
"""


@pytest.mark.parametrize(
    ("selector", "codes"),
    [
        ("CKP", {"CKP302"}),
        ("CKP30", {"CKP302"}),
        ("CKP112", {"CKP112"}),
        ("CKP3,CKP112", {"CKP112", "CKP302"}),
    ],
)
def test_a_selector_means_the_same_in_every_door(tmp_path: Path, selector: str, codes: set[str]) -> None:
    (tmp_path / "a.py").write_text(OFF_AND_ON)
    for door, found in one_door_each(tmp_path, "--select", selector):
        assert {code for _, code in found} == codes, door
    (tmp_path / "ckpt-lint.toml").write_text(f"select = {selector.split(',')}\n")
    for door, found in one_door_each(tmp_path):
        assert {code for _, code in found} == codes, door


def test_the_schema_takes_the_sarif_of_everything(said: Callable[[str], str]) -> None:
    document = json.loads(said("sarif"))
    results = document["runs"][0]["results"]
    assert any("fixes" in one for one in results) and any("relatedLocations" in one for one in results)
    assert all(one["partialFingerprints"] for one in results)
    places = [place for one in results for place in (*one["locations"], *one.get("relatedLocations", ()))]
    assert not [p for p in places if p["physicalLocation"]["artifactLocation"]["uri"].startswith(("/", "file:"))]
    jsonschema.Draft4Validator(schema()).validate(document)
