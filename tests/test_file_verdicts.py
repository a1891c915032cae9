"""Verdicts that flake8's processes keep: the real flake8, run again after nothing or something has changed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ckpt_lint import file_verdicts, verdict_keys
from ckpt_lint.config import Configs
from ckpt_lint.file_verdicts import FileVerdicts
from ckpt_lint.rules import ALL
from ckpt_lint.run import Mode, Worker
from tests.cli.nursery import own_environment, run
from tests.test_verdicts import HELPER, USER, settle


@pytest.fixture
def project(tmp_path: Path) -> Path:
    home = tmp_path / "project"
    home.mkdir()
    (home / "pyproject.toml").write_text('[project]\nname = "x"\ndependencies = ["torch>=2.1"]\n')
    (home / "helper.py").write_text(HELPER)
    (home / "user.py").write_text(USER)
    (home / "plain.py").write_text("x = 1\n")
    settle(home)
    return home


def flake8(home: Path, cache: Path, *options: str) -> tuple[str, set[str]]:
    """What flake8 prints, and the files that were judged for it."""
    seen = cache.parent / "seen"
    seen.write_text("")
    arguments = (str(seen), "--isolated", "--select", "CKP,E902", *options)
    environment = {**own_environment(), "CKPT_LINT_CACHE_DIR": str(cache)}
    done = run("tests.watched_flake8", *arguments, cwd=home, environment=environment)
    assert done.stderr == b"" and done.returncode in (0, 1), done
    printed = sorted(done.stdout.decode().splitlines())
    return "\n".join(printed), {name.removeprefix("./") for name in seen.read_text().split()}


@pytest.mark.parametrize("jobs", ["1", "3"])
def test_flake8_judges_nothing_twice(project: Path, tmp_path: Path, jobs: str) -> None:
    first, judged = flake8(project, tmp_path / "cache", "--jobs", jobs)
    assert "CKP301" in first and judged == {"helper.py", "user.py", "plain.py"}
    assert flake8(project, tmp_path / "cache", "--jobs", jobs) == (first, set())
    assert flake8(project, tmp_path / "cache", "--jobs", "1" if jobs == "3" else "3") == (first, set())
    (project / "user.py").write_text(USER.replace("path))", "path, 'cpu'))"))
    assert flake8(project, tmp_path / "cache", "--jobs", jobs)[1] == judged


CHANGES: dict[str, Callable[[Path], object]] = {
    "a helper": lambda home: (home / "helper.py").write_text(HELPER.replace("device=None", "device='cpu'")),
    "the declared torch": lambda home: (home / "pyproject.toml").write_text('[project]\ndependencies = ["torch>=2.6"]\n'),
    "the configuration": lambda home: (home / "ckpt-lint.toml").write_text("torch-version = '>=2.6'\n"),
    "a file that is gone": lambda home: (home / "helper.py").unlink(),
    "a file that is no Python": lambda home: (home / "user.py").write_text("def (\n"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_decides_a_verdict_makes_it_anew(project: Path, tmp_path: Path, change: str) -> None:
    cache = tmp_path / "cache"
    before = flake8(project, cache, "--jobs", "1")[0]
    CHANGES[change](project)
    expected = flake8(project, tmp_path / "empty", "--jobs", "1")[0]
    assert expected != before, "a change that changes nothing shows nothing"
    assert flake8(project, cache, "--jobs", "1")[0] == expected
    assert flake8(project, cache, "--jobs", "1")[0] == expected


def test_options_of_flake8_are_part_of_it(project: Path, tmp_path: Path) -> None:
    (project / "user.py").write_text(USER + "\n\nx = torch.load('a')  # noqa\n" + HELPER)
    cache, seen = tmp_path / "cache", set()
    for number, options in enumerate(([], ["--extend-ignore", "CKP301"], ["--disable-noqa"], [])):
        expected = flake8(project, tmp_path / f"empty{number}", *options)[0]
        assert flake8(project, cache, *options)[0] == expected
        assert flake8(project, cache, *options)[0] == expected
        seen.add(expected)
    assert len(seen) == 3


def verdict(known: FileVerdicts, home: Path, name: str) -> str:
    """"kept", or "made" and added."""
    worker = Worker(Configs(ALL), Mode())
    path = str(home / name)
    settings = worker.configs.settings_for(path)
    text = (home / name).read_text()
    outcome = worker.check_text(path, text, settings).outcome
    kept = known.get(path, text, settings)
    if kept is not None:
        assert kept == outcome
        return "kept"
    known.add(path, text, settings, outcome)
    return "made"


def run_over(cache: Path, home: Path, *names: str, meanwhile: Callable[[], object] = lambda: None) -> list[str]:
    known = FileVerdicts(str(cache))
    out = [verdict(known, home, name) for name in names]
    meanwhile()
    known.write()
    return out


def test_what_was_written_meanwhile_spoils_what_would_be_kept(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verdict_keys, "_FRESH", 0)
    names = ("helper.py", "user.py")
    (tmp_path / "cache").mkdir()
    run_over(tmp_path / "cache", project, *names, meanwhile=lambda: (project / "plain.py").write_text("y = 2\n"))
    (project / "plain.py").write_text("x = 1\n")
    assert run_over(tmp_path / "cache", project, *names) == ["made", "made"]
    assert run_over(tmp_path / "cache", project, *names) == ["kept", "kept"]


def test_processes_add_to_one_log_and_old_logs_go(project: Path, tmp_path: Path) -> None:
    assert run_over(tmp_path, project, "helper.py") == ["made"]
    assert run_over(tmp_path, project, "user.py") == ["made"]
    assert run_over(tmp_path, project, "helper.py", "user.py", "plain.py") == ["kept", "kept", "made"]
    (project / "plain.py").write_text("y = 2\n")
    assert run_over(tmp_path, project, "helper.py") == ["made"]
    assert len(list(tmp_path.rglob("*.log"))) == 1


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "longer"])
def test_a_damaged_log_is_as_good_as_none(project: Path, tmp_path: Path, damage: str) -> None:
    run_over(tmp_path, project, "helper.py")
    run_over(tmp_path, project, "user.py")
    (log,) = tmp_path.rglob("*.log")
    data = log.read_bytes()
    half = len(data) * 2 // 3
    damaged = {"cut": data[:half], "flipped": data[:half] + bytes([data[half] ^ 1]) + data[half + 1 :], "empty": b"",
               "longer": data + b"\xff" * 7}[damage]  # fmt: skip
    log.write_bytes(damaged)
    found = run_over(tmp_path, project, "helper.py", "user.py")
    assert found == ["made", "made"]
    assert run_over(tmp_path, project, "helper.py", "user.py") == ["kept", "kept"]


def test_a_project_that_is_too_large_to_look_at_keeps_nothing(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_verdicts, "MANY", 2)
    assert run_over(tmp_path, project, "helper.py") == run_over(tmp_path, project, "helper.py") == ["made"]


def test_a_folder_that_cannot_be_written_is_no_matter(project: Path, tmp_path: Path) -> None:
    (tmp_path / "verdicts").write_text("in the way")
    assert run_over(tmp_path, project, "helper.py") == run_over(tmp_path, project, "helper.py") == ["made"]
