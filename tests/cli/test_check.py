"""`ckpt-lint check`: options, exit codes, fixing."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import ckpt_lint as package
from tests.cli.command import ckpt_lint, write

HAZARD = "import torch\n\nx = torch.load(p)\n"
CLEAN = 'import torch\n\nx = torch.load(p, map_location="cpu", weights_only=True)\n'
BROKEN = "import torch\ntorch.load(p\n"
FIXABLE = "import torch\n\nmodel.load_state_dict(torch.load(p, weights_only=True))\n"


def test_exit_codes(tmp_path: Path) -> None:
    write(tmp_path, clean=CLEAN, hazard=HAZARD, broken=BROKEN)
    assert ckpt_lint("check", "clean.py", cwd=tmp_path).code == 0
    assert ckpt_lint("check", "hazard.py", cwd=tmp_path).code == 1
    assert ckpt_lint("check", "--selec", "x", cwd=tmp_path).code == 2
    assert ckpt_lint("check", "--select", "CKP999", cwd=tmp_path).code == 2
    assert ckpt_lint("check", "broken.py", cwd=tmp_path).code == 3
    everything = ckpt_lint("check", cwd=tmp_path)
    assert everything.code == 3
    assert "hazard.py:3:5" in everything.out and "broken.py:2:11" in everything.out
    assert ckpt_lint("check", "--exit-zero", "hazard.py", cwd=tmp_path).code == 0
    assert ckpt_lint("check", "--exit-zero", "broken.py", cwd=tmp_path).code == 3


def test_fail_on(tmp_path: Path) -> None:
    write(tmp_path, a=FIXABLE)
    assert "CKP301" in ckpt_lint("check", "a.py", cwd=tmp_path).out
    assert ckpt_lint("check", "--fail-on", "error", "a.py", cwd=tmp_path).code == 0
    assert ckpt_lint("check", "--fail-on", "warning", "a.py", cwd=tmp_path).code == 1


def test_a_mistake_in_the_configuration_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "ckpt-lint.toml").write_text("selekt = []\n")
    ran = ckpt_lint("check", cwd=tmp_path)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == "ckpt-lint: error: ckpt-lint.toml: unknown key `selekt`; did you mean `select`?\n"


def test_selection_on_the_command_line(tmp_path: Path) -> None:
    write(tmp_path, a=HAZARD)

    def codes(*options: str) -> list[str]:
        ran = ckpt_lint("check", "--output-format", "json", *options, "a.py", cwd=tmp_path)
        return [row["code"] for row in json.loads(ran.out)]

    assert codes() == ["CKP301", "CKP302"]
    assert codes("--select", "CKP301") == ["CKP301"]
    assert codes("--select", "security") == ["CKP302"]
    assert codes("--ignore", "CKP301,CKP302") == []
    assert codes("--config", 'ignore = ["CKP301"]') == ["CKP302"]
    assert codes("--ignore", "load-without-weights-only", "--ignore", "CKP302") == ["CKP301"]


def test_torch_version(tmp_path: Path) -> None:
    write(tmp_path, a=HAZARD)
    assert "CKP302" not in ckpt_lint("check", "--torch-version", ">=2.6", "a.py", cwd=tmp_path).out
    assert "CKP302" in ckpt_lint("check", "--torch-version", "2.4", "a.py", cwd=tmp_path).out
    installed = ckpt_lint("check", "--torch-version", "installed", "--show-settings", cwd=tmp_path)
    assert 'torch-version = "2.13.0"' in installed.out


def test_fix_writes_safe_fixes_only(tmp_path: Path) -> None:
    write(tmp_path, a=FIXABLE, b=HAZARD)
    ran = ckpt_lint("check", "--fix", cwd=tmp_path)
    assert ran.code == 1
    assert 'map_location="cpu"' in (tmp_path / "a.py").read_text()
    assert "weights_only" not in (tmp_path / "b.py").read_text()
    assert "fixed, " in ran.out
    ckpt_lint("check", "--fix", "--unsafe-fixes", cwd=tmp_path)
    assert "weights_only=True" in (tmp_path / "b.py").read_text()
    assert ckpt_lint("check", cwd=tmp_path).code == 0


def test_exit_non_zero_on_fix(tmp_path: Path) -> None:
    write(tmp_path, a=FIXABLE)
    assert ckpt_lint("check", "--fix", "--exit-non-zero-on-fix", cwd=tmp_path).code == 1
    assert ckpt_lint("check", "--fix", "--exit-non-zero-on-fix", cwd=tmp_path).code == 0


def test_fix_keeps_what_is_suppressed(tmp_path: Path) -> None:
    text = FIXABLE.replace("True))", "True))  # noqa: CKP301")
    write(tmp_path, a=text)
    assert ckpt_lint("check", "--fix", cwd=tmp_path).code == 0
    assert (tmp_path / "a.py").read_text() == text


def test_diff_is_for_patch_and_changes_nothing(tmp_path: Path) -> None:
    text = FIXABLE.replace("\n", "\r\n").rstrip("\r\n")
    write(tmp_path, a=text, broken=BROKEN)
    ran = ckpt_lint("check", "--diff", "a.py", cwd=tmp_path)
    assert ran.code == 1
    assert (tmp_path / "a.py").read_bytes() == text.encode()
    assert ckpt_lint("check", "--diff", "broken.py", cwd=tmp_path).out == ""
    patched = tmp_path / "patched"
    patched.mkdir()
    (patched / "a.py").write_bytes(text.encode())
    patch = ckpt_lint("check", "--diff", "a.py", cwd=patched).out
    subprocess.run(["git", "apply", "-p0", "-"], cwd=patched, input=patch.encode(), check=True)
    ckpt_lint("check", "--fix", "a.py", cwd=tmp_path)
    assert (patched / "a.py").read_bytes() == (tmp_path / "a.py").read_bytes() != text.encode()


def test_quiet_statistics_files_and_version(tmp_path: Path) -> None:
    write(tmp_path, a=HAZARD, sub__b=CLEAN)
    quiet = ckpt_lint("check", "-q", "--output-format", "concise", cwd=tmp_path).out
    assert len(quiet.splitlines()) == 2
    assert "1\tCKP302\t" in ckpt_lint("check", "--statistics", cwd=tmp_path).out
    files = ckpt_lint("check", "--show-files", cwd=tmp_path).out.splitlines()
    assert files == [str(tmp_path / "a.py"), str(tmp_path / "sub" / "b.py")]
    assert ckpt_lint("--version", cwd=tmp_path).out == f"ckpt-lint {package.__version__}\n"


def test_show_settings(tmp_path: Path) -> None:
    (tmp_path / "ckpt-lint.toml").write_text("select = ['CKP3']\n[per-file-ignores]\n'a.py' = ['CKP301']\n")
    write(tmp_path, a=HAZARD)
    shown = ckpt_lint("check", "--show-settings", "a.py", cwd=tmp_path).out
    assert f"Configuration: {tmp_path}/ckpt-lint.toml\n" in shown
    assert "  CKP302, # load-without-weights-only\n" in shown and "  CKP301," not in shown


def test_force_exclude(tmp_path: Path) -> None:
    write(tmp_path, gen__a=HAZARD)
    (tmp_path / "ckpt-lint.toml").write_text("extend-exclude = ['gen']\n")
    assert ckpt_lint("check", "gen/a.py", cwd=tmp_path).code == 1
    assert ckpt_lint("check", "--force-exclude", "gen/a.py", cwd=tmp_path).code == 0
    assert ckpt_lint("check", cwd=tmp_path).code == 0


@pytest.mark.parametrize(
    ("env", "colored"),
    [
        ({}, False),
        ({"FORCE_COLOR": "1"}, True),
        ({"NO_COLOR": "1"}, False),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, True),
    ],
)
def test_colors(tmp_path: Path, env: dict[str, str], colored: bool) -> None:
    write(tmp_path, a=HAZARD)
    for output_format in ("full", "concise"):
        out = ckpt_lint("check", "--output-format", output_format, cwd=tmp_path, env=env).out
        assert ("\x1b[" in out) == colored
    for output_format in ("json", "sarif", "github"):
        assert "\x1b[" not in ckpt_lint("check", "--output-format", output_format, cwd=tmp_path, env=env).out


def test_processes_change_nothing(tmp_path: Path) -> None:
    filler = ("# " + "filler " * 10 + "\n") * 900
    write(tmp_path, **{f"m{number:02}": HAZARD + filler for number in range(14)}, **{"z" * 3: "x = 1\n"})
    write(tmp_path, m05=BROKEN + filler, a00="y = 2\n")
    one = ckpt_lint("check", "--output-format", "json", "--jobs", "1", cwd=tmp_path)
    two = ckpt_lint("check", "--output-format", "json", "--jobs", "2", cwd=tmp_path)
    assert one == two
    assert one.code == 3 and len(json.loads(one.out)) == 27


def test_no_gate_finds_the_same(tmp_path: Path) -> None:
    write(tmp_path, a=HAZARD, b="x = 1\n")
    gated = ckpt_lint("check", "--output-format", "json", cwd=tmp_path)
    assert gated == ckpt_lint("check", "--output-format", "json", "--no-gate", cwd=tmp_path)


def test_a_reader_that_goes_away(tmp_path: Path) -> None:
    write(tmp_path, **{f"m{number}": HAZARD * 200 for number in range(3)})
    command = f"{sys.executable} -m ckpt_lint check | head -n 1"
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(command, shell=True, cwd=tmp_path, capture_output=True, text=True, check=False, env=env)
    assert done.stderr == ""


def test_a_crash_does_not_pass_for_findings(tmp_path: Path) -> None:
    """Nothing of ours is known to crash; a broken installation is. Python itself would exit with 1."""
    folder = tmp_path / "copy"
    shutil.copytree(Path(package.__file__).parent, folder / "ckpt_lint", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "ckpt_lint" / "run.py").unlink()
    ran = ckpt_lint("check", cwd=tmp_path, env={"PYTHONPATH": str(folder)})
    assert ran.code == 3 and "Traceback" in ran.err
