"""Whatever a path turns out to be: one clear line, exit code 3, and nothing lost."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

from tests.cli.command import ckpt_lint

TORCH = b"import torch\ntorch.load(p)\n"
DEEP = TORCH + b"x = " + b"(" * 10_000 + b")" * 10_000 + b"\n"
CHAIN = TORCH + b"x = " + b" + ".join([b"1"] * 20_000) + b"\n"

FILES = {
    "binary": (TORCH + b"\0\1\2", "a.py: unreadable: binary file"),
    "binary_without_torch": (b"\x7fELF\0\0", "a.py: unreadable: binary file"),
    "python_2": (b"import torch\nprint torch.load(p)\n", "a.py:2:1: invalid-syntax: "),
    "bad_declaration": (
        b"# coding: klingon\nimport torch\n",
        "a.py:1:1: bad-encoding: unknown encoding declared: klingon",
    ),
    "bad_declaration_without_torch": (b"# coding: klingon\n", "a.py:1:1: bad-encoding: "),
    "not_utf8": (TORCH + b"# caf\xe9\n", "a.py:3:1: bad-encoding: byte 0xe9 is not utf-8 text"),
    "utf_16": ("import torch".encode("utf-16"), "bad-encoding: "),
    "too_large": (TORCH + b"x = 1\n" * 200_000, "a.py: too-large: 1.2 MB, over the limit of 1"),
    "deep": (DEEP, "too-deep: "),
    "chain": (CHAIN, "too-deep: " if sys.version_info >= (3, 11) else "too-large: "),  # Python 3.10 reads it
}


@pytest.mark.parametrize("name", FILES)
def test_files_that_cannot_be_checked(tmp_path: Path, name: str) -> None:
    data, expected = FILES[name]
    (tmp_path / "a.py").write_bytes(data)
    for options in ((), ("--fix", "--unsafe-fixes")):
        ran = ckpt_lint("check", "--output-format", "concise", *options, "a.py", cwd=tmp_path)
        assert ran.code == 3, ran
        lines = [line for line in ran.out.splitlines() if line.startswith("a.py") and "CKP" not in line]
        assert len(lines) == 1 and expected in lines[0], ran
        assert len(lines[0]) < 300 and "could not be checked" in ran.out
        assert (tmp_path / "a.py").read_bytes() == data


def test_files_without_anything_to_say(tmp_path: Path) -> None:
    (tmp_path / "empty.py").write_bytes(b"")
    (tmp_path / "bom.py").write_bytes(b"\xef\xbb\xbf")
    (tmp_path / "blank.py").write_bytes(b"\n\x0c\n")
    (tmp_path / "large.py").write_bytes(b"x = 1\n" * 200_000)
    ran = ckpt_lint("check", cwd=tmp_path)
    assert (ran.code, ran.out) == (0, "All checks passed!\n")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"cells": 3}', '{"cells": [{"cell_type": "code", "source": 3}]}'])
def test_notebooks_that_are_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.ipynb").write_text(text)
    ran = ckpt_lint("check", "--no-gate", "--output-format", "concise", cwd=tmp_path)
    assert ran.code == 3 and "a.ipynb: bad-notebook: " in ran.out


def test_paths_that_are_no_file(tmp_path: Path) -> None:
    os.symlink("nowhere.py", tmp_path / "broken.py")
    os.symlink("loop.py", tmp_path / "loop.py")
    os.mkfifo(tmp_path / "pipe.py")
    (tmp_path / "folder.py").mkdir()
    (tmp_path / "folder.py" / "a.py").write_bytes(TORCH)
    for name, message in {
        "missing.py": "missing.py: unreadable: No such file or directory",
        "broken.py": "broken.py: unreadable: broken symbolic link (No such file or directory)",
        "loop.py": "loop.py: unreadable: broken symbolic link (Too many levels of symbolic links)",
        "pipe.py": "pipe.py: unreadable: neither a file nor a folder",
    }.items():
        ran = ckpt_lint("check", "--output-format", "concise", name, cwd=tmp_path)
        assert ran.code == 3 and message in ran.out.splitlines(), ran
    ran = ckpt_lint("check", "--output-format", "concise", "folder.py", cwd=tmp_path)
    assert ran.code == 1 and "folder.py/a.py:2:1: CKP301" in ran.out


def test_the_others_are_still_checked(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_bytes(DEEP)
    (tmp_path / "b.py").write_bytes(TORCH)
    ran = ckpt_lint("check", "--output-format", "concise", "a.py", "missing.py", "b.py", cwd=tmp_path)
    assert ran.code == 3 and "b.py:2:1: CKP301" in ran.out
    assert "2 files could not be checked" in ran.out


def test_a_read_only_file_is_not_fixed_and_says_so(tmp_path: Path) -> None:
    text = b"import torch\nmodel.load_state_dict(torch.load(p, weights_only=True))\n"
    (tmp_path / "a.py").write_bytes(text)
    (tmp_path / "a.py").chmod(0o444)
    ran = ckpt_lint("check", "--fix", "--output-format", "concise", cwd=tmp_path)
    assert ran.code == 3
    assert "a.py: not-fixed: could not be written: the file is read-only" in ran.out
    assert "a.py:2:23: CKP301" in ran.out
    assert (tmp_path / "a.py").read_bytes() == text


def test_mode_and_links_survive_a_fix(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    target = tmp_path / "real" / "a.py"
    target.write_bytes(b"import torch\nmodel.load_state_dict(torch.load(p, weights_only=True))\n")
    target.chmod(0o755)
    os.symlink("real/a.py", tmp_path / "link.py")
    assert ckpt_lint("check", "--fix", "link.py", cwd=tmp_path).code == 0
    assert b"map_location" in target.read_bytes()
    assert (tmp_path / "link.py").is_symlink() and stat.S_IMODE(target.stat().st_mode) == 0o755


def test_a_file_beyond_all_measure_is_not_even_read(tmp_path: Path) -> None:
    with open(tmp_path / "a.py", "wb") as file:
        file.truncate(50_000_000_000)
    ran = ckpt_lint("check", "--output-format", "concise", cwd=tmp_path)
    assert ran.code == 3 and "a.py: too-large: 50000.0 MB, over the limit of 1" in ran.out
