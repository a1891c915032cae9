"""CKP901: which codes of a `noqa` comment are unused, and what is left of the comment."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.command import ckpt_lint, write
from tests.rules.harness import check_path, fix_path, source_of

ON = frozenset({"CKP301", "CKP302", "CKP901"})
SAFE = 'torch.load(p, map_location="cpu", weights_only=True)'


def fixed(tmp_path: Path, text: str, codes: frozenset[str] = ON) -> str:
    path = tmp_path / "a.py"
    (tmp_path / "setup.cfg").write_text("")
    path.write_bytes(text.encode())
    return fix_path(path, tmp_path, codes)[0].text


def messages(tmp_path: Path, text: str, codes: frozenset[str] = ON, name: str = "a.py") -> list[str]:
    (tmp_path / "setup.cfg").write_text("")
    path = tmp_path / name
    path.write_bytes(text.encode())
    return [f.message for f in check_path(path, tmp_path, codes).findings if f.code == "CKP901"]


@pytest.mark.parametrize(
    ("comment", "left"),
    [
        ("  # noqa: CKP302", ""),
        ("  # noqa:CKP302,CKP301", ""),
        ("  # noqa: CKP302 CKP301", ""),
        ("  # NOQA: CKP302", ""),
        ("  # noqa: ckp302", ""),
        ("  # noqa: CKP999", ""),
        ("  # noqa: E501, CKP302", "  # noqa: E501"),
        ("  # noqa: E501 CKP302 F401", "  # noqa: E501 F401"),
        ("  # noqa: CKP302, E501 because", "  # noqa: E501 because"),
        ("  # noqa: CKP302 because", "  # because"),
        ("  # noqa: CKP302 # type: ignore", "  # type: ignore"),
        ("  # type: ignore # noqa: CKP302", "  # type: ignore"),
        ("  # kept # noqa: CKP302 # too", "  # kept # too"),
        ("  # noqa", "  # noqa"),
        ("  # noqa: E501", "  # noqa: E501"),
        ("  # noqa: CKP302, CKP901", "  # noqa: CKP302, CKP901"),
        ("  # noqa: CKP9", "  # noqa: CKP9"),
    ],
)
def test_what_is_left_of_a_comment(tmp_path: Path, comment: str, left: str) -> None:
    text = f"import torch\nx = {SAFE}{{}}\ny = 1\n"
    assert fixed(tmp_path, text.format(comment)) == text.format(left)
    windows = text.replace("\n", "\r\n")
    assert fixed(tmp_path, windows.format(comment)) == windows.format(left)


@pytest.mark.parametrize(("end", "left"), [("\n", "import torch\n"), ("", "import torch\n")])
def test_a_line_that_is_only_the_comment_goes(tmp_path: Path, end: str, left: str) -> None:
    assert fixed(tmp_path, f"import torch\n  # noqa: CKP302{end}") == left


def test_the_used_code_stays_and_a_repeated_one_goes(tmp_path: Path) -> None:
    text = "import torch\nx = torch.load(p)  # noqa: CKP302, CKP301, CKP302, CKP4\n"
    assert messages(tmp_path, text) == ["this `noqa` suppresses nothing (unused: `CKP4`; duplicated: `CKP302`)"]
    assert fixed(tmp_path, text) == "import torch\nx = torch.load(p)  # noqa: CKP302, CKP301\n"


def test_a_rule_that_is_off_counts_as_if_it_were_on(tmp_path: Path) -> None:
    text = "import torch\nx = torch.load(p)  # noqa: CKP302, CKP301\n"
    assert messages(tmp_path, text, frozenset({"CKP901"})) == []
    assert fixed(tmp_path, text, frozenset({"CKP901"})) == text


def test_strings_are_no_comments(tmp_path: Path) -> None:
    text = f'import torch\nx = {SAFE}\ny = "# noqa: CKP302"\nz = """\n# noqa: CKP302\n"""\n'
    assert fixed(tmp_path, text) == text


def test_a_comment_that_flake8_does_not_look_at_is_unused(tmp_path: Path) -> None:
    text = 'import torch\nx = ("# noqa: E1", torch.load(p, weights_only=True))  # noqa: CKP301\n'
    assert messages(tmp_path, text) == ["this `noqa` suppresses nothing (unused: `CKP301`)"]


def test_a_comment_behind_a_string_over_several_lines_is_used(tmp_path: Path) -> None:
    text = 'import torch\nx = torch.load("""a\nb""", weights_only=True)  # noqa: CKP301\n'
    assert messages(tmp_path, text) == []


def test_a_file_of_which_a_part_could_not_be_read_is_left_alone(tmp_path: Path) -> None:
    cells = [f"import torch\nx = {SAFE}  # noqa: CKP302\n", "y = (\n"]
    rows = [{"cell_type": "code", "metadata": {}, "outputs": [], "source": [text]} for text in cells]
    book = {"cells": rows, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    assert messages(tmp_path, json.dumps(book), name="a.ipynb") == []
    book["cells"] = rows[:1]
    assert messages(tmp_path, json.dumps(book), name="a.ipynb") != []
    assert len(source_of(tmp_path / "a.ipynb").cells) == 1


def test_a_file_that_the_gate_lets_pass_is_looked_at_once_the_rule_is_on(tmp_path: Path) -> None:
    write(tmp_path, a="x = 1  # noqa: CKP302\n")
    assert ckpt_lint("check", "a.py", cwd=tmp_path).code == 0
    ran = ckpt_lint("check", "--extend-select", "CKP901", "--output-format", "concise", cwd=tmp_path)
    assert ran.out.startswith("a.py:1:8: CKP901 [*] this `noqa` suppresses nothing (unused: `CKP302`)\n")
    assert ckpt_lint("check", "--select", "CKP901", "--fix", cwd=tmp_path).code == 0
    assert (tmp_path / "a.py").read_text() == "x = 1\n"


def test_a_line_that_passes_the_file_by_passes_it_by(tmp_path: Path) -> None:
    assert messages(tmp_path, f"# flake8: noqa\nimport torch\nx = {SAFE}  # noqa: CKP302\n") == []
