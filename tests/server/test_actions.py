"""Quick fixes, comments that silence a finding, and all safe fixes at once."""

from __future__ import annotations

from pathlib import Path

import pytest
from lsprotocol import types

import ckpt_lint
from ckpt_lint.server.actions import differences
from tests.server.editor import FULL, Editor, applied, edits_of

SAFE = "import torch\n\nmodel.load_state_dict(torch.load(p, weights_only=True))\n"
UNSAFE = "import torch\n\nx = '🎯'; y = torch.load(p, map_location='cuda:0', weights_only=True)\n"
FIX_301 = "ckpt-lint (CKP301): Load to the CPU"
ALL = "Fix all safe ckpt-lint problems"


def test_a_quick_fix_says_how_safe_it_is_and_does_what_the_command_does(editor: Editor, tmp_path: Path) -> None:
    for name, text, unsafe in (("safe.py", SAFE, False), ("unsafe.py", UNSAFE, True)):
        uri = editor.open(tmp_path / name, text)
        (one,) = editor.diagnostics(uri)
        assert list(editor.actions(uri, 0)) == ([] if unsafe else [ALL])
        fix, silence, *rest = editor.actions(uri, 2).values()
        assert [one.title for one in rest] == ([] if unsafe else [ALL])
        assert fix.title.startswith(f"ckpt-lint ({one.code}): ") and fix.title.endswith(" (unsafe)") is unsafe
        assert fix.kind == types.CodeActionKind.QuickFix and bool(fix.is_preferred) is not unsafe
        assert fix.diagnostics and fix.diagnostics[0].code == one.code
        expected, _ = ckpt_lint.fix_source(text, str(tmp_path / name), unsafe=True)
        assert applied(text, edits_of(fix)[uri]) == expected != text
        assert silence.title == f"ckpt-lint ({one.code}): Disable {one.code} for this line"
        silenced = applied(text, edits_of(silence)[uri])
        assert silenced == text.rstrip("\n") + f"  # noqa: {one.code}\n"
        editor.type(uri, silenced)
        assert editor.codes(uri) == [] and not editor.actions(uri, 2)


def test_edits_name_the_version_that_they_are_for(editor: Editor, tmp_path: Path) -> None:
    uri = editor.open(tmp_path / "a.py", SAFE)
    editor.type(uri, SAFE + "\n")
    fix = next(iter(editor.actions(uri, 2).values()))
    assert fix.edit and fix.edit.document_changes
    (change,) = fix.edit.document_changes
    assert isinstance(change, types.TextDocumentEdit) and change.text_document.version == 2


def test_all_safe_fixes_come_when_they_are_chosen(editor: Editor, tmp_path: Path) -> None:
    text = SAFE + UNSAFE.partition("\n")[2] + "x = '🎯'\n" + SAFE.partition("\n")[2] + "# end\n"
    uri = editor.open(tmp_path / "a.py", text)
    editor.diagnostics(uri)
    action = editor.actions(uri, 0)[ALL]
    assert action.kind == "source.fixAll.ckpt-lint" and action.edit is None
    edits = edits_of(editor.resolve(action))[uri]
    assert len(edits) == 2
    expected, outcome = ckpt_lint.fix_source(text, str(tmp_path / "a.py"))
    assert applied(text, edits) == expected and sum(outcome.fixed.values()) == 2


@pytest.mark.parametrize(
    ("only", "titles"),
    [
        (["source"], [ALL]),
        (["source.fixAll"], [ALL]),
        (["source.fixAll.ckpt-lint"], [ALL]),
        (["source.fixAll.ruff"], []),
        (["quickfix"], 2),
        (["refactor"], []),
    ],
)
def test_only_the_wanted_kinds_come(editor: Editor, tmp_path: Path, only: list[str], titles: list[str] | int) -> None:
    uri = editor.open(tmp_path / "a.py", SAFE)
    editor.diagnostics(uri)
    found = list(editor.actions(uri, 2, only=only))
    assert found == titles if isinstance(titles, list) else len(found) == titles


def test_a_comment_goes_where_it_counts(editor: Editor, tmp_path: Path) -> None:
    """At the first line of the call, into the comment that is there, and behind a string of several lines."""
    text = "import torch\nx = torch.load(  # noqa: E501\n    p,\n    weights_only=True)\n"
    uri = editor.open(tmp_path / "a.py", text)
    editor.diagnostics(uri)
    action = editor.actions(uri, 3)["ckpt-lint (CKP301): Disable CKP301 for this line"]
    assert applied(text, edits_of(action)[uri]) == text.replace("E501", "E501, CKP301")


def test_an_older_editor_gets_plain_edits_and_bytes() -> None:
    """No versions, nothing resolved later, UTF-8, no watched files, no workspace folder."""
    capabilities = {"general": {"positionEncodings": ["utf-8", "utf-16"]}, "textDocument": {}, "workspace": {}}
    editor = Editor(capabilities=capabilities)
    assert editor.server.capabilities.position_encoding == "utf-8"
    text = "import torch\nx = 'é🎯'; model.load_state_dict(torch.load(p, weights_only=True))\n"
    editor.open_uri("untitled:a", text)
    (one,) = editor.diagnostics("untitled:a")
    assert one.range.start.character == len("x = 'é🎯'; model.load_state_dict(".encode())
    action = editor.actions("untitled:a", 1)[ALL]
    assert action.edit and action.edit.document_changes is None
    expected, _ = ckpt_lint.fix_source(text)
    assert applied(text, edits_of(action)["untitled:a"], encoding="utf-8") == expected
    assert not editor.registered
    assert editor.stop() == 0
    assert FULL["general"] != capabilities["general"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a\r\nb\r\n", "a  # x\r\nb\r\n"),
        ("a\rb\r\nc", "a\rc\r\nc"),
        ("a\r\n", "a\r"),
        ("a\r", "a\r\n"),
        ("\r\n", "\n"),
        ("", "a\n"),
        ("aaa\n", "aa\n"),
        ("x\n" * 3 + "y\n", "x\n" * 2 + "z\ny\n"),
        ("same\n", "same\n"),
    ],
)
def test_differences_lead_from_one_text_to_the_other_and_part_no_line_end(before: str, after: str) -> None:
    text, edits = before, list(differences(before, after))
    for edit in reversed(edits):
        for place in (edit.span.start, edit.span.end):
            assert before[max(place - 1, 0) : place + 1] != "\r\n"
        text = text[: edit.span.start] + edit.text + text[edit.span.end :]
    assert text == after
