"""Whatever the rest of a project turns out to be: bounded, said in a line, and no finding that rests on a guess."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from ckpt_lint.config import Configs
from ckpt_lint.discover import Target
from ckpt_lint.model import Applicability
from ckpt_lint.rules import ALL
from ckpt_lint.run import Mode, Worker
from tests.cli.command import Ran, ckpt_lint, write

LOAD = "import torch\n\nx = torch.load(p, map_location='cpu')\n"
FIXABLE = "import torch\n\nmodel.load_state_dict(torch.load(p, weights_only=True))\n"
MODULE = "import torch\nfrom torch import nn\n"


def check(folder: Path, *arguments: str, anew: bool = False) -> Ran:
    return ckpt_lint("check", "--output-format", "concise", *arguments, cwd=folder, anew=anew)


def places(ran: Ran) -> list[str]:
    """`path:row:column: code` of the findings."""
    return [" ".join(line.split(" ")[:2]) for line in ran.out.splitlines() if ": CKP" in line]


def notes(ran: Ran) -> list[str]:
    return [line for line in ran.out.splitlines() if line.startswith("note: ")]


def timed(folder: Path, *arguments: str) -> tuple[Ran, float]:
    """With the processor time of the run: other work on the machine takes none of it."""
    start = _of_children()
    ran = check(folder, *arguments, anew=True)
    return ran, _of_children() - start


def _of_children() -> float:
    used = os.times()
    return used.children_user + used.children_system


# -- single files ---------------------------------------------------------------------------------------------------


def test_a_file_of_50_mb(tmp_path: Path) -> None:
    text = LOAD + "y = 1  # filler filler filler filler filler\n" * 1_200_000
    write(tmp_path, a=text, b=LOAD)
    ran, seconds = timed(tmp_path)
    assert ran.code == 3 and seconds < 20
    assert "a.py: too-large: 52.8 MB, over the limit of 1 MB (max-file-size)" in ran.out.splitlines()
    assert places(ran) == ["b.py:3:5: CKP302"]
    assert (tmp_path / "a.py").stat().st_size == len(text)


def test_a_file_that_nobody_can_read(tmp_path: Path) -> None:
    os.symlink("/proc/self/mem", tmp_path / "a.py")
    write(tmp_path, b=LOAD)
    for options in ((), ("--fix",)):
        ran = check(tmp_path, *options)
        assert ran.code == 3 and "a.py: unreadable: Input/output error" in ran.out.splitlines()
        assert places(ran) == ["b.py:3:5: CKP302"]


def test_a_file_that_changes_while_it_is_fixed(tmp_path: Path) -> None:
    """Between reading and writing somebody else saves the file: theirs stays, and the finding of ours."""
    path = tmp_path / "a.py"
    path.write_text(FIXABLE)
    worker = Worker(Configs(ALL, working_folder=str(tmp_path)), Mode(frozenset({Applicability.SAFE}), write=True))
    settings = worker.configs.settings_for(str(path))
    fixed = worker.check_bytes(str(path), path.read_bytes(), settings)
    assert fixed.outcome.fixed == {"CKP301": 1}
    path.write_text(FIXABLE + "# mine\n")
    outcome = worker._written(fixed, settings).outcome
    assert [problem.message for problem in outcome.problems] == [
        "changed on disk while it was being fixed; nothing was written"
    ]
    assert [finding.code for finding in outcome.findings] == ["CKP301"] and not outcome.fixed
    assert path.read_text() == FIXABLE + "# mine\n" and os.listdir(tmp_path) == ["a.py"]
    assert worker.check(Target(str(path))).outcome.fixed == {"CKP301": 1}


# -- notebooks ------------------------------------------------------------------------------------------------------


def cell(*lines: str, outputs: int = 0) -> dict[str, Any]:
    output = {"output_type": "stream", "name": "stdout", "text": ["z" * 1000]}
    return {
        "cell_type": "code", "metadata": {}, "execution_count": None, "outputs": [output] * outputs,
        "source": list(lines),
    }  # fmt: skip


def notebook(*cells: dict[str, Any]) -> str:
    return json.dumps({"cells": list(cells), "metadata": {}, "nbformat": 4, "nbformat_minor": 5}, indent=1)


def test_notebooks_with_50_mb_of_outputs_or_less(tmp_path: Path) -> None:
    lines = FIXABLE.splitlines(keepends=True)
    (tmp_path / "large.ipynb").write_text(notebook(cell(*lines, outputs=46_000)))
    (tmp_path / "less.ipynb").write_text(notebook(cell(*lines, outputs=10_000)))
    size = (tmp_path / "large.ipynb").stat().st_size
    assert size > 50_000_000
    ran, seconds = timed(tmp_path, "--fix")
    assert ran.code == 3 and seconds < 20
    assert ran.out.startswith(f"large.ipynb: too-large: a notebook of {size / 1e6:.4g} MB, over the limit of 20 MB ")
    assert "Found 1 finding (1 fixed, 0 remaining)." in ran.out
    assert (tmp_path / "large.ipynb").stat().st_size == size


def test_a_notebook_of_format_3_is_checked_and_fixed(tmp_path: Path) -> None:
    code = {"cell_type": "code", "collapsed": False, "input": FIXABLE.splitlines(keepends=True), "language": "python",
            "metadata": {}, "outputs": []}  # fmt: skip
    text = json.dumps({"metadata": {"name": ""}, "nbformat": 3, "nbformat_minor": 0,
                       "worksheets": [{"cells": [code], "metadata": {}}]}, indent=1)  # fmt: skip
    (tmp_path / "old.ipynb").write_text(text)
    assert places(check(tmp_path)) == ["old.ipynb:cell 1:3:23:"]
    assert check(tmp_path, "--fix").code == 0
    assert (tmp_path / "old.ipynb").read_text() == text.replace("True))", 'True, map_location=\\"cpu\\"))')


def test_a_broken_cell_leaves_the_others(tmp_path: Path) -> None:
    (tmp_path / "a.ipynb").write_text(notebook(cell("x = (\n"), cell(*FIXABLE.splitlines(keepends=True))))
    ran = check(tmp_path)
    assert ran.code == 3 and "a.ipynb:cell 1:1:5: invalid-syntax: " in ran.out
    assert places(ran) == ["a.ipynb:cell 2:3:23:"]


# -- projects -------------------------------------------------------------------------------------------------------


def test_imports_that_go_in_circles(tmp_path: Path) -> None:
    (tmp_path / "setup.cfg").write_text("")
    write(
        tmp_path,
        pkg__b="from pkg.c import *\nfrom pkg import *\n",
        pkg__c=f"from pkg import *\nfrom pkg.b import *\n{MODULE}def keep(m, p):\n    torch.save(m, p)\n",
        d=f"{MODULE}from pkg import keep\nkeep(nn.Linear(1, 1), 'm.pt')\n",
    )
    (tmp_path / "pkg" / "__init__.py").write_text("from pkg import *\nfrom pkg.b import *\nfrom pkg.c import keep\n")
    ran, seconds = timed(tmp_path)
    assert (ran.code, places(ran)) == (1, ["d.py:4:6: CKP101"]), ran
    assert seconds < 10


def test_wrappers_that_call_themselves_and_each_other(tmp_path: Path) -> None:
    (tmp_path / "setup.cfg").write_text("")
    keep = "def keep(m, p, n=3):\n    if n:\n        return keep(m, p, n - 1)\n    other(m, p)\n    torch.save(m, p)\n"
    write(
        tmp_path,
        a=f"{MODULE}from b import other\n{keep}",
        b=f"{MODULE}from a import keep\ndef other(m, p):\n    keep(m, p)\nkeep(nn.Linear(1, 1), 'm.pt')\n",
    )
    ran, seconds = timed(tmp_path)
    assert (ran.code, places(ran)) == (1, ["b.py:6:6: CKP101"]) and seconds < 10


def test_two_files_of_one_module_name_say_nothing(tmp_path: Path) -> None:
    (tmp_path / "setup.cfg").write_text("")
    keep = f"{MODULE}def keep(m, p):\n    torch.save(m, p)\n"
    write(tmp_path, one__disk=keep, two__disk=keep, train=f"{MODULE}from disk import keep\nkeep(nn.Linear(1, 1), 'a')\n")
    assert places(check(tmp_path)) == []
    (tmp_path / "two" / "disk.py").unlink()
    assert places(check(tmp_path)) == ["train.py:4:6: CKP101"]


def test_the_home_folder_is_no_project(tmp_path: Path) -> None:
    """A manifest in the home folder declares nothing for what lies there, and what else lies there is not read."""
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "x"\ndependencies = ["torch>=2.6"]\n')
    write(tmp_path, work__train=f"{LOAD}from far.disk import keep\nkeep(torch.nn.Linear(1, 1), 'a')\n")
    write(tmp_path, far__disk="import torch\ndef keep(m, p):\n    torch.save(m, p)\n")
    away = ckpt_lint("check", "--output-format", "concise", "work", cwd=tmp_path, env={"HOME": "/nowhere"})
    assert places(away) == ["work/train.py:5:6: CKP101"]
    home = ckpt_lint("check", "--output-format", "concise", "work", cwd=tmp_path, env={"HOME": str(tmp_path)})
    assert places(home) == ["work/train.py:3:5: CKP302"]


def test_manifests_that_disagree(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "x"\ndependencies = ["torch>=2.6"]\n')
    (tmp_path / "requirements.txt").write_text("torch==2.1\n")
    write(tmp_path, a=LOAD, b=LOAD)
    ran = check(tmp_path)
    assert places(ran) == ["a.py:3:5: CKP302", "b.py:3:5: CKP302"]
    assert notes(ran) == [
        "note: no torch fits all that is declared: pyproject.toml: torch>=2.6; requirements.txt: torch==2.1"
    ]
    assert "no torch version is declared" not in ran.out
    for output_format in ("json", "sarif", "github"):
        told = ckpt_lint("check", "--output-format", output_format, cwd=tmp_path)
        assert told.err.splitlines() == notes(ran)
    assert ckpt_lint("check", "-q", "--output-format", "json", cwd=tmp_path).err == ""


def test_a_manifest_that_does_not_parse_makes_silent_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "x"\ndependencies = ["torch>=2.6"\n')
    write(tmp_path, a=LOAD + "model.load_state_dict(torch.load(p, weights_only=True))\n", b=LOAD)
    ran = check(tmp_path)
    assert places(ran) == ["a.py:4:23: CKP301"]
    (note,) = notes(ran)
    assert note.startswith("note: pyproject.toml") and note.endswith("; what it says of torch is not known")
    assert places(check(tmp_path, "--torch-version", "2.4", "b.py")) == ["b.py:3:5: CKP302"]


def test_a_hundred_thousand_files(tmp_path: Path) -> None:
    """More than are listed for one project: what was listed counts, the run ends, and says what is not known."""
    (tmp_path / "setup.cfg").write_text("")
    for folder in range(100):
        (tmp_path / f"p{folder:02}").mkdir()
        for number in range(1001):
            handle = os.open(tmp_path / f"p{folder:02}" / f"m{number}.py", os.O_CREAT | os.O_WRONLY)
            os.close(handle)
    write(tmp_path, p00__disk=f"{MODULE}def keep(m, p):\n    torch.save(m, p)\n")
    write(tmp_path, p00__train=f"{MODULE}from disk import keep\nkeep(nn.Linear(1, 1), 'a')\n")
    ran, seconds = timed(tmp_path)
    assert (ran.code, places(ran)) == (1, ["p00/train.py:4:6: CKP101"])
    assert notes(ran) == [f"note: {tmp_path}: more than 100000 files; what the others hold is not known"]
    assert seconds < 60


def test_a_source_without_a_name_says_what_it_does_not_know(tmp_path: Path) -> None:
    ran = ckpt_lint("check", "-", cwd=tmp_path, stdin=FIXABLE.encode())
    assert notes(ran) == [
        "note: a source without a name belongs to no project: what other files and manifests say of it is not known"
    ]
    assert notes(ckpt_lint("check", "-", cwd=tmp_path, stdin=b"x = 1\n")) == []
    assert notes(ckpt_lint("check", "-", "--stdin-filename", "a.py", cwd=tmp_path, stdin=FIXABLE.encode())) == []
