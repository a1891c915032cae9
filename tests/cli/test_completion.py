"""`ckpt-lint completion`: the script is asked by a real shell."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.command import ckpt_lint

ASK = """
source ./script
COMP_WORDS=(ckpt-lint {words})
COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
COMP_LINE="${{COMP_WORDS[*]}}" COMP_POINT=${{#COMP_LINE}}
_shtab_ckpt_lint
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("ch", "check"),
        ("check --add-n", "--add-noqa"),
        ("check --output-format gitl", "gitlab"),
        ("check tra", "train.py"),
        ("check --wat", "--watch"),
        ("ser", "server"),
        ("server --torch", "--torch-version"),
        ("server --cache-dir tra", "train.py"),
    ],
)
def test_bash_completes(tmp_path: Path, words: str, expected: str) -> None:
    bash = shutil.which("bash")
    assert bash is not None
    ran = ckpt_lint("completion", "bash", cwd=tmp_path)
    assert ran.code == 0, ran.err
    (tmp_path / "script").write_text(ran.out)
    (tmp_path / "train.py").write_text("")
    done = subprocess.run(
        [bash, "--norc", "-c", ASK.format(words=words)], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == [expected], done


def test_without_shtab_it_says_what_to_install(tmp_path: Path) -> None:
    code = "import sys; sys.modules['shtab'] = None; from ckpt_lint.cli import main; sys.exit(main(['completion', 'zsh']))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == "ckpt-lint: error: completion needs shtab: pip install 'ckpt-lint[completion]'\n"
