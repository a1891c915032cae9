"""Verdicts of earlier runs: found again while nothing that decides them has changed, and made anew when something has."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ckpt_lint import verdict_keys, verdicts
from ckpt_lint.config import Configs
from ckpt_lint.discover import discover
from ckpt_lint.model import Outcome
from ckpt_lint.plain import plain, restored
from ckpt_lint.rules import ALL
from ckpt_lint.run import FileResult, Mode, run
from tests.cli.command import ckpt_lint

SAMPLE = Path(__file__).parents[1] / "fixtures" / "projects" / "classifier"
LONG_AGO = 1_600_000_000

HELPER = "import torch\n\n\ndef read(path, device=None):\n    return torch.load(path, map_location=device)\n"
USER = "from helper import read\n\n\ndef resume(model, path):\n    model.load_state_dict(read(path))\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = Path(shutil.copytree(SAMPLE, tmp_path / "classifier"))
    (home / "helper.py").write_text(HELPER)
    (home / "user.py").write_text(USER)
    monkeypatch.chdir(home)
    settle(home)
    return home


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "small"
    home.mkdir()
    (home / "pyproject.toml").write_text('[project]\nname = "x"\ndependencies = ["torch>=2.1"]\n')
    (home / "helper.py").write_text(HELPER)
    (home / "user.py").write_text(USER)
    monkeypatch.chdir(home)
    settle(home)
    return home


def settle(home: Path) -> None:
    """Let the project's files be as old as those of a project usually are, or their dates are not trusted."""
    for path in home.rglob("*"):
        os.utime(path, (LONG_AGO, LONG_AGO))


def results(cache: Path | None, *paths: str) -> list[FileResult]:
    configs = Configs(ALL, [])
    return list(run(discover(paths or (".",), configs), configs, Mode(cache=str(cache) if cache else None), jobs=1))


def outcomes(cache: Path | None, *paths: str) -> list[Outcome]:
    return [result.outcome for result in results(cache, *paths)]


def codes(found: list[Outcome]) -> set[tuple[str, str]]:
    return {(Path(outcome.path).name, finding.code) for outcome in found for finding in outcome.findings}


def judged(cache: Path, monkeypatch: pytest.MonkeyPatch, *paths: str) -> set[str]:
    """The files that a run has to judge."""
    seen: set[str] = set()
    keep = verdicts.Verdicts.keep

    def watched(self: verdicts.Verdicts, fresh: list[Outcome]) -> None:
        seen.update(Path(outcome.path).name for outcome in fresh)
        keep(self, fresh)

    with monkeypatch.context() as patch:
        patch.setattr(verdicts.Verdicts, "keep", watched)
        outcomes(cache, *paths)
    return seen


