"""The scaffold of a rule: it fits into the catalogue, and the tests of the rules fail until it is filled in."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ckpt_lint.scaffold import main

ROOT = Path(__file__).parents[1]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "ckpt_lint", tmp_path / "ckpt_lint", ignore=ignored)
    shutil.copytree(ROOT / "tests" / "proofs", tmp_path / "tests" / "proofs", ignore=ignored)
    shutil.copytree(ROOT / "tests" / "rules", tmp_path / "tests" / "rules", ignore=ignored)
    shutil.copy(ROOT / "tests" / "__init__.py", tmp_path / "tests")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def run(checkout: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=False)


def test_a_new_rule_stands_in_the_catalogue_and_asks_to_be_written(checkout: Path) -> None:
    done = run(checkout, "-m", "ckpt_lint.scaffold", "CKP398", "never-written", "loading")
    assert done.returncode == 0, done.stderr
    assert "fixtures/rules/never_written/near_miss.py" in done.stdout
    order = run(checkout, "-c", "from ckpt_lint import rules; print([r.code for r in rules.ALL if '391' < r.code[3:] < '402'])")
    assert order.stdout == "['CKP398', 'CKP401']\n", order.stderr
    assert run(checkout, "-m", "ckpt_lint", "rule", "CKP398").stdout.startswith("# never-written (CKP398)\n")
    lint = run(checkout, "-m", "ruff", "check", "--no-cache", "ckpt_lint", "tests/proofs")
    assert lint.returncode == 0, lint.stdout
    chosen = ("tests/rules/test_rules.py", "-k", "CKP398 or never_written")
    tests = run(checkout, "-m", "pytest", "-q", "-p", "no:cacheprovider", *chosen)
    assert tests.returncode == 1 and "test_page_bad_fires_exactly_this_rule[CKP398]" in tests.stdout
    assert "test_fixture_fires_where_it_says_and_nowhere_else[never_written/bad.py]" in tests.stdout


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("CKP301", "some-name", "loading"), "CKP301 is taken"),
        (("CKP399", "load-without-mmap", "loading"), "load-without-mmap is taken"),
        (("CKP599", "some-name", "loading"), "no code"),
        (("CKP399", "Some_name", "loading"), "no name"),
        (("CKP399", "some-name", "other"), "invalid choice"),
    ],
)
def test_what_is_taken_or_wrong_is_refused(
    arguments: tuple[str, ...], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main([*arguments, "--root", str(ROOT)])
    assert reason in capsys.readouterr().err
