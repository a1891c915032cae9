"""Configuration: where it is found, how layers add up, and what a mistake in it says."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from ckpt_lint.config import ConfigError, Configs, Layer
from ckpt_lint.config.options import API_NAMES, OPTIONS
from ckpt_lint.model import Severity
from ckpt_lint.settings import Settings
from tests.rule_values import RULES


@pytest.fixture(autouse=True)
def _in_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write(path: str, text: str) -> Path:
    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def settings(path: str = "a.py", **options: Any) -> Settings:
    return Configs(RULES, **options).settings_for(path)


def test_without_configuration_the_defaults_hold() -> None:
    assert settings().selected == {"CKP101", "CKP102", "CKP301", "CKP302"}
    assert settings().source is None


def test_the_nearest_file_with_a_table_of_ours_wins() -> None:
    write("pyproject.toml", "[tool.ckpt-lint]\nselect = ['CKP1']\n")
    write("sub/pyproject.toml", "[tool.other]\nname = 'ckpt-lint'\n")
    write("own/ckpt-lint.toml", "select = ['CKP3']\n")
    write("own/pyproject.toml", "[tool.ckpt-lint]\nselect = ['CKP102']\n")
    assert settings("sub/deep/a.py").selected == {"CKP101", "CKP102"}
    assert settings("own/a.py").selected == {"CKP301", "CKP302"}


def test_isolated_reads_nothing_and_config_replaces_what_is_near() -> None:
    write("pyproject.toml", "[tool.ckpt-lint]\nselect = ['CKP1']\n")
    other = write("elsewhere/my.toml", "select = ['CKP3']\n")
    assert settings(isolated=True).source is None
    assert settings(config=str(other.resolve())).selected == {"CKP301", "CKP302"}


def test_a_foreign_pyproject_that_is_no_toml_is_no_matter() -> None:
    write("pyproject.toml", "[broken\n")
    assert settings().source is None


def test_extend_is_the_weaker_layer() -> None:
    write("base.toml", "select = ['CKP1', 'CKP3']\ntorch-version = '2.4'\nextend-exclude = ['gone']\n")
    write("sub/ckpt-lint.toml", "extend = '../base.toml'\nignore = ['CKP301']\ntorch-version = '>=2.6'\n")
    found = settings("sub/a.py")
    assert found.selected == {"CKP101", "CKP102", "CKP302"}
    assert found.torch_version == ">=2.6"
    assert found.excludes(os.path.abspath("gone")) and not found.excludes(os.path.abspath("sub/here"))


def test_extend_that_never_ends_is_an_error() -> None:
    write("a.toml", "extend = 'ckpt-lint.toml'\n")
    write("ckpt-lint.toml", "extend = 'a.toml'\n")
    with pytest.raises(ConfigError, match="without end"):
        settings()


@pytest.mark.parametrize("target", ["../outside.toml", "link.toml", "/etc/passwd", "~/outside.toml"])
def test_a_repository_extends_nothing_outside_of_it(target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", os.getcwd())
    write("outside.toml", "select = ['CKP1']\n# a secret\n")
    write("repo/.git/HEAD", "")
    write("repo/ckpt-lint.toml", f"extend = '{target}'\n")
    Path("repo/link.toml").symlink_to("../outside.toml")
    with pytest.raises(ConfigError, match="lies outside of the repository") as error:
        settings("repo/a.py")
    assert "secret" not in str(error.value) and "root:" not in str(error.value)
    if target != "/etc/passwd":
        assert settings("repo/a.py", config=os.path.abspath("repo/ckpt-lint.toml")).selected == {"CKP101", "CKP102"}


def test_without_a_repository_the_folder_and_the_working_folder_above_it_count(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    write("outside.toml", "select = ['CKP1']\n")
    write("here/unpacked/ckpt-lint.toml", "extend = '../../outside.toml'\n")
    for working in ("here", "here/unpacked"):
        monkeypatch.chdir(tmp_path / working)
        with pytest.raises(ConfigError, match="lies outside of the repository"):
            settings(str(tmp_path / "here" / "unpacked" / "a.py"))
    monkeypatch.chdir(tmp_path)
    assert settings("here/unpacked/a.py").selected == {"CKP101", "CKP102"}
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(ConfigError, match="lies outside of the repository"):
        settings("here/unpacked/a.py")


def test_a_configuration_that_is_a_link_out_of_the_repository_is_not_read() -> None:
    write("outside.toml", "secret = 1\n")
    write("repo/.git/HEAD", "")
    Path("repo/ckpt-lint.toml").symlink_to("../outside.toml")
    with pytest.raises(ConfigError, match="a link out of the repository") as error:
        settings("repo/a.py")
    assert "secret" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("selct = []", "unknown key `selct`; did you mean `select`"),
        ("per_file_ignores = {}", "did you mean `per-file-ignores`"),
        ("select = 'CKP'", "`select`: expected a list of strings"),
        ("select = ['CKP30l']", "`select`: unknown rule selector `CKP30l`; did you mean `CKP30"),
        ("ignore = ['load-without-maplocation']", "`ignore`: .* did you mean `load-without-map-location`"),
        ("fix = 'yes'", "`fix`: expected true or false"),
        ("fail-on = 'eror'", "`eror` is unknown; did you mean `error`"),
        ("output-format = 'xml'", "`xml` is unknown"),
        ("torch-version = 'two'", "torch-version.*two"),
        ("max-file-size = 0", "above 0"),
        ("trusted-paths = {'a.pth' = ''}", "`a.pth` needs a reason"),
        ("trusted-paths = ['a.pth']", "expected a table"),
        ("per-file-ignores = {'a.py' = ['CKP3010']}", "`per-file-ignores`: unknown rule selector"),
        ("api = {loader = ['x']}", "unknown key `loader`; did you mean `loaders`"),
        ("api = {loaders = ['a-b.c']}", "`a-b.c` is no dotted name"),
        ("extend = 'nowhere.toml'", "no such file: nowhere.toml"),
        ("x = [", "not valid TOML"),
    ],
)
def test_a_mistake_names_the_file_and_the_near_word(text: str, message: str) -> None:
    write("ckpt-lint.toml", text + "\n")
    with pytest.raises(ConfigError, match=message) as error:
        settings()
    assert str(error.value).startswith("ckpt-lint.toml: ")


def test_the_command_line_is_the_last_layer() -> None:
    write("ckpt-lint.toml", "select = ['CKP1']\nfail-on = 'error'\n")
    layer = Layer("the command line", os.getcwd(), {"extend-select": ["CKP301"], "fail-on": "warning"})
    found = settings(overrides=[layer])
    assert found.selected == {"CKP101", "CKP102", "CKP301"}
    assert found.fail_on is Severity.WARNING


def test_per_file_ignores() -> None:
    write(
        "ckpt-lint.toml",
        "[per-file-ignores]\n'scripts/**' = ['CKP3']\n'one.py' = ['ALL']\n'!src/**' = ['CKP102']\n"
        "[extend-per-file-ignores]\n'src/x.py' = ['security']\n",
    )
    found = settings()
    assert found.codes_for("scripts/deep/a.py") == {"CKP101"}
    assert found.codes_for("deep/one.py") == set()
    assert found.codes_for("src/a.py") == {"CKP101", "CKP102", "CKP301", "CKP302"}
    assert found.codes_for("src/x.py") == {"CKP102", "CKP301"}


@pytest.mark.parametrize(
    ("path", "is_test"),
    [
        ("tests/deep/util.py", True),
        ("pkg/test_a.py", True),
        ("a_test.py", True),
        ("conftest.py", True),
        ("pkg/tests/util.py", False),
        ("latest.py", False),
    ],
)
def test_in_test_files_only_the_rules_for_tests_are_on(path: str, is_test: bool) -> None:
    assert settings().codes_for(path) == ({"CKP102"} if is_test else {"CKP101", "CKP102", "CKP301", "CKP302"})


def test_test_paths_can_be_emptied() -> None:
    write("ckpt-lint.toml", "test-paths = []\n")
    assert "CKP301" in settings().codes_for("tests/test_a.py")


def test_trusted_paths_are_those_of_checkpoints() -> None:
    write("ckpt-lint.toml", "[trusted-paths]\n'assets/*.pth' = 'built by the release job'\n")
    assert settings().trusted("assets/vgg.pth") == "built by the release job"
    assert settings().trusted("other/vgg.pth") is None
    assert settings().trusted("/assets/vgg.pth") is None


def test_api_names() -> None:
    write("ckpt-lint.toml", "[api]\nloaders = ['lib.io.read']\nrank-guards = ['lib.main_only']\n")
    assert settings().api.loaders == ("lib.io.read",)
    assert settings().api.rank_guards == ("lib.main_only",)


def test_every_option_is_documented() -> None:
    assert all(option.doc.endswith(".") and option.default for option in OPTIONS.values())
    assert all(doc.endswith(".") for doc in API_NAMES.values())
