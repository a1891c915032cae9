"""Which files a run finds; `.gitignore` is compared with git itself."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ckpt_lint.config import Configs, Layer
from ckpt_lint.discover import Target, discover
from tests.rule_values import RULES


@pytest.fixture(autouse=True)
def _in_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def touch(*paths: str) -> None:
    for path in paths:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text("")


def targets(*paths: str, **options: Any) -> list[Target]:
    layer = Layer("the command line", os.getcwd(), {key.replace("_", "-"): value for key, value in options.items()})
    return list(discover(paths or (".",), Configs(RULES, [layer])))


def found(*paths: str, **options: Any) -> list[str]:
    return [target.path for target in targets(*paths, **options)]


def test_python_files_and_notebooks_in_the_order_of_names() -> None:
    touch("b.py", "a.ipynb", "c.txt", "d.pyw", "sub/z.py", "sub/a.py", "Z.py", "e.pyi")
    assert found() == ["Z.py", "a.ipynb", "b.py", "d.pyw", "sub/a.py", "sub/z.py"]
    assert found("sub", "b.py", "sub/a.py") == ["sub/a.py", "sub/z.py", "b.py"]


def test_what_git_ignores_is_passed_by_as_git_does() -> None:
    subprocess.run(["git", "init", "-q"], check=True)
    files = [
        "a.py",
        "build/b.py",
        "src/build/c.py",
        "src/keep.py",
        "src/gen/x.py",
        "src/gen/y.py",
        "logs/l.py",
        "local.py",
        "hid/.h/z.py",
    ]
    touch(*files)
    Path(".gitignore").write_text("build/\n/logs\n*.log\n")
    Path("src/.gitignore").write_text("gen/*\n!gen/y.py\n")
    Path(".git/info/exclude").write_text("local.py\n")
    listed = subprocess.run(
        ["git", "ls-files", "--others", "--exclude-standard", "*.py"], check=True, capture_output=True, text=True
    ).stdout.split()
    assert sorted(found()) == sorted(listed) == ["a.py", "hid/.h/z.py", "src/gen/y.py", "src/keep.py"]
    assert sorted(found(respect_gitignore=False)) == sorted(files)
    assert found("src/gen") == ["src/gen/y.py"]
    assert found("build", "local.py") == ["build/b.py", "local.py"]


def test_a_nested_ignore_file_takes_back_what_one_above_ignores() -> None:
    subprocess.run(["git", "init", "-q"], check=True)
    touch("a.gen.py", "src/a.gen.py", "src/keep.gen.py")
    Path(".gitignore").write_text("*.gen.py\n")
    Path("src/.gitignore").write_text("!keep.gen.py\n")
    assert found() == ["src/keep.gen.py"]


def test_ignore_files_above_a_folder_that_is_named_count() -> None:
    subprocess.run(["git", "init", "-q"], check=True)
    touch("src/a.py", "src/skip.py")
    Path(".gitignore").write_text("skip.py\n")
    assert found("src") == ["src/a.py"]


def test_virtual_environments_and_caches_are_passed_by() -> None:
    touch("a.py", ".venv/x.py", "myenv/lib/x.py", "node_modules/x.py", "conda/x.py", ".tox/x.py", ".hidden/x.py")
    touch("myenv/pyvenv.cfg", "conda/conda-meta/history")
    assert found() == [".hidden/x.py", "a.py"]


def test_exclude_and_a_path_that_is_named() -> None:
    touch("a.py", "gen/b.py", "src/gen/c.py", "src/d.py")
    assert found(extend_exclude=["gen"]) == ["a.py", "src/d.py"]
    assert found(extend_exclude=["/gen"]) == ["a.py", "src/d.py", "src/gen/c.py"]
    assert found("gen", "src/gen/c.py", extend_exclude=["gen"]) == ["gen/b.py", "src/gen/c.py"]
    assert found("gen", "src/gen/c.py", "a.py", extend_exclude=["gen"], force_exclude=True) == ["a.py"]
    touch(".tox/x.py")
    assert found(extend_exclude=["gen"]) == ["a.py", "src/d.py"]
    assert ".tox/x.py" in found(exclude=["src"])
    assert found(exclude=["src", ".tox"]) == ["a.py", "gen/b.py"]


def test_links() -> None:
    touch("real/a.py")
    os.symlink("a.py", "real/b.py")
    os.symlink(".", "real/loop")
    os.symlink("nowhere.py", "broken.py")
    os.symlink("turn.py", "turn.py")
    os.symlink("someone@host.1234", ".#a.py")
    os.symlink("real", "folder.py")
    outcome = {target.path: target.problem and target.problem.message for target in targets()}
    assert outcome == {
        "broken.py": "broken symbolic link (No such file or directory)",
        "real/a.py": None,
        "real/b.py": None,
        "turn.py": "broken symbolic link (Too many levels of symbolic links)",
    }


def test_what_is_no_file() -> None:
    Path("folder.py").mkdir()
    touch("folder.py/a.py")
    os.mkfifo("pipe.py")
    problems = {
        target.path: target.problem and target.problem.message
        for target in targets("folder.py", "pipe.py", "gone.py", "a\0b.py")
    }
    assert "embedded null" in str(problems.pop("a\0b.py"))  # the rest of it is each Python's own
    assert problems == {
        "folder.py/a.py": None,
        "pipe.py": "neither a file nor a folder",
        "gone.py": "No such file or directory",
    }


def test_a_folder_that_may_not_be_read() -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        shut = os.path.join(folder, "shut")
        os.mkdir(shut)
        os.chmod(shut, 0)
        assert _as_nobody(lambda: targets(folder)) == [(shut, "Permission denied")]
        os.chmod(shut, 0o700)


def _as_nobody(find: Callable[[], list[Target]]) -> list[tuple[str, str]]:
    """What a process without root's rights finds; this one may have them."""
    targets(".")  # everything is imported while it still can be
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        if os.geteuid() == 0:
            os.setuid(65534)
        rows = [(target.path, target.problem.message) for target in find() if target.problem]
        os.write(writer, json.dumps(rows).encode())
        os._exit(0)
    os.close(writer)
    with open(reader) as stream:
        rows = json.load(stream)
    os.waitpid(child, 0)
    return [tuple(row) for row in rows]
