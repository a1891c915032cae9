"""`fixable`, `unfixable`, `extend-safe-fixes`, `extend-unsafe-fixes`: every door shows what holds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.command import ckpt_lint, write

TEXT = """\
import torch

model.load_state_dict(torch.load(p, map_location="cuda:0", weights_only=True))
model.load_state_dict(torch.load(q, weights_only=True))
"""


def fixes(folder: Path, *options: str, config: str = "") -> dict[str, str | None]:
    """By code, the applicability of the fix."""
    write(folder, a=TEXT)
    (folder / "ckpt-lint.toml").write_text(config)
    ran = ckpt_lint("check", "--output-format", "json", *options, cwd=folder)
    assert ran.code == 1, ran
    return {row["code"]: row["fix"] and row["fix"]["applicability"] for row in json.loads(ran.out)}


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ("", ["unsafe", "safe"]),
        ('unfixable = ["CKP306"]', [None, "safe"]),
        ('unfixable = ["CKP3"]', [None, None]),
        ('fixable = ["CKP3"]\nunfixable = ["CKP30"]', [None, None]),
        ('fixable = ["CKP306"]\nunfixable = ["CKP3"]', ["unsafe", None]),
        ('fixable = ["security"]', [None, None]),
        ("fixable = []", [None, None]),
        ('extend-safe-fixes = ["CKP306"]', ["safe", "safe"]),
        ('extend-unsafe-fixes = ["ALL"]', ["unsafe", "unsafe"]),
        ('extend-safe-fixes = ["CKP3"]\nextend-unsafe-fixes = ["CKP3"]', ["unsafe", "unsafe"]),
        ('extend-safe-fixes = ["CKP306"]\nextend-unsafe-fixes = ["CKP3"]', ["safe", "unsafe"]),
    ],
)
def test_what_the_configuration_says_of_fixes(tmp_path: Path, config: str, expected: list[str | None]) -> None:
    found = fixes(tmp_path, config=config)
    assert [found["CKP306"], found["CKP301"]] == expected


def test_the_command_line_is_the_last_layer(tmp_path: Path) -> None:
    found = fixes(tmp_path, "--fixable", "CKP306", config='unfixable = ["CKP306"]')
    assert (found["CKP306"], found["CKP301"]) == ("unsafe", None)
    assert fixes(tmp_path, "--unfixable", "CKP301,CKP304")["CKP301"] is None


def test_what_counts_as_safe_is_applied(tmp_path: Path) -> None:
    write(tmp_path, a=TEXT)
    config = ("--config", 'extend-safe-fixes = ["CKP306"]', "--unfixable", "CKP302", "--unfixable", "CKP301")
    ran = ckpt_lint("check", "--fix", *config, cwd=tmp_path)
    assert "1 fixed" in ran.out
    after = (tmp_path / "a.py").read_text()
    assert 'map_location="cuda:0"' not in after and "torch.load(q, weights_only=True)" in after
    settings = ckpt_lint("check", "--show-settings", *config, cwd=tmp_path).out
    assert 'unfixable = ["CKP301", "CKP302"]\nextend-safe-fixes = ["CKP306"]\n' in settings


@pytest.mark.parametrize("key", ["fixable", "unfixable", "extend-safe-fixes", "extend-unsafe-fixes"])
def test_an_unknown_rule_is_an_error(tmp_path: Path, key: str) -> None:
    ran = ckpt_lint("check", "--config", f'{key} = ["CKP988"]', cwd=tmp_path)
    assert ran.code == 2 and f"`{key}`: unknown rule selector `CKP988`" in ran.err
