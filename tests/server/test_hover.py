"""The page of a rule, where the rule is spoken of."""

from __future__ import annotations

from pathlib import Path

from ckpt_lint.report.rule_page import rule_page
from ckpt_lint.rules import ALL
from tests.server.editor import Editor

PAGES = {rule.code: rule_page(rule) for rule in ALL}


def test_a_finding_shows_its_page(editor: Editor, tmp_path: Path) -> None:
    uri = editor.open(tmp_path / "a.py", "import torch\nx = torch.load(p, weights_only=True)\ny = 1\n")
    editor.diagnostics(uri)
    assert editor.hover(uri, 1, 10) == PAGES["CKP301"]
    assert editor.hover(uri, 1, 1) is None and editor.hover(uri, 2, 0) is None and editor.hover(uri, 99, 0) is None


def test_a_code_in_a_comment_shows_its_page(editor: Editor, tmp_path: Path) -> None:
    line = "x = '🎯'; torch.load(p)  # noqa: E501, CKP302,CKP30 then"
    uri = editor.open(tmp_path / "a.py", f"import torch\n{line}\n")
    column = line.index("CKP302") + 1  # in UTF-16 the target counts twice
    for character in (column, column + 3, column + 6):
        assert editor.hover(uri, 1, character) == PAGES["CKP302"]
    several = editor.hover(uri, 1, line.index("CKP30 ") + 1 + 1)
    assert several and several.count("\n") == 8 and "**CKP301** load-without-map-location: " in several
    assert editor.hover(uri, 1, line.index("E501") + 2) is None
    assert editor.hover(uri, 1, line.index("then") + 2) is None


def test_a_code_outside_of_a_comment_is_just_a_word(editor: Editor, tmp_path: Path) -> None:
    uri = editor.open(tmp_path / "a.py", "x = ' CKP302 '  # CKP302 noqa: CKP302\ny = ' CKP302 '  # noqa: CKP301 CKP302\n")
    assert [editor.hover(uri, row, 6) for row in (0, 1)] == [None, None]
    assert editor.hover(uri, 0, 18) is None and editor.hover(uri, 1, 34) == PAGES["CKP302"]
