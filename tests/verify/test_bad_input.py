"""Bad input of every kind: a verdict each, no hang, no canary, and the user's files as they were."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import time
import venv
from pathlib import Path

import pytest
import torch

from ckpt_lint.verify.child import Child, NoTorch
from tests.cli.command import ckpt_lint
from tests.verify.projects import ANYWHERE, CHECKPOINTS, QUIET, RESTORE, RESUME, digests, project, verify


@pytest.mark.parametrize(
    ("name", "status", "says"),
    [
        ("truncated.pt", "unreadable", "cut short"),
        ("truncated_legacy.pt", "unreadable", ""),
        ("empty.pt", "unreadable", "empty file"),
        ("zeros.pt", "unreadable", "zero bytes"),
        ("lfs_pointer.pt", "unreadable", "git-lfs"),
        ("error_page.pt", "unreadable", "HTML"),
        ("text.pt", "unreadable", "text"),
        ("arrays.npz", "unreadable", "NumPy"),
        ("missing_record.pt", "unreadable", ""),
        ("short_record.pt", "unreadable", "8 bytes long"),
        ("safetensors_as.pt", "unreadable", "safetensors"),
        ("exported.pt2", "unreadable", ""),
        ("plain_pickle.pkl", "unreadable", "pickle"),
        ("zip_of_pt.pt", "unreadable", ""),
        ("gzipped.pt", "unreadable", "gzip"),
        ("dcp", "unreadable", ""),
        ("script.pt", "refuted", "TorchScript"),
        ("evil_zip.pt", "refuted", "nothing of it was loaded"),
        ("evil_legacy.pt", "refuted", "nothing of it was loaded"),
        ("evil_inst.pt", "refuted", "nothing of it was loaded"),
    ],
)
def test_files_that_are_no_good_checkpoint(tmp_path: Path, name: str, status: str, says: str) -> None:
    project(tmp_path, ANYWHERE)
    kept = digests(CHECKPOINTS)
    said = verify(tmp_path, "--checkpoint", str(CHECKPOINTS / name))
    (check,) = said.checks
    assert check["status"] == status and says in check["reason"]
    assert said.code == (1 if status == "refuted" else 3)
    assert digests(CHECKPOINTS) == kept and not _canaries(tmp_path)


def _canaries(folder: Path) -> list[Path]:
    places = (folder, Path.cwd(), Path("/tmp"), CHECKPOINTS)
    return [path for place in places for path in place.glob("*canary*")]


class Payload:
    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> object:
        return (os.system, (f"echo run > {self.canary}",))


@pytest.mark.parametrize("full", [(), ("--full",)])
def test_a_malicious_file_is_never_run(tmp_path: Path, full: tuple[str, ...]) -> None:
    canary = tmp_path / "canary"
    project(tmp_path, RESUME.format(name="evil.pt"))
    torch.save({"model": {}, "optimizer": {}, "epoch": 1, "x": Payload(canary)}, tmp_path / "evil.pt")
    said = verify(tmp_path, *full)
    assert (said.code, said.verdicts) == (1, ["refuted"])
    assert not canary.exists()


def test_trust_replays_the_load_and_even_then_processes_are_refused(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    code = RESUME.format(name="evil.pt")
    project(tmp_path, code, last="namespace.pt")
    torch.save({"model": {}, "optimizer": {}, "epoch": 1, "x": Payload(canary)}, tmp_path / "evil.pt")
    verify(tmp_path, "--trust")
    assert not canary.exists()


def test_a_checkpoint_that_is_not_there(tmp_path: Path) -> None:
    project(tmp_path, RESTORE.format(name="nowhere.pt"))
    said = verify(tmp_path, "--checkpoint", "gone.pt", "nothing/*.pt")
    assert said.code == 3 and said.document["missing"] == ["gone.pt", "nothing/*.pt"]
    assert said.verdicts == ["unavailable"] and "`nowhere.pt` is not there" in said.sites[0]["reason"]


def test_a_checkpoint_without_permission(tmp_path: Path) -> None:
    project(tmp_path, RESTORE.format(name="last.pt"), last="state_dict.pt")
    path = tmp_path / "last.pt"
    path.chmod(0)
    if os.access(path, os.R_OK):
        path.unlink()
        path.symlink_to(tmp_path / "last.pt")  # a link to itself: the superuser reads everything else
    said = verify(tmp_path, "--checkpoint", "last.pt")
    assert said.code == 3 and said.checks[0]["status"] == "unreadable"


# -- interpreters -----------------------------------------------------------------------------------------------------


def test_an_interpreter_without_torch(tmp_path: Path) -> None:
    project(tmp_path, RESTORE.format(name="last.pt"), last="state_dict.pt")
    bare = tmp_path / "bare"
    venv.create(bare, with_pip=False)
    said = verify(tmp_path, "--python", str(bare))
    (check,) = said.checks
    assert (said.code, check["status"]) == (3, "unavailable")
    assert "no torch in" in check["reason"] and "No module named 'torch'" in check["reason"]


def test_an_active_environment_without_torch_is_passed_by_and_that_is_said(tmp_path: Path) -> None:
    project(tmp_path, RESTORE.format(name="last.pt"), last="state_dict.pt")
    venv.create(tmp_path / "active", with_pip=False)
    said = verify(tmp_path, env={"VIRTUAL_ENV": str(tmp_path / "active")})
    assert said.code == 0 and said.document["torch"]["origin"] == "our own"
    assert ["the active VIRTUAL_ENV" in line for line in said.document["not_used"]] == [True]


def _interpreter(folder: Path, canary: Path | None = None) -> str:
    """An environment whose python is ours; with a canary it says that it was run, and runs."""
    (folder / "bin").mkdir(parents=True)
    sing = f'echo run >> "{canary}"\n' if canary is not None else ""
    _script(folder / "bin" / "python", f'{sing}exec "{sys.executable}" "$@"')
    return str(folder)


def _hostile(folder: Path) -> Path:
    """A project that names an interpreter and holds one, both with a canary, and the place of the canary."""
    canary = folder / "canary"
    project(folder, RESTORE.format(name="last.pt"), last="state_dict.pt")
    for name in (".venv", "env", "python3"):
        _interpreter(folder / name, canary)
    with (folder / "pyproject.toml").open("a") as stream:
        stream.write('[tool.ckpt-lint]\npython = "env"\n')
    return canary


def test_an_interpreter_of_the_project_is_not_run(tmp_path: Path) -> None:
    canary = _hostile(tmp_path)
    said = verify(tmp_path)
    assert not canary.exists()
    assert (said.code, said.document["torch"]["origin"]) == (0, "our own"), "ours has torch, and is used"
    (line,) = said.document["not_used"]
    assert line.startswith(f"{tmp_path}/env/bin/python was not run: the project's setting `python` names it")
    assert "--trust-project-python" in line and "--python" in line


def test_nor_is_its_venv_where_no_other_interpreter_has_torch(tmp_path: Path) -> None:
    canary = _hostile(tmp_path)
    bare = tmp_path.parent / "bare"
    venv.create(bare, with_pip=False)
    packages = next((bare / "lib").glob("python*")) / "site-packages"
    own = [path for path in sys.path if path.endswith("site-packages")]
    (packages / "own.pth").write_text(f"{Path(__file__).parents[2]}\n")
    for path in own:
        for name in ("libcst", "packaging", "pathspec", "tomli", "typing_extensions", "yaml", "rich"):
            if (Path(path) / name).exists():
                (packages / name).symlink_to(Path(path) / name)
    ran = subprocess.run(
        [bare / "bin" / "python", "-m", "ckpt_lint", "verify", ".", "--isolated"], cwd=tmp_path,
        env={**os.environ, **QUIET, "PYTHONPATH": ""}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert not canary.exists() and ran.returncode == 3
    assert f"not used: {tmp_path}/.venv/bin/python was not run: it lies in the project" in ran.stdout, ran.stderr
    assert "no torch in" in ran.stdout and "--trust-project-python" in ran.stdout


@pytest.mark.parametrize(
    ("arguments", "variables", "origin"),
    [
        (("--trust-project-python",), {}, "the setting `python`"),
        (("--trust-project-python", "--isolated"), {}, "the project's .venv"),
        (("--python", ".venv"), {}, "--python"),
        (("--config", "pyproject.toml"), {}, "the setting `python`"),
        (("--config", "python = 'env'"), {}, "the setting `python`"),
        ((), {"VIRTUAL_ENV": ".venv"}, "the active VIRTUAL_ENV"),
    ],
)
def test_whoever_starts_the_run_can_have_it_run(
    tmp_path: Path, arguments: tuple[str, ...], variables: dict[str, str], origin: str
) -> None:
    canary = _hostile(tmp_path)
    said = verify(tmp_path, *arguments, env={name: str(tmp_path / value) for name, value in variables.items()})
    assert (said.code, said.document["torch"]["origin"]) == (0, origin) and canary.exists()


def test_a_bare_name_is_a_program_of_path_and_no_file_of_the_project(tmp_path: Path) -> None:
    canary = _hostile(tmp_path)
    known = _interpreter(tmp_path.parent / "known")
    (Path(known) / "bin" / "python").rename(Path(known) / "bin" / "python3")
    said = verify(tmp_path, "--python", "python3", env={"PATH": f"{known}/bin{os.pathsep}{os.environ['PATH']}"})
    assert said.code == 0 and said.document["torch"]["python"] == f"{known}/bin/python3" and not canary.exists()


def test_settings_name_no_checkpoint_outside_of_the_repository(tmp_path: Path) -> None:
    inside, outside = tmp_path / "repo", tmp_path / "outside"
    for folder in (inside, outside):
        folder.mkdir()
        project(folder, RESTORE.format(name="nowhere.pt"), last="state_dict.pt")
    (inside / "link.pt").symlink_to(outside / "last.pt")
    (inside / "runs").symlink_to(outside)
    (inside / "a").mkdir()
    plain = (inside / "pyproject.toml").read_text()
    for pattern in (f"{outside}/*.pt", "../outside/last.pt", "link.pt", "runs/*.pt", "?/../../outside/*.pt"):
        (inside / "pyproject.toml").write_text(f'{plain}[tool.ckpt-lint.checkpoints]\n"train.py" = "{pattern}"\n')
        ran = ckpt_lint("verify", ".", cwd=inside, env=QUIET)
        assert (ran.code, ran.out) == (2, ""), pattern
        assert "`checkpoints`: " in ran.err and "outside of the repository" in ran.err and "--checkpoint" in ran.err
        said = verify(inside, "--config", "pyproject.toml")
        assert (said.code, said.verdicts) == (0, ["confirmed"]), "named by whoever starts the run"


def _script(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.mark.parametrize("text", ["exit 0", "echo hello", "while :; do echo yes; done", 'echo {\\"hello\\": 1}'])
def test_a_program_that_is_no_interpreter(tmp_path: Path, text: str) -> None:
    program = _script(tmp_path / "python", text)
    with pytest.raises(NoTorch, match="no Python interpreter"):
        Child(str(program), "a test", seconds=5, start_seconds=20)


def test_a_program_that_never_answers(tmp_path: Path) -> None:
    program = _script(tmp_path / "python", "exec sleep 600")
    started = time.monotonic()
    with pytest.raises(NoTorch, match=r"did not answer within 0\.5 seconds"):
        Child(str(program), "a test", seconds=5, start_seconds=0.5)
    assert time.monotonic() - started < 10


@pytest.mark.parametrize("name", ["nowhere", "folder", "text.txt"])
def test_a_path_that_is_no_program(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "text.txt").write_text("x")
    with pytest.raises(NoTorch, match="cannot be run"):
        Child(str(tmp_path / name), "a test", seconds=5)
