"""What is shown while somebody types."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from lsprotocol import types

from tests.cli.command import ckpt_lint
from tests.server.editor import Editor, uri_of

BAD = "import torch\n\nx = torch.load(p, weights_only=True)\n"
GOOD = "import torch\n\nx = torch.load(p, weights_only=True, map_location='cpu')\n"


def test_what_is_found_is_shown_with_all_that_is_known_of_it(editor: Editor, tmp_path: Path) -> None:
    uri = editor.open(tmp_path / "a.py", BAD)
    (one,) = editor.diagnostics(uri)
    assert one.range == types.Range(types.Position(2, 4), types.Position(2, 36))
    assert (one.code, one.source, one.severity) == ("CKP301", "ckpt-lint", types.DiagnosticSeverity.Warning)
    assert "map_location" in one.message and one.code_description is None and one.tags is None
    assert one.data["fix"]["applicability"] == "unsafe" and one.data["fix"]["edits"][0]["uri"] == uri


def test_diagnostics_are_what_the_command_finds(editor: Editor) -> None:
    project = Path(__file__).parents[2] / "fixtures" / "projects" / "classifier"
    rows = json.loads(ckpt_lint("check", "--output-format", "json", cwd=project).out)
    for path in sorted(project.rglob("*.py")):
        ours = [
            (one.code, one.range.start.line + 1, one.range.start.character + 1)
            for one in editor.diagnostics(editor.open(path, path.read_text()))
        ]
        theirs = [
            (r["code"], r["location"]["row"], r["location"]["column"]) for r in rows if r["filename"] == str(path)
        ]
        assert ours == theirs, path


def test_typing_changes_what_is_shown(editor: Editor, tmp_path: Path) -> None:
    """The unsaved text counts, changed as a whole or in parts."""
    (tmp_path / "a.py").write_text(GOOD)
    uri = editor.open(tmp_path / "a.py", GOOD)
    assert editor.codes(uri) == []
    editor.type(uri, "", 2, 35, 2, 55)
    assert editor.codes(uri) == ["CKP301"]
    editor.type(uri, ", map_location='cpu'", 2, 35, 2, 35)
    editor.type(uri, "# new\n", 0, 0, 0, 0)
    editor.type(uri, "\n# end", 999, 0, 999, 0)
    assert editor.codes(uri) == []
    editor.type(uri, BAD)
    assert editor.codes(uri) == ["CKP301"]
    editor.type(uri, BAD + "def f(:\n")
    assert editor.codes(uri) == ["invalid-syntax"]
    editor.close(uri)
    editor.until_codes(uri)


@pytest.mark.parametrize("mark", ["\f", "\u2028", "\x1c", "\x85", "\v"])
def test_only_line_ends_of_the_protocol_end_a_line(editor: Editor, tmp_path: Path, mark: str) -> None:
    """`str.splitlines` ends a line at each of these; a change below would land a line too far up."""
    uri = editor.open(tmp_path / "a.py", f"import torch\n# a{mark}b\n" + BAD.partition("\n")[2])
    assert [one.range.start.line for one in editor.diagnostics(uri)] == [3]
    editor.type(uri, ", map_location='cpu'", 3, 35, 3, 35)
    assert editor.codes(uri) == []


def test_fast_typing_is_not_checked_key_by_key(editor: Editor, tmp_path: Path) -> None:
    uri = editor.open(tmp_path / "a.py", GOOD)
    editor.diagnostics(uri)
    for number in range(25):
        editor.type(uri, f"x{number} = 1\n", 0, 0, 0, 0)
        editor.rest(0.02)
    assert editor.codes(uri) == []
    assert len({version for one, version in editor.history if one == uri}) < 10


def test_characters_beyond_the_basic_plane_count_twice(editor: Editor, tmp_path: Path) -> None:
    uri = editor.open(tmp_path / "a.py", "import torch\ns = '🎯é'; x = torch.load(p, weights_only=True)\n")
    (one,) = editor.diagnostics(uri)
    assert (one.range.start.character, one.range.end.character) == (15, 47)
    editor.type(uri, "é🎯", 1, 5, 1, 8)  # the two swapped: a place in the middle of neither
    editor.type(uri, ", map_location='cpu'", 1, 46, 1, 46)
    assert editor.codes(uri) == []


def test_a_byte_order_mark_moves_nothing(editor: Editor, tmp_path: Path) -> None:
    uri = editor.open(tmp_path / "a.py", "\ufeffimport torch; x = torch.load(p, weights_only=True)\n")
    (one,) = editor.diagnostics(uri)
    assert (one.range.start.character, one.range.end.character) == (19, 51)


SAVE = """import torch

# 🎯
def save(model, optimizer):
    x = '🎯'; torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, "last.pt")
"""
RESUME = """import torch

def resume(model, optimizer):
    checkpoint = torch.load("last.pt", map_location="cpu", weights_only=True)
    model.load_state_dict(checkpoint["model"])
    optimizer.load_state_dict(checkpoint["optimiser"])
