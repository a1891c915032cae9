"""An editor for the tests: a real client that starts the real server and speaks with it over stdin and stdout."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from lsprotocol import types
from pygls.lsp.client import LanguageClient
from pygls.uris import from_fs_path

SERVER = ("-m", "ckpt_lint", "server")
PATIENCE = 20.0
FULL: dict[str, Any] = {
    "general": {"positionEncodings": ["utf-16"]},
    "notebookDocument": {"synchronization": {}},
    "textDocument": {
        "publishDiagnostics": {"relatedInformation": True, "codeDescriptionSupport": True},
        "codeAction": {"dataSupport": True, "resolveSupport": {"properties": ["edit"]}},
    },
    "workspace": {
        "workspaceEdit": {"documentChanges": True},
        "didChangeWatchedFiles": {"dynamicRegistration": True},
        "workspaceFolders": True,
    },
}
"""What a modern editor can do."""

Answer = TypeVar("Answer")


def uri_of(path: Path) -> str:
    found = from_fs_path(str(path))
    assert found
    return found


class Editor:
    """Everything waits for what is asked for, and fails after `PATIENCE` seconds."""

    def __init__(
        self, *folders: Path, capabilities: dict[str, Any] = FULL, options: Any = None, command: Sequence[str] = SERVER
    ) -> None:
        self.loop = asyncio.new_event_loop()
        self.client = LanguageClient("tests", "1")
        self.shown: dict[str, types.PublishDiagnosticsParams] = {}
        self.history: list[tuple[str, int | None]] = []
        self.messages: list[str] = []
        self.registered: list[types.Registration] = []
        self.versions: dict[str, int] = {}
        self.client.feature(types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)(lambda params: self._publish(params))
        self.client.feature(types.WINDOW_LOG_MESSAGE)(lambda params: self.messages.append(params.message))
        self.client.feature(types.WINDOW_SHOW_MESSAGE)(lambda params: self.messages.append(params.message))
        self.client.feature(types.CLIENT_REGISTER_CAPABILITY)(
            lambda params: self.registered.extend(params.registrations)
        )
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
        self.wait(self.client.start_io(sys.executable, *command, env=environment))
        converter = self.client.protocol._converter
        self.server = self.wait(
            self.client.initialize_async(
                types.InitializeParams(
                    capabilities=converter.structure(capabilities, types.ClientCapabilities),
                    workspace_folders=[types.WorkspaceFolder(uri_of(one), one.name) for one in folders],
                    initialization_options=options,
                )
            )
        )
        self.client.initialized(types.InitializedParams())

    def _publish(self, params: types.PublishDiagnosticsParams) -> None:
        self.shown[params.uri] = params
        self.history.append((params.uri, params.version))

    def wait(self, something: Awaitable[Answer]) -> Answer:
        return self.loop.run_until_complete(asyncio.wait_for(something, PATIENCE))

    def until(self, condition: Callable[[], bool]) -> None:
        async def waited() -> None:
            while not condition():
                await asyncio.sleep(0.01)

        self.wait(waited())

    def rest(self, seconds: float) -> None:
        self.wait(asyncio.sleep(seconds))

    def open(self, path: Path, text: str, *, language: str = "python") -> str:
        """Open a document, whether or not there is such a file; its URI."""
        uri = uri_of(path)
        self.open_uri(uri, text, language=language)
        return uri

    def open_uri(self, uri: str, text: str, *, language: str = "python") -> None:
        self.versions[uri] = 1
        item = types.TextDocumentItem(uri=uri, language_id=language, version=1, text=text)
        self.client.text_document_did_open(types.DidOpenTextDocumentParams(item))

    def type(self, uri: str, text: str, *between: int) -> None:
        """Replace what is between two places (line, character, line, character), or the whole, by `text`."""
        self.versions[uri] += 1
        change: types.TextDocumentContentChangeEvent = types.TextDocumentContentChangeWholeDocument(text)
        if between:
            start, end = types.Position(*between[:2]), types.Position(*between[2:])
            change = types.TextDocumentContentChangePartial(types.Range(start, end), text)
        document = types.VersionedTextDocumentIdentifier(uri=uri, version=self.versions[uri])
        self.client.text_document_did_change(types.DidChangeTextDocumentParams(document, [change]))

    def close(self, uri: str) -> None:
        self.client.text_document_did_close(types.DidCloseTextDocumentParams(types.TextDocumentIdentifier(uri)))

    def diagnostics(self, uri: str) -> list[types.Diagnostic]:
        """What is shown for the newest version of a document."""
        self.until(lambda: uri in self.shown and self.shown[uri].version == self.versions.get(uri))
        return list(self.shown[uri].diagnostics)

    def codes(self, uri: str) -> list[str]:
        return [str(one.code) for one in self.diagnostics(uri)]

    def until_codes(self, uri: str, *codes: str) -> None:
        """Wait until just these are shown."""
        self.until(lambda: uri in self.shown and [str(one.code) for one in self.shown[uri].diagnostics] == list(codes))

    def actions(self, uri: str, line: int, *, only: Sequence[str] | None = None) -> dict[str, types.CodeAction]:
        """The code actions for a whole line, by title."""
        range = types.Range(types.Position(line, 0), types.Position(line, 1000))
        shown = self.shown[uri].diagnostics if uri in self.shown else []
        context = types.CodeActionContext(diagnostics=shown, only=only)  # type: ignore[arg-type]
        params = types.CodeActionParams(types.TextDocumentIdentifier(uri), range, context)
        found = self.wait(self.client.text_document_code_action_async(params)) or []
        return {one.title: one for one in found if isinstance(one, types.CodeAction)}

    def resolve(self, action: types.CodeAction) -> types.CodeAction:
        return self.wait(self.client.code_action_resolve_async(action))

    def hover(self, uri: str, line: int, character: int) -> str | None:
        place = types.Position(line, character)
        params = types.HoverParams(types.TextDocumentIdentifier(uri), place)
        found = self.wait(self.client.text_document_hover_async(params))
        assert found is None or isinstance(found.contents, types.MarkupContent)
        return found.contents.value if found is not None else None

    def changed_on_disk(self, path: Path) -> None:
        event = types.FileEvent(uri=uri_of(path), type=types.FileChangeType.Changed)
        self.client.workspace_did_change_watched_files(types.DidChangeWatchedFilesParams([event]))

    def add_folder(self, folder: Path) -> None:
        event = types.WorkspaceFoldersChangeEvent(
            added=[types.WorkspaceFolder(uri_of(folder), folder.name)], removed=[]
        )
        self.client.workspace_did_change_workspace_folders(types.DidChangeWorkspaceFoldersParams(event))

    def stop(self, *, politely: bool = True) -> int | None:
        """Leave the server; its exit code."""
        if politely:
            self.wait(self.client.shutdown_async(None))
        process = self.client._server
        assert process is not None
        if process.returncode is None:
            self.client.exit(None)
        self.wait(process.wait())
        self.wait(self.client.stop())
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        self.loop.close()
        return process.returncode


def applied(text: str, edits: Sequence[Any], *, encoding: str = "utf-16") -> str:
    """A text after edits, by a reading of the protocol that shares nothing with the server's."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    assert "\r" not in text
    codec = {"utf-16": "utf-16-le", "utf-8": "utf-8", "utf-32": "utf-32-le"}[encoding]
    size = {"utf-16": 2, "utf-8": 1, "utf-32": 4}[encoding]

    def offset(place: types.Position) -> int:
        line = lines[place.line].encode(codec)
        assert place.character * size <= len(line)
        return sum(len(one) + 1 for one in lines[: place.line]) + len(line[: place.character * size].decode(codec))

    for edit in sorted(edits, key=lambda one: (one.range.start.line, one.range.start.character), reverse=True):
        text = text[: offset(edit.range.start)] + edit.new_text + text[offset(edit.range.end) :]
    return text


def edits_of(action: types.CodeAction) -> dict[str, list[Any]]:
    """The edits of an action by the document that they are for."""
    assert action.edit is not None
    if action.edit.document_changes is not None:
        changes = action.edit.document_changes
        return {one.text_document.uri: list(one.edits) for one in changes if isinstance(one, types.TextDocumentEdit)}
    return {uri: list(edits) for uri, edits in (action.edit.changes or {}).items()}


def notebook(*cells: str) -> str:
    """A notebook of code cells as a file."""
    made = [{"cell_type": "code", "metadata": {}, "outputs": [], "source": cell} for cell in cells]
    return json.dumps({"cells": made, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