@pytest.fixture
def old_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that were written just now count as old: the two seconds are not waited for."""
    monkeypatch.setattr(verdict_keys, "_FRESH", 0)


def test_nothing_is_judged_twice_and_the_answer_is_the_same(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old_clock: None
) -> None:
    cache = tmp_path / "cache"
    expected = results(None)
    assert len(codes([r.outcome for r in expected])) > 5
    assert len(judged(cache, monkeypatch)) == len(expected)
    assert judged(cache, monkeypatch) == set()
    again = results(cache)
    assert [r.outcome for r in again] == [r.outcome for r in expected]
    assert [r.source.text if r.source else None for r in again] == [r.source.text if r.source else None for r in expected]
    assert judged(cache, monkeypatch, "user.py") == set()  # one file of the project: its verdict is known, too


def test_a_warm_run_reads_and_imports_little_and_prints_the_same(project: Path, tmp_path: Path) -> None:
    options = ["check", "--cache-dir", str(tmp_path / "cache"), "--exit-zero"]
    shown = [subprocess.run([sys.executable, "-m", "ckpt_lint", *options], capture_output=True, text=True, check=True).stdout]
    code = (
        "import sys; from ckpt_lint.cli import main; main(sys.argv[1:]); "
        "print({'libcst', 'ckpt_lint.engine'} & set(sys.modules))"
    )
    for _ in range(2):
        done = subprocess.run([sys.executable, "-c", code, *options], capture_output=True, text=True, check=True)
        shown.append(done.stdout)
    assert shown[1] == shown[2] == shown[0] + "set()\n" and "CKP301" in shown[0]


def change_helper(home: Path) -> None:
    (home / "helper.py").write_text(HELPER.replace("device=None", 'device="cpu"'))


def change_own_text(home: Path) -> None:
    (home / "user.py").write_text(USER.replace("read(path)", 'read(path, device="cpu")'))


def same_size_and_date(home: Path) -> None:
    state = os.stat(home / "helper.py")
    (home / "helper.py").write_text(HELPER.replace("map_location=device", "map_lacation=device"))
    os.utime(home / "helper.py", ns=(state.st_atime_ns, state.st_mtime_ns))
    assert os.stat(home / "helper.py").st_size == state.st_size


def replaced_by_another(home: Path) -> None:
    change_helper(home)
    os.utime(home / "helper.py", (LONG_AGO, LONG_AGO))


def helper_removed(home: Path) -> None:
    (home / "helper.py").unlink()


def second_of_a_name(home: Path) -> None:
    (home / "sub").mkdir()
    (home / "sub" / "user.py").write_text(USER)


def manifest_changed(home: Path) -> None:
    (home / "pyproject.toml").write_text('[project]\nname = "x"\ndependencies = ["torch>=2.6"]\n')


def manifest_added(home: Path) -> None:
    (home / "requirements.txt").write_text("torch>=2.6\n")


def manifest_included(home: Path) -> None:
    (home / "pyproject.toml").write_text('[project]\nname = "x"\n')
    (home / "requirements.txt").write_text("-r more.txt\n")
    outcomes(home.parent / "cache")
    (home / "more.txt").write_text("torch>=2.6\n")


def configuration(home: Path) -> None:
    with (home / "pyproject.toml").open("a") as file:
        file.write('\n[tool.ckpt-lint]\nignore = ["CKP301"]\n')


def configuration_of_a_file(home: Path) -> None:
    (home / "ckpt-lint.toml").write_text('[per-file-ignores]\n"helper.py" = ["CKP3"]\n')


CHANGES: dict[str, Callable[[Path], None]] = {
    function.__name__: function
    for function in (
        change_helper, change_own_text, same_size_and_date, replaced_by_another, helper_removed, second_of_a_name,
        manifest_changed, manifest_added, manifest_included, configuration, configuration_of_a_file,
    )
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_of_what_decides_a_verdict_makes_it_anew(
    small: Path, tmp_path: Path, change: Callable[[Path], None], old_clock: None
) -> None:
    cache = tmp_path / "cache"
    before = outcomes(cache)
    assert outcomes(cache) == before
    change(small)
    after = outcomes(None)
    assert after != before, "a change that changes nothing shows nothing"
    assert outcomes(cache) == after
    assert outcomes(cache) == after


def test_a_change_in_the_same_moment_is_seen(small: Path, tmp_path: Path) -> None:
    """Two texts of one size within one tick of the file system's clock: dates are not trusted that are so young."""
    cache = tmp_path / "cache"
    for text in (HELPER, HELPER.replace("device=None", "device='c'"), HELPER.replace("device=None", "device='d'")):
        path = small / "helper.py"
        path.write_text(text)
        assert outcomes(cache) == outcomes(None)
        assert verdict_keys._stamp(str(path), None)[0] == -1


def test_many_changes_in_a_row(small: Path, tmp_path: Path, old_clock: None) -> None:
    cache, chance = tmp_path / "cache", random.Random(11)
    names = ("helper.py", "user.py", "other.py")
    texts = (HELPER, USER, HELPER.replace("None", "'cpu'"), USER.replace("read(", "torch.load("), "import torch\n", "def (\n")
    seen = set()
    for _ in range(25):
        path = small / chance.choice(names)
        if path.exists() and chance.random() < 0.2:
            path.unlink()
        else:
            path.write_text(chance.choice(texts))
        expected = outcomes(None)
        seen.add(frozenset(codes(expected)))
        assert outcomes(cache) == expected
        assert outcomes(cache, *(name for name in names if (small / name).exists())) == outcomes(
            None, *(name for name in names if (small / name).exists())
        )
    assert len(seen) >= 3