"""


def test_a_finding_names_the_other_file_as_it_is_open(editor: Editor, tmp_path: Path) -> None:
    """Nothing is saved, and yet the text that is shown of the other file is the one that counts."""
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    (tmp_path / "save.py").write_text(SAVE)
    uri = editor.open(tmp_path / "resume.py", RESUME)
    found = editor.diagnostics(uri)
    assert [one.code for one in found] == ["CKP409"] and found[0].related_information
    other = found[0].related_information[0].location
    assert other.uri == uri_of(tmp_path / "save.py")
    assert (other.range.start.line, other.range.start.character) == (4, 25)
    saver = editor.open(tmp_path / "save.py", SAVE)
    column = SAVE.splitlines()[4].index('"optimizer"') + 2  # the target counts twice
    editor.type(saver, "optimiser", 4, column, 4, column + len("optimizer"))
    editor.until_codes(uri)
    editor.type(saver, "optimizer", 4, column, 4, column + len("optimizer"))
    editor.until_codes(uri, "CKP409")
    # somebody types in the one file and then, at once, in the other: the first answer is right
    editor.type(saver, "optimiser", 4, column, 4, column + len("optimizer"))
    editor.diagnostics(saver)
    editor.type(uri, "# new\n", 0, 0, 0, 0)
    assert editor.codes(uri) == []
    editor.close(saver)
    editor.until_codes(uri, "CKP409")


def test_what_is_excluded_is_passed_by(editor: Editor, tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".gitignore").write_text("build/\n")
    (tmp_path / "ckpt-lint.toml").write_text(
        'extend-exclude = ["old"]\nper-file-ignores = {"scripts/*" = ["CKP301"]}\n'
    )
    for place, codes in (("a.py", ["CKP301"]), ("build/b.py", []), ("old/c.py", []), ("scripts/d.py", [])):
        assert editor.codes(editor.open(tmp_path / place, BAD)) == codes, place


def test_a_library_is_left_alone(editor: Editor, tmp_path: Path) -> None:
    """Somebody follows a definition into what is installed."""
    outside = tmp_path.parent / f"{tmp_path.name}-outside"
    for place, codes in (("lib/site-packages/x/a.py", []), ("lib/x/a.py", ["CKP301"])):
        assert editor.codes(editor.open(outside / place, BAD)) == codes, place


def test_a_changed_configuration_counts_at_once(editor: Editor, tmp_path: Path) -> None:
    uri = editor.open(tmp_path / "a.py", BAD)
    assert editor.codes(uri) == ["CKP301"]
    (registration,) = editor.registered
    assert registration.method == types.WORKSPACE_DID_CHANGE_WATCHED_FILES
    config = tmp_path / "pyproject.toml"
    config.write_text('[tool.ckpt-lint]\nignore = ["CKP301"]\n')
    editor.changed_on_disk(config)
    editor.until_codes(uri)
    config.write_text('[tool.ckpt-lint]\nselekt = ["CKP301"]\n')
    editor.changed_on_disk(config)
    editor.until_codes(uri, "configuration")
    assert "selekt" in editor.diagnostics(uri)[0].message
    assert [one for one in editor.messages if "selekt" in one and str(config) in one]
    config.write_text("")
    params = types.DidSaveTextDocumentParams(types.TextDocumentIdentifier(uri))
    editor.client.text_document_did_save(params)  # for editors that do not watch files
    editor.until_codes(uri, "CKP301")


def test_a_file_that_is_not_saved_yet(editor: Editor) -> None:
    editor.open_uri("untitled:Untitled-1", BAD)
    assert editor.codes("untitled:Untitled-1") == ["CKP301"]


def test_an_unused_comment_is_greyed_out(editor: Editor, tmp_path: Path) -> None:
    (tmp_path / "ckpt-lint.toml").write_text('extend-select = ["CKP901"]\n')
    (one,) = editor.diagnostics(editor.open(tmp_path / "a.py", "import torch\nx = 1  # noqa: CKP301\n"))
    assert one.code == "CKP901" and list(one.tags or ()) == [types.DiagnosticTag.Unnecessary]


def test_what_cannot_be_text_is_said(editor: Editor, tmp_path: Path) -> None:
    (tmp_path / "ckpt-lint.toml").write_text("max-file-size = 50\n")
    (one,) = editor.diagnostics(editor.open(tmp_path / "a.py", BAD + "#" * 50))
    assert one.code == "too-large" and one.severity == types.DiagnosticSeverity.Warning


def test_other_languages_are_left_alone(editor: Editor, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("")
    uri = editor.open(tmp_path / "a.txt", BAD, language="plaintext")
    editor.type(uri, BAD + "\n")
    assert editor.codes(editor.open(tmp_path / "a.py", BAD)) == ["CKP301"]
    assert uri not in editor.shown and not editor.actions(uri, 2)
