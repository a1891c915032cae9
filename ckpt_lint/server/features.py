"""The methods of the protocol that the server answers, one function each."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from lsprotocol import types
from pygls.capabilities import get_capability
from pygls.uris import to_fs_path

from ckpt_lint.server.actions import FIX_ALL, Asked
from ckpt_lint.server.documents import Buffer, Change
from ckpt_lint.server.language_server import WATCHED, Server

_PYTHON = ("python",)
_SUFFIXES = (".py", ".pyw")


def register(server: Server) -> None:
    """Tell the server what it can do."""
    actions = types.CodeActionOptions(code_action_kinds=[types.CodeActionKind.QuickFix, FIX_ALL], resolve_provider=True)
    for name, handler in (
        (types.INITIALIZE, _initialize),
        (types.INITIALIZED, _initialized),
        (types.SHUTDOWN, _shutdown),
        (types.TEXT_DOCUMENT_DID_OPEN, _did_open),
        (types.TEXT_DOCUMENT_DID_CHANGE, _did_change),
        (types.TEXT_DOCUMENT_DID_SAVE, _did_save),
        (types.TEXT_DOCUMENT_DID_CLOSE, _did_close),
        (types.NOTEBOOK_DOCUMENT_DID_OPEN, _did_open_notebook),
        (types.NOTEBOOK_DOCUMENT_DID_CHANGE, _did_change_notebook),
        (types.NOTEBOOK_DOCUMENT_DID_SAVE, _did_save),
        (types.NOTEBOOK_DOCUMENT_DID_CLOSE, _did_close_notebook),
        (types.WORKSPACE_DID_CHANGE_WATCHED_FILES, _did_change_files),
        (types.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS, _did_save),
        (types.WORKSPACE_DID_CHANGE_CONFIGURATION, _did_change_configuration),
        (types.CODE_ACTION_RESOLVE, _resolve),
        (types.TEXT_DOCUMENT_HOVER, _hover),
    ):
        server.feature(name)(handler)
    server.feature(types.TEXT_DOCUMENT_CODE_ACTION, actions)(_code_action)


def _initialize(server: Server, params: types.InitializeParams) -> None:
    server.begin(params.initialization_options)


async def _initialized(server: Server, params: types.InitializedParams) -> None:
    """Ask to be told of files that change on disk, where the editor can do that."""
    capability = "workspace.did_change_watched_files.dynamic_registration"
    if get_capability(server.client_capabilities, capability, False):
        watchers = [types.FileSystemWatcher(glob_pattern=glob) for glob in WATCHED]
        options = types.DidChangeWatchedFilesRegistrationOptions(watchers)
        method = types.WORKSPACE_DID_CHANGE_WATCHED_FILES
        await server.client_register_capability_async(
            types.RegistrationParams([types.Registration("watched-files", method, options)])
        )


def _shutdown(server: Server, params: None) -> None:
    server.finished = True


def _did_open(server: Server, params: types.DidOpenTextDocumentParams) -> None:
    item = params.text_document
    path = _path(item.uri)
    if item.language_id in _PYTHON or (path or "").endswith(_SUFFIXES):
        server.documents.open(Buffer(item.uri, item.text, item.language_id, item.version), path)
        server.opened(item.uri)


def _did_change(server: Server, params: types.DidChangeTextDocumentParams) -> None:
    document = params.text_document
    if document.uri in server.documents.texts:
        server.documents.change(document.uri, document.version, _changes(params.content_changes))
        server.touched(document.uri)


def _did_save(server: Server, params: object) -> None:
    server.refresh()


def _did_close(server: Server, params: types.DidCloseTextDocumentParams) -> None:
    uri = params.text_document.uri
    if uri in server.documents.paths:
        server.closed(uri, server.documents.close(uri))


def _did_open_notebook(server: Server, params: types.DidOpenNotebookDocumentParams) -> None:
    book = params.notebook_document
    buffers = _buffers(params.cell_text_documents)
    server.documents.open_notebook(book.uri, _path(book.uri), [cell.document for cell in book.cells], buffers)
    server.opened(book.uri)


def _did_change_notebook(server: Server, params: types.DidChangeNotebookDocumentParams) -> None:
    uri, documents = params.notebook_document.uri, server.documents
    cells = params.change.cells
    if uri not in documents.notebooks or cells is None:
        return
    if cells.structure is not None:
        _rearrange(server, uri, cells.structure)
    for change in cells.text_content or ():
        if change.document.uri in documents.texts:
            documents.change(change.document.uri, change.document.version, _changes(change.changes))
    server.touched(uri)


def _rearrange(server: Server, uri: str, structure: types.NotebookDocumentCellChangeStructure) -> None:
    documents, array = server.documents, structure.array
    for buffer in _buffers(structure.did_open or ()):
        documents.texts[buffer.uri] = buffer
    known = documents.notebooks[uri]
    new = [cell.document for cell in array.cells or ()]
    documents.arrange(uri, [*known[: array.start], *new, *known[array.start + array.delete_count :]])
    server.dropped([one.uri for one in structure.did_close or ()])


def _did_close_notebook(server: Server, params: types.DidCloseNotebookDocumentParams) -> None:
    uri = params.notebook_document.uri
    if uri in server.documents.paths:
        server.closed(uri, server.documents.close(uri))


def _did_change_files(server: Server, params: types.DidChangeWatchedFilesParams) -> None:
    """What an open file is saved as does not matter: what is shown of it counts."""
    if any(change.uri not in server.documents.paths for change in params.changes):
        server.refresh()


def _did_change_configuration(server: Server, params: types.DidChangeConfigurationParams) -> None:
    """Settings are read when the server starts; this keeps pygls from warning that nobody listens."""


async def _code_action(server: Server, params: types.CodeActionParams) -> list[types.CodeAction] | None:
    uri, context = params.text_document.uri, params.context
    key = server.documents.key_of(uri)
    if key is None:
        return None
    only = None if context.only is None else tuple(str(getattr(kind, "value", kind)) for kind in context.only)
    asked = Asked(uri, params.range, tuple(context.diagnostics), only)
    return await server.actions(key, asked)


async def _resolve(server: Server, action: types.CodeAction) -> types.CodeAction:
    if action.edit is None and isinstance(action.data, str):
        action.edit = await server.fix_all(action.data)
    return action


async def _hover(server: Server, params: types.HoverParams) -> types.Hover | None:
    return await server.hover(params.text_document.uri, params.position)


def _path(uri: str) -> str | None:
    path = to_fs_path(uri)
    return os.path.abspath(path) if path else None


def _buffers(items: Iterable[types.TextDocumentItem]) -> Iterator[Buffer]:
    return (Buffer(item.uri, item.text, item.language_id, item.version) for item in items)


def _changes(events: Iterable[types.TextDocumentContentChangeEvent]) -> Iterator[Change]:
    for event in events:
        if isinstance(event, types.TextDocumentContentChangePartial):
            start, end = event.range.start, event.range.end
            yield Change(event.text, ((start.line, start.character), (end.line, end.character)))
        else:
            yield Change(event.text)