def test_what_could_not_be_checked_is_never_kept(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old_clock: None
) -> None:
    (small / "broken.py").write_text("import torch\ntorch.load(\n")
    judged(tmp_path / "cache", monkeypatch)
    assert judged(tmp_path / "cache", monkeypatch) == {"broken.py"}
    assert outcomes(tmp_path / "cache") == outcomes(None)


def test_other_options_are_other_questions(project: Path, tmp_path: Path) -> None:
    def found(*options: str) -> set[str]:
        done = ckpt_lint("check", "--output-format", "json", "--exit-zero", *options, cwd=Path.cwd())
        assert done.code == 0, done
        return {finding["code"] for finding in json.loads(done.out)}

    cache = ("--cache-dir", str(tmp_path / "cache"))
    for options in ((), ("--select", "CKP301"), ("--select", "ALL"), ("--torch-version", ">=2.6"), ("--no-gate",), ()):
        assert found(*cache, *options) == found("--no-cache", *options), options


@pytest.mark.parametrize("damage", ["cut", "flipped", "foreign", "unreadable"])
def test_a_damaged_table_is_made_again(small: Path, tmp_path: Path, damage: str, old_clock: None) -> None:
    cache = tmp_path / "cache"
    expected = outcomes(cache)
    (table,) = (cache / "verdicts").iterdir()
    data = table.read_bytes()
    table.unlink()
    if damage == "unreadable":
        table.mkdir()
    else:
        half = len(data) // 2
        table.write_bytes({"cut": data[:half], "flipped": data[:half] + b"\0" + data[half + 1 :], "foreign": b"x"}[damage])
    assert outcomes(cache) == expected
    assert outcomes(cache) == expected
    assert damage == "unreadable" or len(table.read_bytes()) == len(data)


def test_a_few_files_of_very_many_make_no_table_and_plain_ones_ask_for_none(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache"
    (small / "plain.py").write_text("x = 1\n")
    (small / "plainer.py").write_text("x = 2\n")
    monkeypatch.setattr(verdicts, "MANY", 3)
    assert outcomes(cache, "user.py") == outcomes(None, "user.py") != []
    assert not (cache / "verdicts").exists()
    outcomes(cache)
    assert (cache / "verdicts").exists()
    monkeypatch.setattr(verdicts, "Verdicts", None)
    assert outcomes(cache, "plain.py") == [Outcome("plain.py")]


def test_every_outcome_comes_back_as_it_was(project: Path) -> None:
    (project / "broken.py").write_text("import torch\ntorch.load(\n")
    found = outcomes(None)
    assert sum(len(outcome.findings) for outcome in found) > 10 and any(outcome.problems for outcome in found)
    assert [restored(plain(outcome)) for outcome in found] == found


@pytest.mark.parametrize("value", [("=", "Outcome"), ("=", "Popen", ("ls",)), ("?",), ("=", "Span", 1), ("=", "Status", "no")])
def test_what_is_no_value_of_the_model_is_refused(value: object) -> None:
    with pytest.raises(ValueError):
        restored(value)


@pytest.mark.parametrize("change", [second_of_a_name, change_helper, manifest_changed])
def test_what_changes_while_files_are_judged_keeps_nothing(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], None], old_clock: None
) -> None:
    cache = tmp_path / "cache"
    keep = verdicts.Verdicts.keep

    def late(self: verdicts.Verdicts, fresh: list[Outcome]) -> None:
        change(small)
        keep(self, fresh)

    with monkeypatch.context() as patch:
        patch.setattr(verdicts.Verdicts, "keep", late)
        outcomes(cache)
    kept = [table for place in (cache / "verdicts").iterdir() if (table := verdicts._read(str(place)))]
    assert [table.verdicts for table in kept] == [{}]
    assert outcomes(cache) == outcomes(None)
