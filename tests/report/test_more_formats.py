"""The formats for other tools, each read by a consumer, or held against what its publisher says of it."""

from __future__ import annotations

import itertools
import json
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from junitparser import Error, Failure, JUnitXml
from markdown_it import MarkdownIt

from ckpt_lint.config.options import OUTPUT_FORMATS
from ckpt_lint.model import Applicability, Location, Outcome, Problem, Status
from ckpt_lint.report import Look, renderer
from ckpt_lint.run import FileResult
from tests.report.results import finding, rendered, result, source_of
from tests.report.test_formats import BOTH, BROKEN, CALL, NOTEBOOK, SOURCE

IN_NOTEBOOK = result(NOTEBOOK, finding(NOTEBOOK, "CKP302", CALL))
RESULTS = (result(SOURCE, *BOTH), IN_NOTEBOOK, BROKEN)


def test_grouped() -> None:
    assert rendered("grouped", *RESULTS) == (
        "pkg/train.py:\n  3:9 CKP301 [*] a hazard\n  3:9 CKP302 a hazard\n\n"
        "pkg/note book.ipynb:\n  cell 2:2:1 CKP302 a hazard\n\n"
        "pkg/broken.py:\n  2:7 invalid-syntax: never closed\n\n"
    )
    assert rendered("grouped") == ""


def test_pylint() -> None:
    text = rendered("pylint", *RESULTS)
    assert text == (
        "pkg/train.py:3: [CKP301] a hazard\npkg/train.py:3: [CKP302] a hazard\n"
        "pkg/note book.ipynb:1: [CKP302] cell 2, row 2: a hazard\n"
        "pkg/broken.py:2: [invalid-syntax] never closed\n"
    )
    assert all(re.match(r"^(.+):(\d+): \[([^\]]+)\] (.+)$", line) for line in text.splitlines())


def test_pylint_lines_are_those_of_ruff(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("import os\n")
    ruff = shutil.which("ruff") or str(Path(sys.executable).with_name("ruff"))
    command = [ruff, "check", "--isolated", "--no-cache", "--select", "F401", "--output-format", "pylint", "."]
    theirs = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False).stdout.splitlines()[0]
    assert theirs == "a.py:1: [F401] `os` imported but unused"


def test_json_lines_are_the_objects_of_json() -> None:
    lines = rendered("json-lines", *RESULTS).splitlines()
    assert [json.loads(line) for line in lines] == json.loads(rendered("json", *RESULTS))
    assert rendered("json-lines") == ""


GITLAB: Any = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["description", "check_name", "fingerprint", "severity", "location"],
        "properties": {
            "severity": {"enum": ["info", "minor", "major", "critical", "blocker"]},
            "fingerprint": {"type": "string", "minLength": 1},
            "location": {
                "type": "object",
                "required": ["path"],
                "properties": {"path": {"type": "string", "pattern": "^(?!/|\\./)"}},
                "oneOf": [
                    {"required": ["lines"], "properties": {"lines": {"required": ["begin"]}}},
                    {"required": ["positions"], "properties": {"positions": {"required": ["begin"]}}},
                ],
            },
        },
    },
}
"""What https://docs.gitlab.com/ci/testing/code_quality/ asks of a report."""


def test_gitlab_has_what_gitlab_asks_for() -> None:
    rows = json.loads(rendered("gitlab", *RESULTS))
    jsonschema.validate(rows, GITLAB)
    assert len({row["fingerprint"] for row in rows}) == len(rows) == 4
    assert [row["severity"] for row in rows] == ["minor", "major", "major", "critical"]
    assert rows[0]["location"] == {
        "path": "pkg/train.py",
        "positions": {"begin": {"line": 3, "column": 9}, "end": {"line": 3, "column": 25}},
    }
    assert rows[2]["location"]["lines"] == {"begin": 1} and "cell 2, row 2" in rows[2]["description"]
    assert json.loads(rendered("gitlab")) == []


def test_gitlab_fingerprints_do_not_depend_on_rows() -> None:
    moved = source_of("# more\n\n" + SOURCE.text)
    one = json.loads(rendered("gitlab", result(SOURCE, finding(SOURCE, "CKP302", CALL))))[0]
    other = json.loads(rendered("gitlab", result(moved, finding(moved, "CKP302", CALL))))[0]
    assert one["fingerprint"] == other["fingerprint"] and one["location"] != other["location"]


