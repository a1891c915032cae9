"""Notebooks: a finding stands in its cell, and a fix edits the cell."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from lsprotocol import types

from tests.server.editor import Editor, applied, edits_of, uri_of

LOAD = "x = '🎯'; model.load_state_dict(torch.load(p, weights_only=True))"


class Book:
    """An open notebook; a cell that is no code has no text."""

    def __init__(self, editor: Editor, path: Path, *cells: str | None) -> None:
        self.editor, self.path, self.uri, self.version = editor, path, uri_of(path), 1
        kinds = [types.NotebookCellKind.Markup if cell is None else types.NotebookCellKind.Code for cell in cells]
        self.cells = [types.NotebookCell(kind, self.cell(number)) for number, kind in enumerate(kinds)]
        book = types.NotebookDocument(self.uri, "jupyter-notebook", 1, self.cells)
        items = [self.item(number, cell) for number, cell in enumerate(cells) if cell is not None]
        editor.client.notebook_document_did_open(types.DidOpenNotebookDocumentParams(book, items))

    def cell(self, number: int) -> str:
        return f"vscode-notebook-cell:{self.path}#W{number}"

    def item(self, number: int, text: str) -> types.TextDocumentItem:
        self.editor.versions[self.cell(number)] = 1
        return types.TextDocumentItem(self.cell(number), "python", 1, text)

    def change(self, change: types.NotebookDocumentCellChanges) -> None:
        self.version += 1
        identifier = types.VersionedNotebookDocumentIdentifier(self.version, self.uri)
        params = types.DidChangeNotebookDocumentParams(identifier, types.NotebookDocumentChangeEvent(cells=change))
        self.editor.client.notebook_document_did_change(params)

    def type(self, number: int, text: str, *between: int) -> None:
        uri = self.cell(number)
        self.editor.versions[uri] += 1
        document = types.VersionedTextDocumentIdentifier(uri=uri, version=self.editor.versions[uri])
        range = types.Range(types.Position(*between[:2]), types.Position(*between[2:]))
        content = types.NotebookDocumentCellContentChanges(
            document, [types.TextDocumentContentChangePartial(range, text)]
        )
        self.change(types.NotebookDocumentCellChanges(text_content=[content]))

    def close(self) -> None:
        open_cells = [one for one in self.editor.versions if one.startswith("vscode-notebook-cell")]
        documents = [types.TextDocumentIdentifier(one) for one in open_cells]
        params = types.DidCloseNotebookDocumentParams(types.NotebookDocumentIdentifier(self.uri), documents)
        self.editor.client.notebook_document_did_close(params)


@pytest.fixture
def book(editor: Editor, tmp_path: Path) -> Iterator[Book]:
    made = Book(editor, tmp_path / "a.ipynb", None, "import torch\n%pip install torch", "y = 1", LOAD)
    yield made
    made.close()
    for number in (1, 2, 3):
        editor.until_codes(made.cell(number))


def test_findings_stand_in_their_cells(editor: Editor, book: Book) -> None:
    (one,) = editor.diagnostics(book.cell(3))
    assert one.code == "CKP301" and one.range.start == types.Position(0, 32)
    assert editor.codes(book.cell(1)) == [] and editor.codes(book.cell(2)) == []
    hover = editor.hover(book.cell(3), 0, 40)
    assert hover and "CKP301" in hover and editor.hover(book.cell(2), 0, 0) is None


def test_fixes_edit_the_cell(editor: Editor, book: Book) -> None:
    editor.diagnostics(book.cell(3))
    fix, silence, every = editor.actions(book.cell(3), 0).values()
    fixed = LOAD.replace("weights_only=True", 'weights_only=True, map_location="cpu"')
    for action, text in ((fix, fixed), (silence, LOAD + "  # noqa: CKP301"), (editor.resolve(every), fixed)):
        ((uri, edits),) = edits_of(action).items()
        assert uri == book.cell(3) and applied(LOAD, edits) == text
    assert list(editor.actions(book.cell(2), 0)) == ["Fix all safe ckpt-lint problems"]


def test_typing_in_a_cell(editor: Editor, book: Book) -> None:
    editor.diagnostics(book.cell(3))
    place = LOAD.index(", weights_only") + 1
    book.type(3, ", map_location='cpu'", 0, place, 0, place)
    editor.until_codes(book.cell(3))
    book.type(2, "def f(:\n", 0, 0, 0, 0)
    editor.until_codes(book.cell(2), "invalid-syntax")


def test_the_order_of_cells_counts(editor: Editor, tmp_path: Path) -> None:
    """An optimizer is restored before its model is moved, and after it once the two cells have changed places."""
    restore = "c = torch.load(p, map_location='cpu', weights_only=True)\noptimizer.load_state_dict(c['optimizer'])"
    begin = "import torch\nmodel = torch.nn.Linear(1, 1)\noptimizer = torch.optim.Adam(model.parameters())"
    made = Book(editor, tmp_path / "b.ipynb", begin, restore, "model.to('cuda')")
    assert editor.codes(made.cell(1)) == ["CKP407"]
    array = types.NotebookCellArrayChange(start=1, delete_count=2, cells=[made.cells[2], made.cells[1]])
    made.change(types.NotebookDocumentCellChanges(structure=types.NotebookDocumentCellChangeStructure(array)))
    editor.until_codes(made.cell(1))
    made.close()


def test_cells_come_and_go(editor: Editor, book: Book) -> None:
    editor.diagnostics(book.cell(3))
    new = types.NotebookCell(types.NotebookCellKind.Code, book.cell(9))
    array = types.NotebookCellArrayChange(start=2, delete_count=0, cells=[new])
    structure = types.NotebookDocumentCellChangeStructure(array, did_open=[book.item(9, "torch.load(q)")])
    book.change(types.NotebookDocumentCellChanges(structure=structure))
    assert editor.codes(book.cell(9)) == ["CKP301", "CKP302"]
    assert editor.codes(book.cell(3)) == ["CKP301"]
    array = types.NotebookCellArrayChange(start=4, delete_count=1)
    gone = [types.TextDocumentIdentifier(book.cell(3))]
    structure = types.NotebookDocumentCellChangeStructure(array, did_close=gone)
    book.change(types.NotebookDocumentCellChanges(structure=structure))
    editor.until_codes(book.cell(3))
    assert editor.codes(book.cell(9)) == ["CKP301", "CKP302"]
