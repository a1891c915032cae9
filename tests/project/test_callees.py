"""What a call may run, asked without reading files that decide nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from ckpt_lint.facts.world import World
from ckpt_lint.project.reader import Disk, ProjectFiles

FILES = {
    "main.py": (
        "from pkg.io import resume, plain\nfrom pkg import handed\nimport pkg.io as io\nfrom torch import nn\ndef own(x): ...\n"
        "resume(1)\nplain(2)\nhanded(3)\nio.resume(4)\nio.branched(5)\nio.Keeper(6)\nnn.Linear(7, 7)\nown(8)\n"
    ),
    "pkg/__init__.py": "from .deep import handed\n",
    "pkg/deep.py": "def handed(x): ...\n",
    "pkg/io.py": (
        "import os\nclass Keeper:\n    def __init__(self, x): ...\ndef resume(x): ...\ndef plain(x): ...\n"
        "if os.name:\n    def branched(x): ...\n"
    ),
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def callees(root: Path, *, may: bool, read_first: bool) -> tuple[dict[object, list[str]], set[str]]:
    """What each call of main.py runs, by its argument, where only `resume` is of interest, and the files that were read."""
    files = ProjectFiles(str(root), Disk())
    world, found = World(files), dict[object, list[str]]()
    (main,) = world.modules_of(str(root / "main.py"))
    if read_first:
        world.modules_of(str(root / "pkg" / "io.py"))
    for call in main.calls:
        runs = world.callees_where(main, call, lambda path, name: may or name == "resume")
        number = main.constant(call.args[0].value)
        found[number and number.value] = [one.node.name for one in runs]
    return found, {Path(path).name for path in world._modules}


EVERYTHING = {
    1: ["resume"], 2: ["plain"], 3: ["handed"], 4: ["resume"], 5: ["branched"], 6: ["Keeper"], 7: [], 8: ["own"],
}  # fmt: skip


def test_all_is_found_where_all_is_of_interest(root: Path) -> None:
    assert callees(root, may=True, read_first=False)[0] == EVERYTHING


def test_what_is_told_from_bytes_to_be_of_no_interest_is_left_out(root: Path) -> None:
    (root / "main.py").write_text(FILES["main.py"].replace("resume(1)\n", "").replace("io.resume(4)\nio.branched(5)\n", ""))
    found, read = callees(root, may=False, read_first=False)
    assert found == {2: [], 3: ["handed"], 6: [], 7: [], 8: ["own"]}
    assert "io.py" not in read and "deep.py" in read  # who hands a name on does not define it: that one is followed


def test_a_definition_in_a_branch_is_followed(root: Path) -> None:
    (root / "main.py").write_text("import pkg.io as io\nio.branched(5)\n")
    assert callees(root, may=False, read_first=False) == ({5: ["branched"]}, {"main.py", "io.py"})


def test_a_file_that_was_read_is_not_asked_by_its_bytes(root: Path) -> None:
    assert callees(root, may=False, read_first=True)[0] == EVERYTHING