def test_junit_is_read_by_junitparser() -> None:
    suites = list(JUnitXml.fromstring(rendered("junit", *RESULTS).encode()))
    assert [(suite.tests, suite.failures, suite.errors) for suite in suites] == [(2, 2, 0), (1, 1, 0), (1, 0, 1)]
    cases = [case for suite in suites for case in suite]
    assert [case.name for case in cases][:2] == ["CKP301 load-without-map-location", "CKP302 load-without-weights-only"]
    assert [type(case.result[0]) for case in cases] == [Failure, Failure, Failure, Error]
    assert cases[1].result[0].text == "pkg/train.py:3:9: error: a hazard\npkg/save.py:4:5: saved here"
    empty = JUnitXml.fromstring(rendered("junit").encode())
    assert (empty.tests, empty.failures, [case.result for suite in empty for case in suite]) == (1, 0, [[]])


def test_junit_has_only_what_the_schema_of_the_jenkins_plugin_knows() -> None:
    known = {
        "testsuites": {"name", "time", "tests", "failures", "errors", "disabled"},
        "testsuite": {"name", "package", "tests", "failures", "errors", "time", "hostname", "id", "timestamp"},
        "testcase": {"name", "classname", "time", "assertions", "status"},
        "failure": {"type", "message"},
        "error": {"type", "message"},
    }
    for text in (rendered("junit", *RESULTS), rendered("junit")):
        for element in ElementTree.fromstring(text).iter():
            assert set(element.attrib) <= known[element.tag]


POSITION: Any = {
    "type": "object",
    "required": ["line"],
    "properties": {"line": {"type": "integer", "minimum": 1}, "column": {"type": "integer", "minimum": 1}},
    "additionalProperties": False,
}
RANGE: Any = {
    "type": "object", "required": ["start"], "properties": {"start": POSITION, "end": POSITION}, "additionalProperties": False,
}  # fmt: skip
PLACE: Any = {
    "type": "object",
    "required": ["path"],
    "properties": {"path": {"type": "string"}, "range": RANGE},
    "additionalProperties": False,
}
RDJSON: Any = {
    "type": "object",
    "required": ["source", "diagnostics"],
    "properties": {
        "source": {"type": "object", "required": ["name"]},
        "diagnostics": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["message", "location"],
                "additionalProperties": False,
                "properties": {
                    "message": {"type": "string"},
                    "location": PLACE,
                    "severity": {"enum": ["ERROR", "WARNING", "INFO"]},
                    "code": {"type": "object", "required": ["value"]},
                    "suggestions": {
                        "type": "array",
                        "items": {"type": "object", "required": ["range", "text"], "properties": {"range": RANGE}},
                    },
                    "related_locations": {"type": "array", "items": {"properties": {"location": PLACE}}},
                },
            },
        },
    },
}
"""The messages of Reviewdog's proto/rdf/reviewdog.proto that are used here, with nothing besides."""


def test_rdjson_has_the_shape_that_reviewdog_publishes() -> None:
    document = json.loads(rendered("rdjson", *RESULTS))
    jsonschema.validate(document, RDJSON)
    first, second, cell, broken = document["diagnostics"]
    assert first["location"]["range"] == {"start": {"line": 3, "column": 9}, "end": {"line": 3, "column": 25}}
    assert first["suggestions"][0]["text"] == ', map_location="cpu"'
    assert second["related_locations"][0]["location"]["path"].endswith("pkg/save.py")
    assert "range" not in cell["location"] and cell["message"] == "cell 2, row 2: a hazard"
    assert broken["location"]["range"] == {"start": {"line": 2}} and broken["severity"] == "ERROR"
    jsonschema.validate(json.loads(rendered("rdjson")), RDJSON)


def test_rdjson_columns_count_bytes_and_a_suggestion_can_be_applied() -> None:
    source = source_of('é = ("日本", torch.load(p))\n')
    one = finding(source, "CKP302", "torch.load(p)", insert=", weights_only=True")
    row = json.loads(rendered("rdjson", result(source, one)))["diagnostics"][0]
    line = source.text.encode().splitlines()[0]
    start, end = (row["location"]["range"][key]["column"] - 1 for key in ("start", "end"))
    assert line[start:end] == b"torch.load(p)"
    change = row["suggestions"][0]
    start, end = (change["range"][key]["column"] - 1 for key in ("start", "end"))
    fixed = line[:start] + change["text"].encode() + line[end:]
    assert fixed.decode() == 'é = ("日本", torch.load(p, weights_only=True))'


