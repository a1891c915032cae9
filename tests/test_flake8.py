"""The flake8 plugin, under the real flake8."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ckpt_lint.rules import ALL
from tests.cli.command import ckpt_lint, write
from tests.cli.nursery import own_environment, run

HAZARD = "import torch\n\n\nx = torch.load(p)\n"
ROOT = Path(__file__).parents[1]


def flake8(*arguments: str, cwd: Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run flake8 in `cwd`; the plugin comes from the installed entry point."""
    done = run("flake8", *arguments, cwd=cwd, stdin=stdin.encode(), environment=own_environment())
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


def codes(*arguments: str, cwd: Path, stdin: str = "") -> list[str]:
    """`row:column code` of our codes."""
    done = flake8(*arguments, cwd=cwd, stdin=stdin)
    assert done.stderr == "", done
    rows = (line.split(" ")[:2] for line in done.stdout.splitlines())
    return [f"{place.split(':', 1)[1].rstrip(':')} {code}" for place, code in rows if code.startswith("CKP")]


def test_plain_flake8_reports_our_codes_at_the_right_columns(tmp_path: Path) -> None:
    write(tmp_path, a=HAZARD)
    assert codes("--extend-ignore", "F821", "a.py", cwd=tmp_path) == ["4:5 CKP301", "4:5 CKP302"]
    assert "ckpt-lint" in flake8("--version", cwd=tmp_path).stdout


def test_columns_count_characters_from_one(tmp_path: Path) -> None:
    write(tmp_path, a='import torch\nx = "日本é", torch.load(p)\n')
    assert codes("--select", "CKP302", "a.py", cwd=tmp_path) == ["2:12 CKP302"]


def test_stdin(tmp_path: Path) -> None:
    write(tmp_path, a="x = 1\n")
    assert codes("--select", "CKP", "-", cwd=tmp_path, stdin=HAZARD) == ["4:5 CKP301", "4:5 CKP302"]
    named = ["--stdin-display-name", "tests/test_x.py", "-"]
    assert codes("--select", "CKP", *named, cwd=tmp_path, stdin=HAZARD) == []


def test_flake8_options_win_for_what_they_name(tmp_path: Path) -> None:
    (tmp_path / "ckpt-lint.toml").write_text("select = ['CKP302']\n")
    write(tmp_path, a=HAZARD)

    def found(*options: str) -> list[str]:
        return [row.split()[-1] for row in codes("--extend-ignore", "F821", *options, "a.py", cwd=tmp_path)]

    assert found() == ["CKP302"]
    assert found("--select", "CKP3") == ["CKP301", "CKP302"]
    assert found("--select", "CKP301") == ["CKP301"]
    assert found("--extend-select", "CKP301") == ["CKP301", "CKP302"]
    assert found("--ignore", "CKP302") == []
    assert found("--select", "E,F") == []
    assert found("--select", "C") == ["CKP301", "CKP302"]
    assert found("--per-file-ignores", "a.py:CKP302") == []


def test_the_configuration_of_ours_holds(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.ckpt-lint]\ntorch-version = '>=2.6'\n")
    write(tmp_path, a=HAZARD)
    assert codes("--select", "CKP", "a.py", cwd=tmp_path) == ["4:5 CKP301"]


def test_a_mistake_in_it_is_told(tmp_path: Path) -> None:
    (tmp_path / "ckpt-lint.toml").write_text("selekt = []\n")
    write(tmp_path, a=HAZARD, b=HAZARD)
    told = "unknown key `selekt`; did you mean `select`?"
    done = flake8("--select", "CKP", cwd=tmp_path)
    assert done.returncode == 1 and told in done.stdout + done.stderr
    early = flake8("--select", "CKP", "--exclude", "*.py", cwd=tmp_path)  # before a file is read, or a process started
    assert early.returncode == 1 and told in early.stdout + early.stderr


