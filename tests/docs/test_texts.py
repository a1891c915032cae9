"""What the documentation shows of configurations is accepted by those who read them, and its programs run."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

import ckpt_lint
from ckpt_lint.cli.arguments import parse
from ckpt_lint.config import Configs
from ckpt_lint.config.options import OPTIONS, OUTPUT_FORMATS
from ckpt_lint.rules import ALL
from tests.docs.blocks import ROOT, Block, blocks, fits, pages

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

LANGUAGES = ("console", "sh", "text", "toml", "yaml", "json", "python", "lua")
SCHEMAS = {"github-workflows": lambda text: "jobs" in text, "gitlab-ci": lambda text: "ckpt-lint" in text}


def of(*languages: str) -> list[Block]:
    return [block for page in pages() for block in blocks(page, *languages)]


def test_every_block_says_what_it_is() -> None:
    for page in pages():
        fences = re.findall(r"^ *```(.*)$", (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE)
        assert fences[::2] == [block.language for block in blocks(page)], page
        assert set(fences[::2]) <= set(LANGUAGES) and not any(fences[1::2]), page


@pytest.mark.parametrize("block", of("toml"), ids=str)
def test_toml_is_a_configuration(block: Block, tmp_path: Path) -> None:
    document = tomllib.loads(block.text)
    if "ckpt-lint" not in document.get("tool", {}):
        assert set(document.get("tool", document)) <= {"ruff", "language", "language-server"}, f"{block}: who reads this?"
        return
    (tmp_path / ".git").mkdir()
    (tmp_path / "ckpt-lint.toml").write_text("")
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "pyproject.toml").write_text(block.text)
    assert Configs(ALL, working_folder=str(folder)).settings_for(str(folder / "a.py")).selected is not None


def test_every_key_has_an_example_that_sets_it() -> None:
    for key, option in OPTIONS.items():
        (only,) = tomllib.loads(option.example).items()
        assert only[0] == key and option.kind.check(only[1]) is None, key


def test_every_format_is_described() -> None:
    text = (ROOT / "docs" / "reference" / "output.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"^\| `([\w-]+)` \|", text, re.MULTILINE)) == sorted(OUTPUT_FORMATS)


def test_json_is_json() -> None:
    for block in of("json"):
        json.loads(block.text)


def test_yaml_fits_its_schema(tmp_path: Path) -> None:
    """Of GitHub and GitLab by their published schemas, of pre-commit by pre-commit."""
    files: dict[str, list[str]] = {}
    for number, block in enumerate(of("yaml")):
        path = tmp_path / f"{number}.yaml"
        path.write_text(block.text)
        document = yaml.safe_load(block.text)
        kind = "pre-commit" if "repos" in document else next(name for name, holds in SCHEMAS.items() if holds(document))
        files.setdefault(kind, []).append(str(path))
    assert set(files) == {"pre-commit", *SCHEMAS}
    for kind, paths in files.items():
        command = ["pre_commit", "validate-config"]
        if kind != "pre-commit":
            command = ["check_jsonschema", "--builtin-schema", f"vendor.{kind}"]
        done = subprocess.run([sys.executable, "-m", *command, *paths], capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{kind}: {done.stdout}{done.stderr}"


def strings(value: Any) -> Iterator[str]:
    """The strings in a document, in order."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (dict, list)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from strings(item)


def test_commands_in_yaml_are_understood() -> None:
    lines = [text for block in of("yaml") for text in strings(yaml.safe_load(block.text)) if text.startswith("ckpt-lint ")]
    assert len(lines) > 4
    for line in lines:
        assert callable(parse(shlex.split(line.partition(">")[0])[1:]).command)


def test_hooks_exist_and_take_their_arguments() -> None:
    known = {hook["id"]: hook for hook in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())}
    hooks = [
        hook for block in of("yaml") for repo in yaml.safe_load(block.text).get("repos", ()) for hook in repo["hooks"]
    ]
    assert len(hooks) > 3
    for hook in hooks:
        entry = shlex.split(known[hook["id"]]["entry"])
        assert callable(parse([*entry[1:], *hook.get("args", ())]).command)


def test_what_is_pinned_is_this_version() -> None:
    texts = "\n".join((ROOT / page).read_text(encoding="utf-8") for page in pages())
    pinned = re.findall(r"ckpt-lint==([\d.]+\d)|rev: v([\d.]+\d)", texts)
    assert len(pinned) > 3
    assert {one or other for one, other in pinned} == {ckpt_lint.__version__}


@pytest.mark.parametrize("block", of("python"), ids=str)
def test_programs_run(block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the last line says `# SomeError: ...`, that is raised there."""
    monkeypatch.chdir(tmp_path)
    program = compile(block.text, str(block), "exec")
    raises = re.search(r"  # (\w+Error): (.*)$", block.text.rstrip())
    if raises is None:
        exec(program, {"__name__": "__main__"})
        return
    with pytest.raises(Exception, match=r".") as caught:
        exec(program, {"__name__": "__main__"})
    assert type(caught.value).__name__ == raises[1]
    assert fits(f"{raises[2]}...", " ".join(str(caught.value).split()))