def test_a_fix_to_be_finished_by_hand_is_no_suggestion() -> None:
    one = finding(SOURCE, "CKP302", CALL, insert=", x", safety=Applicability.DISPLAY)
    assert "suggestions" not in json.loads(rendered("rdjson", result(SOURCE, one)))["diagnostics"][0]


def test_markdown() -> None:
    assert rendered("markdown", *RESULTS) == (
        "### ckpt-lint\n\n2 errors, 1 warning, 1 file not checked, of 3 files.\n\n"
        "| | place | finding |\n|---|---|---|\n"
        "| warning | `pkg/train.py:3:9` | **CKP301**\\* a hazard |\n"
        "| error | `pkg/train.py:3:9` | **CKP302**\\* a hazard |\n"
        "| error | `pkg/note book.ipynb:cell 2:2:1` | **CKP302** a hazard |\n"
        "| not checked | `pkg/broken.py:2:7` | invalid-syntax: never closed |\n"
        "\n\\* `ckpt-lint check --fix` (with `--unsafe-fixes` for the unsafe ones) fixes these.\n"
    )
    assert rendered("markdown") == "### ckpt-lint\n\nNo findings in 0 files.\n"


@pytest.mark.parametrize(
    "message",
    ["a | b", "`a | b`", "<img src=x onerror=y>", "`<b>` <b>", "[x](http://e)", "@team", "a `b", "``", "# x", "a\nb", "&lt;"],
)
def test_markdown_says_what_the_message_says(message: str) -> None:
    one = finding(SOURCE, "CKP302", CALL, message=message)
    tokens = MarkdownIt("commonmark", {"html": True}).enable("table").parse(rendered("markdown", result(SOURCE, one)))
    assert not [token.type for token in tokens if "html" in token.type]
    cells = [token for before, token in itertools.pairwise(tokens) if before.type == "td_open"]
    assert len(cells) == 3
    children = cells[2].children or []
    assert {child.type for child in children} <= {"text", "text_special", "code_inline", "strong_open", "strong_close"}
    said = "".join(child.content for child in children).removeprefix("CKP302 ")
    assert said == message.replace("\n", "\\x0a") or said == message.replace("`", "")


def test_markdown_fits_into_a_comment() -> None:
    many = [finding(SOURCE, "CKP302", CALL, message="word " * 100) for _ in range(3000)]
    text = rendered("markdown", result(SOURCE, *many))
    assert len(text) < 65_000 and re.search(r"\n\d+ more rows are not shown\.\n", text) and "3000 errors" in text


@pytest.mark.parametrize("output_format", [*OUTPUT_FORMATS, "statistics", "statistics-json"])
def test_no_format_lets_through_what_a_terminal_would_obey(output_format: str) -> None:
    evil = "\x1b[2J\x9b31m\x07\u202e\u2066\udc80\ufffe\x7f"
    source = source_of("x = torch.load(p)  # \x1b[2J\x9b31m\u202e\u2066\n", f"pkg/{evil}.py")
    target = "torch.load(p)  # \x1b[2J\x9b31m\u202e"
    one = finding(source, "CKP302", target, insert=evil, message=f"a {evil}", withheld=evil, cause=evil)
    problem = Problem(Status.SYNTAX_ERROR, evil, Location(1, 1))
    text = rendered(output_format, FileResult(Outcome(source.path, (one,), (problem,)), source))
    assert not [character for character in text if character in evil and character not in "[2J31m\ufffe"]
    lines = text.replace("\t", "").replace("\ufffe", "").splitlines()
    assert all(line.isprintable() for line in lines)
    if "json" in output_format or output_format in ("gitlab", "sarif"):
        for line in text.splitlines() if output_format == "json-lines" else [text]:
            json.loads(line)
    if output_format == "junit":
        ElementTree.fromstring(text)


def test_a_diff_on_a_terminal_lets_nothing_through_and_one_for_patch_everything() -> None:
    before = source_of("x = torch.load(p)  # \x1b[2J\u202e\n")
    after = source_of("x = torch.load(q)  # \x1b[2J\u202e\n")
    changed = FileResult(Outcome("a.py"), after, before)
    for terminal in (False, True):
        text = "".join(renderer("diff")([changed], Look(rules=(), terminal=terminal)))
        assert ("\x1b" in text) != terminal and ("\u202e" in text) != terminal