def test_a_mistake_in_the_configuration_of_a_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "ckpt-lint.toml").write_text("selekt = []\n")
    write(tmp_path / "inner", a=HAZARD)
    done = flake8("--select", "CKP", "-j1", cwd=tmp_path)
    assert done.returncode == 1
    assert "unknown key `selekt`; did you mean `select`?" in done.stdout + done.stderr


OFF = [rule for rule in ALL if not rule.on and rule.code[3] in "1234"]


@pytest.mark.parametrize("options", [["--select", "CKP"], ["--ignore", "E501"], ["--extend-select", "C"], []])
def test_off_rules_are_off_whatever_prefix_is_named(tmp_path: Path, options: list[str]) -> None:
    write(tmp_path, **{rule.code.lower(): rule.page.bad for rule in OFF})
    assert OFF and not {row.split()[-1] for row in codes(*options, cwd=tmp_path)} & {rule.code for rule in OFF}


def test_off_rules_speak_where_their_code_is_named(tmp_path: Path) -> None:
    write(tmp_path, **{rule.code.lower(): rule.page.bad for rule in OFF})
    for rule in OFF[:2]:
        assert codes("--select", rule.code, f"{rule.code.lower()}.py", cwd=tmp_path)
    found = codes("--select", ",".join(rule.code for rule in OFF), cwd=tmp_path)
    assert {row.split()[-1] for row in found} == {rule.code for rule in OFF}


def test_noqa(tmp_path: Path) -> None:
    text = "import torch\nx = torch.load(  # noqa: CKP301\n    p,\n)\ny = torch.load(p)  # noqa\n"
    write(tmp_path, a=text, b="# flake8: noqa\n" + HAZARD)
    assert codes("--select", "CKP", cwd=tmp_path) == ["2:5 CKP302"]
    assert len(codes("--select", "CKP", "--disable-noqa", cwd=tmp_path)) == 6


def test_what_could_not_be_checked_is_said(tmp_path: Path) -> None:
    (tmp_path / "ckpt-lint.toml").write_text("max-file-size = 20\n")
    write(tmp_path, a=HAZARD)
    done = flake8("--select", "CKP,E9", cwd=tmp_path)
    assert "E902 ckpt-lint could not check this" in done.stdout and done.returncode == 1


def test_flake8_and_the_command_line_agree_on_the_sample_project() -> None:
    folder = ROOT / "fixtures" / "projects" / "classifier"
    ours = json.loads(ckpt_lint("check", "--output-format", "json", "classifier", cwd=folder).out)
    expected = [f"{row['location']['row']}:{row['location']['column']} {row['code']}" for row in ours]
    assert expected and codes("--select", "CKP", "classifier", cwd=folder) == expected


def test_many_processes_say_the_same(tmp_path: Path) -> None:
    write(tmp_path, **{f"m{number}": HAZARD for number in range(6)})
    alone = codes("--select", "CKP", "--jobs", "1", cwd=tmp_path)
    assert len(alone) == 12 and codes("--select", "CKP", "--jobs", "3", cwd=tmp_path) == alone


def test_no_garbage_is_looked_for_while_a_file_is_judged(tmp_path: Path) -> None:
    program = (
        "import ast, gc\nfrom flake8.main.application import Application\nfrom ckpt_lint.flake8 import Plugin\n"
        "app = Application()\napp.initialize(['--isolated'])\n"
        f"text = {HAZARD!r}\n"
        "plugin, seen = Plugin(ast.parse(text), 'a.py', text.splitlines(keepends=True)), []\n"
        "gc.collect()\ngc.callbacks.append(lambda phase, info: seen.append(phase))\n"
        "found = list(plugin.run())\n"
        "print(len(found), seen.count('start') <= 1, gc.isenabled())  # one may follow, when it is on again\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False,
                          env={**os.environ, "PYTHONPATH": str(ROOT)})  # fmt: skip
    assert done.stdout == "2 True True\n", done
