"""What the README shows works as it stands there."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from ckpt_lint.cli.arguments import parse
from ckpt_lint.config import Configs
from ckpt_lint.rules import ALL

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)


def test_two_commands_come_first() -> None:
    first, second = re.findall(r"^```(\w+)\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)[:2]
    assert first[0] == second[0] == "sh"
    assert "pip install" in first[1] and "ckpt-lint check --diff" in first[1] and "fixtures/projects" in first[1]
    assert "'.[test]'" in second[1] and "pytest" in second[1]
    assert len(first[1].splitlines()) == len(second[1].splitlines()) == 1
    assert "block == 2" in (ROOT / ".ci" / "run").read_text()


COMMANDS = [line[2:].partition("#")[0] for block in blocks("console") for line in block.splitlines() if line[:1] == "$"]


@pytest.mark.parametrize("command", [line for line in COMMANDS if line.startswith("ckpt-lint ")])
def test_every_command_line_is_understood(command: str) -> None:
    assert callable(parse(shlex.split(command)[1:]).command)


def tables(name: str) -> list[dict[str, Any]]:
    found = [tomllib.loads(block).get("tool", {}).get(name) for block in blocks("toml")]
    return [table for table in found if table is not None]


def test_the_configuration_is_accepted(tmp_path: Path) -> None:
    texts = [block for block in blocks("toml") if "tool" in tomllib.loads(block) and "ckpt-lint" in block]
    assert texts
    (tmp_path / ".git").mkdir()
    (tmp_path / "ckpt-lint.toml").write_text("")
    for number, text in enumerate(texts):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "pyproject.toml").write_text(text)
        assert Configs(ALL, working_folder=str(folder)).settings_for(str(folder / "a.py")).selected


def test_ruff_keeps_our_comments() -> None:
    assert {"lint": {"external": ["CKP"]}} in tables("ruff")


def test_the_hooks_exist() -> None:
    known = re.findall(r"^- id: (\S+)", (ROOT / ".pre-commit-hooks.yaml").read_text(), re.MULTILINE)
    named = [
        hook["id"]
        for block in blocks("yaml")
        for repo in yaml.safe_load(block).get("repos", ())
        for hook in repo["hooks"]
    ]
    assert named and set(named) <= set(known)


def test_the_workflow_uploads_sarif_whatever_was_found() -> None:
    (workflow,) = [found for block in blocks("yaml") if "jobs" in (found := yaml.safe_load(block))]
    assert workflow["permissions"]["security-events"] == "write"
    (job,) = workflow["jobs"].values()
    commands = [step["run"] for step in job["steps"] if "run" in step]
    for command in commands:
        if command.startswith("ckpt-lint"):
            assert callable(parse(shlex.split(command.partition(">")[0])[1:]).command)
    (upload,) = [step for step in job["steps"] if "upload-sarif" in step.get("uses", "")]
    assert upload["if"] == "always()"
    assert any(command.endswith(f"> {upload['with']['sarif_file']}") for command in commands)
