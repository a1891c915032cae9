"""Which checkpoints a load gets, and why: path, settings, --checkpoint, shape; which interpreter is tried."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from ckpt_lint.verify.interpreter import Configured, candidates
from tests.verify.projects import ANYWHERE, MANIFEST, RESTORE, RESUME, project, verify

COMPUTED = """\
import os

import torch


def restore(model, folder, step):
    path = os.path.join(folder, "runs", f"step_{step}.pt")
    model.load_state_dict(torch.load(path))
"""
BY_OPTION = """\
import argparse

import torch


def main(model):
    parser = argparse.ArgumentParser()
    parser.add_argument("--init-from", default="weights/start.pt")
    args = parser.parse_args()
    model.load_state_dict(torch.load(args.init_from))
"""


def _matched(folder: Path, *arguments: str) -> list[tuple[str, str]]:
    return [(check["checkpoint"], check["matched"]) for check in verify(folder, *arguments).checks]


def test_a_literal_path_is_found_and_other_checkpoints_are_left_alone(tmp_path: Path) -> None:
    code = RESTORE.format(name="last.pt") + ANYWHERE.replace("import torch", "").replace("restore", "other")
    project(tmp_path, code, "state_dict.pt", last="cuda.pt")
    assert _matched(tmp_path, "--checkpoint", "state_dict.pt") == [
        ("last.pt", "the path in the code, `last.pt`"),
        ("state_dict.pt", "--checkpoint, it is one state dict, as the code wants"),
    ]


def test_a_given_file_is_never_left_out(tmp_path: Path) -> None:
    project(tmp_path, RESTORE.format(name="last.pt"), "train_full.pt", last="cuda.pt")
    said = verify(tmp_path, "--checkpoint", "train_full.pt")
    assert [(check["checkpoint"], check["status"]) for check in said.checks] == [
        ("last.pt", "confirmed"), ("train_full.pt", "refuted"),
    ]  # fmt: skip


def test_the_constant_end_of_a_computed_path(tmp_path: Path) -> None:
    project(tmp_path, COMPUTED)
    (tmp_path / "out" / "runs").mkdir(parents=True)
    for step in (1, 2):
        project(tmp_path / "out" / "runs", "", **{f"step_{step}": "state_dict.pt"})
    project(tmp_path / "out", "", other="state_dict.pt")
    why = "its path ends as in the code, `*/runs/step_*.pt`"
    (tmp_path / "out" / "pyproject.toml").unlink()
    (tmp_path / "out" / "runs" / "pyproject.toml").unlink()
    assert _matched(tmp_path) == [("out/runs/step_1.pt", why), ("out/runs/step_2.pt", why)]


def test_the_default_of_an_option(tmp_path: Path) -> None:
    project(tmp_path, BY_OPTION)
    (tmp_path / "weights").mkdir()
    project(tmp_path / "weights", "", start="state_dict.pt")
    assert _matched(tmp_path) == [("weights/start.pt", "the path in the code, `weights/start.pt`")]


@pytest.mark.parametrize("key", ["train.py", "restore", "train.py::restore", "*.py"])
def test_the_setting_maps_a_file_or_a_function(tmp_path: Path, key: str) -> None:
    project(tmp_path, ANYWHERE, mine="state_dict.pt")
    (tmp_path / "pyproject.toml").write_text(f'{MANIFEST}[tool.ckpt-lint.checkpoints]\n"{key}" = ["mi*.pt"]\n')
    assert _matched(tmp_path) == [("mine.pt", "the setting `checkpoints`")]


@pytest.mark.parametrize("key", ["other.py", "resume", "other.py::restore"])
def test_the_setting_means_nobody_else(tmp_path: Path, key: str) -> None:
    project(tmp_path, ANYWHERE, mine="state_dict.pt")
    (tmp_path / "pyproject.toml").write_text(f'{MANIFEST}[tool.ckpt-lint.checkpoints]\n"{key}" = "mine.pt"\n')
    assert _matched(tmp_path) == []


def test_a_setting_of_the_wrong_kind_is_a_usage_error(tmp_path: Path) -> None:
    from tests.cli.command import ckpt_lint

    project(tmp_path, ANYWHERE)
    (tmp_path / "pyproject.toml").write_text(f'{MANIFEST}[tool.ckpt-lint.checkpoints]\n"train.py" = 3\n')
    ran = ckpt_lint("verify", ".", cwd=tmp_path)
    assert ran.code == 2 and "`checkpoints`" in ran.err


def test_by_shape_where_the_code_reads_telling_keys(tmp_path: Path) -> None:
    code = RESUME.format(name="x").replace('"x"', "path").replace("optimizer):", "optimizer, path):")
    project(tmp_path, code.replace('ckpt["epoch"]', 'ckpt["scaler"]'), "train_full.pt", "state_dict.pt", "cuda.pt")
    (found,) = _matched(tmp_path)
    assert found[0] == "train_full.pt" and found[1].startswith("by shape, it holds the keys that the code reads: model")


def test_not_by_shape_where_the_keys_are_everybodys(tmp_path: Path) -> None:
    code = "import torch\n\n\ndef f(model, path):\n    model.load_state_dict(torch.load(path)['model'])\n"
    project(tmp_path, code, "train_full.pt")
    said = verify(tmp_path)
    assert said.verdicts == ["unavailable"] and not said.checks


def test_given_files_go_where_their_keys_fit(tmp_path: Path) -> None:
    code = ANYWHERE + "\n\n" + RESUME.format(name="x").replace('"x"', "path").replace("optimizer):", "optimizer, path):")
    project(tmp_path, code, "train_full.pt", "state_dict.pt")
    said = verify(tmp_path, "--checkpoint", "train_full.pt", "state_dict.pt")
    names = {site["function"]: [check["checkpoint"] for check in site["checks"]] for site in said.sites}
    assert names == {"restore": ["state_dict.pt"], "resume": ["train_full.pt"]}


def test_a_folder_and_a_glob(tmp_path: Path) -> None:
    project(tmp_path, ANYWHERE)
    (tmp_path / "a" / "b").mkdir(parents=True)
    project(tmp_path / "a" / "b", "", "state_dict.pt")
    project(tmp_path / "a", "", "compiled.pt")
    assert [name for name, _ in _matched(tmp_path, "--checkpoint", "a")] == ["a/b/state_dict.pt", "a/compiled.pt"]
    assert [name for name, _ in _matched(tmp_path, "--checkpoint", "a/**/s*.pt")] == ["a/b/state_dict.pt"]


def test_a_hub_url_is_looked_for_in_the_hubs_cache(tmp_path: Path) -> None:
    url = "https://example.org/models/net-1234.pth"
    code = f'import torch\n\n\ndef f(m):\n    m.load_state_dict(torch.hub.load_state_dict_from_url("{url}"))\n'
    project(tmp_path, code)
    cache = tmp_path / "home" / "hub" / "checkpoints"
    cache.mkdir(parents=True)
    project(cache, "", last="state_dict.pt")
    (cache / "last.pt").rename(cache / "net-1234.pth")
    said = verify(tmp_path, env={"TORCH_HOME": str(tmp_path / "home")})
    assert [check["matched"] for check in said.checks] == ["the hub's cache holds this URL"]


# -- interpreters -----------------------------------------------------------------------------------------------------


def _environment(folder: Path) -> str:
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").write_text("")
    return str(folder)


def test_interpreters_in_order(tmp_path: Path) -> None:
    active, conda = _environment(tmp_path / "active"), _environment(tmp_path / "conda")
    _environment(tmp_path / "project" / ".venv")
    here = Configured(None, str(tmp_path / "project"))
    environment = {"VIRTUAL_ENV": active, "CONDA_PREFIX": conda}
    for trust in (True, False):
        found = candidates(named=None, configured=here, trust=trust, environment=environment)
        origins = ["the active VIRTUAL_ENV", "the active CONDA_PREFIX", "our own"]
        origins.insert(2 if trust else 3, "the project's .venv")
        assert [one.origin for one in found] == origins
        assert found[0].python == f"{active}/bin/python" and found[3 if trust else 2].python == sys.executable
        assert [one.origin for one in found if one.refused] == ([] if trust else ["the project's .venv"])


def test_a_named_interpreter_is_the_only_one(tmp_path: Path) -> None:
    active = _environment(tmp_path / "active")
    for named, configured, origin in ((active, None, "--python"), (None, "active", "the setting `python`")):
        setting = Configured(configured, str(tmp_path), foreign=False)
        found = candidates(named=named, configured=setting, environment={"VIRTUAL_ENV": "/nowhere"})
        assert [(one.python, one.origin) for one in found] == [(f"{active}/bin/python", origin)]


def test_an_interpreter_of_the_project_that_is_active_is_not_refused(tmp_path: Path) -> None:
    active = _environment(tmp_path / ".venv")
    setting = Configured(".venv/bin/python", str(tmp_path))
    found = candidates(named=None, configured=setting, environment={"VIRTUAL_ENV": active})
    assert [(one.python, one.refused) for one in found] == [(f"{active}/bin/python", ""), (sys.executable, "")]


def test_only_our_own_is_left(tmp_path: Path) -> None:
    setting = Configured(None, str(tmp_path))
    (found,) = candidates(named=None, configured=setting, environment={"VIRTUAL_ENV": "/nowhere"})
    assert found.origin == "our own"
