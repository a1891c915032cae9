"""`--baseline`: known findings stay known through unrelated edits, new ones are new, and the file is never half."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.command import Ran, ckpt_lint, write

CODE = '''\
import torch


class Trainer:
    def restore(self, p):
        state = torch.load(p, map_location="cpu")
        with open(p) as stream:
            other = torch.load(
                p, map_location="cpu"
            )
        return state, other
'''


def check(folder: Path, *options: str) -> Ran:
    return ckpt_lint("check", "--baseline", "b.json", "--output-format", "concise", *options, cwd=folder)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    write(tmp_path, pkg__a=CODE)
    ran = check(tmp_path, "--update-baseline")
    assert (ran.code, ran.out) == (0, "b.json: 2 findings (2 added, 0 removed).\n")
    return tmp_path


def test_known_findings_are_not_shown(project: Path) -> None:
    ran = check(project)
    assert (ran.code, ran.out) == (0, "All checks passed!\n2 findings known from b.json not shown.\n")
    rows = json.loads((project / "b.json").read_text())["findings"]
    assert [(row["path"], row["code"], row["scope"]) for row in rows] == [("pkg/a.py", "CKP302", "Trainer.restore")] * 2
    assert "row" not in (project / "b.json").read_text()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("class Trainer:", "x = 1\n\n\nclass Trainer:"),
        ("        state = ", "        print(p)\n        state = "),
        ('map_location="cpu"\n            )', "map_location='cpu',\n            )"),
        ('torch.load(p, map_location="cpu")', 'torch.load(\n  p,  # where\n  map_location="cpu",\n        )'),
        ("        with open(p) as stream:\n", "        if p:\n"),
        (CODE, CODE.replace("\n", "\r\n")),
        ('torch.load(p, map_location="cpu")\n', '(\n            torch.load(p, map_location="cpu")\n        )\n'),
    ],
)
def test_unrelated_edits_and_formatters_revive_nothing(project: Path, old: str, new: str) -> None:
    assert old in CODE
    (project / "pkg" / "a.py").write_bytes(CODE.replace(old, new).encode())
    assert check(project).out.startswith("All checks passed!\n2 findings known")


@pytest.mark.parametrize(
    ("old", "new", "row"),
    [
        ("state = torch.load(p,", "state = torch.load(q,", 6),
        ("def restore", "def resume", 6),
        ("state = torch.load(p,", "state = torch.load(p(),", 6),
        ("        return", '        state = torch.load(p, map_location="cpu")\n        return', 11),
    ],
)
def test_a_changed_statement_another_function_and_one_more_are_new(project: Path, old: str, new: str, row: int) -> None:
    (project / "pkg" / "a.py").write_text(CODE.replace(old, new))
    ran = check(project)
    assert ran.code == 1 and f"pkg/a.py:{row}:" in ran.out


def test_from_another_folder_it_is_the_same(project: Path) -> None:
    ran = ckpt_lint("check", "--baseline", "../b.json", "a.py", cwd=project / "pkg")
    assert ran.code == 0


def test_stale_entries_are_reported_and_removed(project: Path) -> None:
    write(project, pkg__b="x = 1\n")
    (project / "pkg" / "a.py").write_text(CODE.replace("        state = torch.load", "        state = json.load"))
    ran = check(project)
    assert ran.code == 0 and "1 entry of b.json matches nothing any more" in ran.out
    assert '  pkg/a.py: CKP302 in Trainer.restore: state = torch.load(p, map_location="cpu")\n' in ran.out
    assert "nothing any more" not in check(project, "pkg/b.py").out, "a file that was not looked at"
    assert "nothing any more" not in check(project, "--select", "CKP301").out, "a rule that was off"
    assert check(project, "--update-baseline").out == "b.json: 1 finding (0 added, 1 removed).\n"
    (project / "pkg" / "a.py").unlink()
    assert "1 entry of b.json" in check(project).out


def test_an_entry_with_an_absurd_count_costs_nothing(project: Path) -> None:
    text = (project / "b.json").read_text()
    (project / "b.json").write_text(text.replace('"count": 1', f'"count": {10**15}'))
    ran = check(project)
    assert ran.code == 0 and f"{2 * 10**15 - 2} entries of b.json match nothing any more" in ran.out


def test_an_update_keeps_what_the_run_could_not_tell_of(project: Path) -> None:
    before = (project / "b.json").read_text()
    write(project, pkg__b="x = 1\n")
    assert check(project, "--update-baseline", "pkg/b.py").code == 0
    assert check(project, "--update-baseline", "--select", "CKP301").code == 0
    assert (project / "b.json").read_text() == before
    (project / "pkg" / "a.py").write_text("import torch\ntorch.load(\n")
    assert check(project, "--update-baseline").code == 3
    assert (project / "b.json").read_text() == before


def test_notebooks_and_checkpoint_files(tmp_path: Path) -> None:
    def book(*cells: str) -> None:
        rows = [{"cell_type": "code", "metadata": {}, "outputs": [], "source": [text]} for text in cells]
        document = {"cells": rows, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
        (tmp_path / "a.ipynb").write_text(json.dumps(document))

    book("import torch\n", 'x = torch.load(p, map_location="cpu")')
    (tmp_path / "m.pt").write_text("version https://git-lfs.github.com/spec/v1\n")
    paths = ("a.ipynb", "m.pt")
    assert "2 findings (2 added" in check(tmp_path, "--update-baseline", *paths).out
    book("import torch\n", "y = 1", "!ls", '# text\nx = torch.load(p, map_location="cpu")')
    assert check(tmp_path, *paths).code == 0


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '{"version": 2, "findings": []}', '{"version": 1}', '{"version": 1, "findings": [{}]}',
     '{"version": 1, "findings": [{"path": "a", "code": "b", "scope": "", "digest": "", "statement": "", "count": true}]}',
     "[" * 100_000],
    ids=range(8),
)  # fmt: skip
def test_a_corrupt_baseline_is_a_usage_error_in_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "b.json").write_text(text)
    for options in ((), ("--update-baseline",)):
        ran = check(tmp_path, *options)
        assert ran.code == 2 and ran.err.startswith("ckpt-lint: error: baseline b.json: ") and ran.err.count("\n") == 1
        assert (tmp_path / "b.json").read_text() == text


def test_a_missing_baseline_and_options_that_do_not_go_together(tmp_path: Path) -> None:
    assert check(tmp_path).code == 2
    assert ckpt_lint("check", "--update-baseline", cwd=tmp_path).code == 2
    assert check(tmp_path, "--update-baseline", "--diff").code == 2
    assert ckpt_lint("check", "--baseline", "no/b.json", "--update-baseline", cwd=tmp_path).code == 2


def test_the_file_does_not_depend_on_the_order_of_files(tmp_path: Path) -> None:
    write(tmp_path, a=CODE, b=CODE)
    check(tmp_path, "--update-baseline", "a.py", "b.py")
    first = (tmp_path / "b.json").read_bytes()
    (tmp_path / "b.json").unlink()
    check(tmp_path, "--update-baseline", "b.py", "a.py")
    assert (tmp_path / "b.json").read_bytes() == first


def test_the_body_of_a_statement_does_not_count(tmp_path: Path) -> None:
    text = 'import torch\n\nfor key in torch.load(p, map_location="cpu"):\n    print(key)\n'
    write(tmp_path, a=text)
    assert "1 finding (1 added" in check(tmp_path, "--update-baseline").out
    write(tmp_path, a=text.replace("print(key)", "print(key, key)"))
    assert check(tmp_path).code == 0


def test_a_killed_update_leaves_the_old_file_or_the_new_one(tmp_path: Path) -> None:
    """What writes the baseline, with so much to write that the kill comes in the middle of it."""
    chance = random.Random(7)
    target = tmp_path / "b.json"
    seen = set()
    for _ in range(10):
        process = subprocess.Popen(
            [sys.executable, "-c", KILLED],
            cwd=tmp_path, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        )  # fmt: skip
        assert process.stdout is not None and process.stdout.readline() == "writing\n"
        time.sleep(chance.random() * 0.05)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        data = target.read_bytes()
        seen.add(data[:1])
        assert len(data) == SIZE and data in (data[:1] * SIZE,)
    assert seen <= {b"a", b"b"}


SIZE = 8_000_000
KILLED = f"""
from ckpt_lint.write import create_atomic
texts = (b"a" * {SIZE}, b"b" * {SIZE})
create_atomic("b.json", texts[0])
print("writing", flush=True)
while True:
    for text in texts:
        create_atomic("b.json", text)
"""
