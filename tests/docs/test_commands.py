"""Every command that the documentation shows is run, in a copy of the sample project, and prints what is shown."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from ckpt_lint.cli.arguments import parse
from tests.docs.blocks import ROOT, Command, all_commands, fits, pages
from tests.docs.project import CHECKPOINTS, SAMPLE, commit, environment, make, train

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

NOT_RUN: Mapping[str, str] = {
    "python -m pip install --quiet --editable '.[test]' && python -m pytest -q -n auto --dist loadfile": ".ci/run runs it",
    "python -m pip install --editable '.[test]'": ".ci/run installs this",
    "python -m pytest -q tests/rules tests/proofs": ".ci/run runs all tests",
    "ruff check . && mypy": ".ci/run runs it",
    "python -m ckpt_lint.scaffold CKP420 some-name restoring": "tests/test_scaffold.py runs it in a copy of the checkout",
    "ckpt-lint check https://example.org/model.pt": "a host on the network; tests/cli/test_urls.py has one of its own",
    "ckpt-lint check --watch src": "runs until somebody stops it; tests/cli/test_watch.py does",
    "ckpt-lint check --engine dask://scheduler:8786 --checkpoints --output-format parquet"
    " --output-file audit.parquet s3://models/": "a cluster and a bucket; tests/cluster has a cluster of its own",
    "zensical build --strict": "tests/docs/test_site.py builds the site",
    "ckpt-lint verify .": "the package of somebody else",
}
"""Commands that need what a test has not, and why; `pip install` of a published package is known as such."""

CODES: Mapping[str, tuple[int, ...]] = {
    "ckpt-lint verify src": (3,),  # not every place has a checkpoint, here and below
    "ckpt-lint verify --python ~/envs/train/bin/python": (3,),
    "ckpt-lint verify --fix": (3,),
    "ckpt-lint verify --checkpoint runs/best.pt": (0, 3),
}
"""Exit codes other than 0, and 1 for findings."""

INSTALLS_FIRST = "python -m pip install --quiet . && "
COMMANDS = all_commands()


def can_run(command: Command) -> bool:
    return command.bare not in NOT_RUN and not command.bare.startswith("pip install")


def for_readme(folder: Path, runs: Path) -> None:
    """The README speaks of no project of its own: `src`, `train.py`, `model.pt`."""
    make(folder, runs)
    shutil.copytree(SAMPLE, folder / "fixtures" / "projects" / "classifier")
    shutil.copytree(folder / "classifier", folder / "src")
    shutil.copy(folder / "classifier" / "train.py", folder)
    for name in ("model.pt", "best.pt"):
        shutil.copy(folder / "runs" / "best.pt", folder / name)


LOAD = "    model.load_state_dict(torch.load({path}))\n"


def for_verify(folder: Path, runs: Path) -> None:
    """A load whose path is known, one whose path is not, and a torch in another environment."""
    for name in ("src", "weights"):
        (folder / name).mkdir(parents=True)
    head = "import torch\n\n\n"
    (folder / "train.py").write_text(head + "#\n" * 11 + "def restore(model):\n" + LOAD.format(path='"weights/base.pt"'))
    (folder / "src" / "load.py").write_text(head + "def load(model, path):\n" + LOAD.format(path="path"))
    (folder / "pyproject.toml").write_text('[project]\nname = "p"\nversion = "1"\ndependencies = ["torch>=2.0"]\n')
    shutil.copy(CHECKPOINTS / "cuda.pt", folder / "weights" / "base.pt")
    shutil.copytree(runs, folder / "runs" / "1", ignore=shutil.ignore_patterns("last.pt", "model.pt"))
    python = folder.parent / "home" / "envs" / "train" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n')
    python.chmod(0o755)


LAYOUTS: Mapping[str, Callable[[Path, Path], None]] = {"README.md": for_readme, "docs/verify.md": for_verify}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Checkpoints that the sample project has written."""
    folder = tmp_path_factory.mktemp("runs")
    train(folder)
    return folder


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.mark.parametrize("page", [page for page in pages() if any(c.place.startswith(f"{page}:") for c in COMMANDS)])
def test_the_commands_of_a_page_do_what_is_shown(page: str, runs: Path, cache: Path, tmp_path: Path) -> None:
    """One after the other: a later command finds what an earlier one has left."""
    folder, variables = tmp_path / "project", environment(tmp_path / "home", cache)
    LAYOUTS.get(page, make)(folder, runs)
    commit(folder, variables)
    for command in COMMANDS:
        if command.place.startswith(f"{page}:") and can_run(command):
            run(command, folder, variables)


def run(command: Command, folder: Path, variables: dict[str, str]) -> None:
    text = command.text.removeprefix(INSTALLS_FIRST)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", text],
        cwd=folder,
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    usual = (0, 1) if re.match(r"\{? ?(ckpt-lint|flake8) ", text) else (0,)
    assert done.returncode in CODES.get(command.bare, usual), f"{command.place}: {text}\n{done.returncode}\n{done.stdout}"
    if command.shown is not None:
        assert fits(command.shown, done.stdout), f"{command.place}: {text}\nshown:\n{command.shown}\nis:\n{done.stdout}"


def test_what_is_not_run_is_there() -> None:
    shown = {command.bare for command in COMMANDS}
    assert set(NOT_RUN) | set(CODES) <= shown
    assert any(command.text.startswith(f"{INSTALLS_FIRST}{{ ckpt-lint check ") for command in COMMANDS)


@pytest.mark.parametrize("command", [command for command in COMMANDS if command.bare.startswith("ckpt-lint ")], ids=str)
def test_a_command_that_is_not_run_is_understood(command: Command) -> None:
    assert callable(parse(shlex.split(command.bare)[1:]).command)


def test_what_is_installed_has_the_extras() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    text = "\n".join((ROOT / page).read_text(encoding="utf-8") for page in pages())
    named = [Requirement(word) for word in re.findall(r"pip install '([^'.]\S*)'", text)]
    assert {extra for one in named for extra in one.extras} >= {"remote", "flake8"}
    for requirement in named:
        assert requirement.name == "ckpt-lint" and requirement.extras <= set(extras)


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        ("a\nb", "a\nb\n", True),
        ("a\nb", "a\nb\nc", False),
        ("a\n...\nd", "a\nb\nc\nd", True),
        ("a\n...\nd", "a\nd", True),
        ("a\n...", "a", True),
        ("...\nd", "b\nd", True),
        ("a ... d", "a b c d", True),
        ("a ... d", "a b\nc d", False),
        ("1  a.b", "1\ta.b", True),
        ("a.b", "axb", False),
    ],
)
def test_output_is_compared(shown: str, printed: str, same: bool) -> None:
    assert fits(shown, printed) is same
