"""`--add-noqa`: comments that silence what is found, on the line that counts, and nothing else changed."""

from __future__ import annotations

import ast
import json
import os
from pathlib import Path

import pytest

from ckpt_lint.add_noqa import comment
from ckpt_lint.suppress import codes_of
from tests.cli.command import ckpt_lint, write

LOAD = 'torch.load(p, map_location="cpu")'


def added(folder: Path, text: str, *options: str, name: str = "a.py") -> str:
    (folder / name).write_bytes(text.encode())
    ran = ckpt_lint("check", "--select", "CKP301,CKP302", "--add-noqa", *options, name, cwd=folder)
    assert ran.code == 0, ran
    after = (folder / name).read_bytes()
    again = ckpt_lint("check", "--select", "CKP301,CKP302", "--add-noqa", *options, name, cwd=folder)
    assert again.out == "Added 0 `noqa` comments to 0 files.\n" and (folder / name).read_bytes() == after
    assert ckpt_lint("check", "--select", "CKP301,CKP302", name, cwd=folder).code == 0
    return after.decode()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("x = LOAD", "x = LOAD  # noqa: CKP302"),
        ("x = torch.load(p)", "x = torch.load(p)  # noqa: CKP301, CKP302"),
        ("x = LOAD  # noqa: E501", "x = LOAD  # noqa: E501, CKP302"),
        ("x = LOAD  # noqa:E501,F401 because", "x = LOAD  # noqa:E501,F401, CKP302 because"),
        ("x = LOAD  # type: ignore", "x = LOAD  # type: ignore  # noqa: CKP302"),
        ("x = LOAD   ", "x = LOAD  # noqa: CKP302"),
        ('x = torch.load(\n  p, map_location="cpu"\n)', 'x = torch.load(  # noqa: CKP302\n  p, map_location="cpu"\n)'),
        ('x = (LOAD, """a\nb""")', 'x = (LOAD, """a\nb""")  # noqa: CKP302'),
        ("x = \\\n    LOAD", "x = \\\n    LOAD  # noqa: CKP302"),
        ("x = LOAD; \\\ny = 1", "x = LOAD; \\\ny = 1  # noqa: CKP302"),
        ("x = [LOAD, LOAD]", "x = [LOAD, LOAD]  # noqa: CKP302"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_where_the_comment_stands(tmp_path: Path, before: str, after: str, newline: str) -> None:
    whole = f"import torch\n{before.replace('LOAD', LOAD)}\ny = 2\n".replace("\n", newline)
    text = added(tmp_path, whole)
    assert text == f"import torch\n{after.replace('LOAD', LOAD)}\ny = 2\n".replace("\n", newline)
    assert ast.dump(ast.parse(text)) == ast.dump(ast.parse(whole))


def test_a_last_line_without_newline_a_mark_and_an_encoding(tmp_path: Path) -> None:
    text = "# coding: latin-1\nimport torch\nx = torch.load('é', map_location='cpu')"
    (tmp_path / "b.py").write_bytes(text.encode("latin-1"))
    assert ckpt_lint("check", "--add-noqa", "b.py", cwd=tmp_path).code == 0
    assert (tmp_path / "b.py").read_bytes().endswith(b"'\xe9', map_location='cpu')  # noqa: CKP302")


def test_a_reason_stands_in_every_new_comment(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(f"import torch\nx = {LOAD}\ny = {LOAD}  # noqa: E501\n")
    ran = ckpt_lint("check", "--add-noqa=before we knew", cwd=tmp_path)
    assert (ran.code, ran.out) == (0, "Added 2 `noqa` comments to 1 file.\n")
    assert (tmp_path / "a.py").read_text() == (
        f"import torch\nx = {LOAD}  # noqa: CKP302 before we knew\ny = {LOAD}  # noqa: E501, CKP302\n"
    )
    assert ckpt_lint("check", "--add-noqa=two\nlines", cwd=tmp_path).code == 2
    assert ckpt_lint("check", "--add-noqa", "--fix", cwd=tmp_path).code == 2


def test_a_reason_is_never_read_as_a_code() -> None:
    for reason in ("T123 is to do it", "because", "F401", "# noqa"):
        assert codes_of(comment(["CKP301", "CKP302"], reason)) == ("CKP301", "CKP302")


def test_what_spoke_more_softly_gets_a_comment_too(tmp_path: Path) -> None:
    write(tmp_path, a='import torch\nx = torch.load(p, map_location="cuda:0", weights_only=False)\n')
    assert ckpt_lint("check", "--add-noqa", "--select", "ALL", "--ignore", "CKP901", cwd=tmp_path).code == 0
    assert ckpt_lint("check", "--select", "ALL", cwd=tmp_path).code == 0
    assert "CKP303" in (tmp_path / "a.py").read_text() and "CKP306" in (tmp_path / "a.py").read_text()


def test_notebooks_keep_their_json(tmp_path: Path) -> None:
    sources = [["import torch\n", "!ls\n", "%time\n", f"x = {LOAD}"], [f"y = (\n  {LOAD},\n", "  1)"]]
    cells = [{"cell_type": "code", "metadata": {"a": 1}, "outputs": [], "source": source} for source in sources]
    before = json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}, indent=3)
    after = added(tmp_path, before, name="a.ipynb")
    assert json.loads(after)["cells"][0]["source"][-1] == f"x = {LOAD}  # noqa: CKP302"
    assert json.loads(after)["cells"][1]["source"] == [f"y = (\n  {LOAD},  # noqa: CKP302\n", "  1)"]
    assert after.replace("  # noqa: CKP302", "") == before


def test_a_finding_that_no_comment_silences_stands(tmp_path: Path) -> None:
    text = f'import torch\nx = ("# noqa: E501", {LOAD})\n'
    write(tmp_path, a=text)
    ran = ckpt_lint("check", "--add-noqa", cwd=tmp_path)
    assert ran.code == 1 and (tmp_path / "a.py").read_text() == text
    assert ran.out.endswith("1 finding takes no comment; see --baseline and per-file-ignores.\n")


def test_what_cannot_be_written_is_said(tmp_path: Path) -> None:
    write(tmp_path, a=f"import torch\nx = {LOAD}\n", b="import torch\ntorch.load(\n")
    os.chmod(tmp_path / "a.py", 0o444)
    ran = ckpt_lint("check", "--add-noqa", "a.py", cwd=tmp_path)
    assert ran.code == 3 and "read-only" in ran.out and "noqa" not in (tmp_path / "a.py").read_text()
    assert ckpt_lint("check", "--add-noqa", "b.py", cwd=tmp_path).code == 3
    assert ckpt_lint("check", "--add-noqa", "-", cwd=tmp_path).code == 2
