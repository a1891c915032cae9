"""The settings that the documentation shows for editors: well-formed, and with a command that is understood."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

from ckpt_lint.cli.arguments import parse
from ckpt_lint.config.options import check_options

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[2]
PAGES = ("README.md", "docs/tools/editors.md")


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", (ROOT / page).read_text(), re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("page", PAGES)
def test_every_editor_starts_the_server(page: str) -> None:
    (code,) = [json.loads(block) for block in blocks(page, "json") if "glspc" in block]
    (helix,) = [found for block in blocks(page, "toml") if "language-server" in (found := tomllib.loads(block))]
    lua = blocks(page, "lua")[0]
    server = helix["language-server"]["ckpt-lint"]
    command = re.search(r"cmd = \{ (.*?) \}", lua)
    assert command
    for started in (
        [code["glspc.server.command"], *code["glspc.server.commandArguments"]],
        [server["command"], *server["args"]],
        json.loads(f"[{command[1]}]"),
    ):
        assert started == ["ckpt-lint", "server"] and callable(parse(started[1:]).command)
    (language,) = helix["language"]
    assert language["name"] == "python" and set(helix["language-server"]) <= set(language["language-servers"])
    assert code["glspc.server.languageId"] == ["python"]


def test_the_settings_that_an_editor_may_send_are_options() -> None:
    last = blocks(PAGES[1], "lua")[-1]
    sent = re.findall(r'\["([\w-]+)"\] = \{ (.*?) \}', last)
    assert sent
    check_options({key: json.loads(f"[{value}]") for key, value in sent}, "the page")
