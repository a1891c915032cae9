"""The protocol: what the editor sends, and what it is sent. Checking happens in a thread of its own, one at a time.

While somebody types, only what is typed in is checked, some moments after the last key. Once that is shown and nothing
more comes, everything that is open is checked again, since one file has a say in what is found in another.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import sys
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from lsprotocol import types
from pygls.capabilities import get_capability
from pygls.lsp.server import LanguageServer
from pygls.uris import to_fs_path

import ckpt_lint
from ckpt_lint.config import ConfigError, Configs, Layer
from ckpt_lint.config.options import check_options
from ckpt_lint.server.actions import FIX_ALL, FIX_ALL_TITLE, Asked, fix_all, has_safe_fix, quick_fixes
from ckpt_lint.server.diagnostics import Wanted, diagnostics, fatal
from ckpt_lint.server.documents import Documents, Subject
from ckpt_lint.server.hover import hover_of_comment, hover_of_finding
from ckpt_lint.server.snapshot import Checked, Snapshot

PATIENCE = 0.1
LONGEST = 0.5
"""Seconds after a key in which no other may come: the more, the longer checking takes."""

REST = 0.6
"""Seconds without a change after which all that is open is checked again."""

WATCHED = ("**/*.{py,toml,cfg,txt,yml,yaml,lock}", "**/.gitignore")
_NOTEBOOKS = types.NotebookDocumentSyncOptions(
    notebook_selector=[
        types.NotebookDocumentFilterWithNotebook(
            notebook="jupyter-notebook", cells=[types.NotebookCellLanguage(language="python")]
        )
    ],
    save=True,
)

Result = TypeVar("Result")
Work = Callable[[], Coroutine[Any, Any, None]]


_DOCUMENTS = (
    types.TEXT_DOCUMENT_DID_OPEN,
    types.TEXT_DOCUMENT_DID_CHANGE,
    types.TEXT_DOCUMENT_DID_CLOSE,
    types.NOTEBOOK_DOCUMENT_DID_OPEN,
    types.NOTEBOOK_DOCUMENT_DID_CHANGE,
    types.NOTEBOOK_DOCUMENT_DID_CLOSE,
)
"""What pygls would keep documents by: see `ckpt_lint.server.documents`."""


class Server(LanguageServer):
    """One editor's session. Everything here runs in the loop's thread, but for what `_aside` is given."""

    def __init__(self, configs: Configs, *, cache: str | None) -> None:
        super().__init__("ckpt-lint", ckpt_lint.__version__, notebook_document_sync=_NOTEBOOKS)
        for name in _DOCUMENTS:
            self.protocol.fm.builtin_features.pop(name, None)
        self.configs, self.cache = configs, cache
        self.documents = Documents()
        self.finished = False
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="check")
        self._snapshot: Snapshot | None = None
        self._stale: set[str] = set()
        self._results: dict[str, Checked] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._shown: dict[str, tuple[int | None, list[types.Diagnostic]]] = {}
        self._said: set[str] = set()
        self._patience = PATIENCE

    # -- what the editor can do ---------------------------------------------------------------------------------------

    @property
    def wanted(self) -> Wanted:
        """How the editor wants diagnostics."""
        about = "text_document.publish_diagnostics"
        return Wanted(
            encoding=self.documents.encoding,
            related=bool(self._can(f"{about}.related_information")),
            urls=bool(self._can(f"{about}.code_description_support")),
        )

    @property
    def versions(self) -> bool:
        """Whether edits may name the version that they are for."""
        return bool(self._can("workspace.workspace_edit.document_changes"))

    @property
    def resolves(self) -> bool:
        """Whether the edit of a code action may come when it is chosen."""
        known = self._can("text_document.code_action.resolve_support.properties") or ()
        return "edit" in known

    def _can(self, capability: str) -> Any:
        return get_capability(self.client_capabilities, capability, None)

    # -- changes ------------------------------------------------------------------------------------------------------

    def begin(self, options: Any) -> None:
        """Take the editor's settings: the keys of a configuration file, which win over those of the project."""
        encoding = self.workspace.position_encoding
        self.documents.encoding = str(getattr(encoding, "value", encoding) or "utf-16")
        settings = options.get("settings") if isinstance(options, dict) else None
        if isinstance(settings, dict) and settings:
            try:
                check_options(settings, "the editor's settings")
            except ConfigError as error:
                self.say(str(error))
                return
            layer = Layer("the editor's settings", os.getcwd(), settings)
            self.configs = Configs(
                self.configs.rules,
                [*self.configs.overrides, layer],
                self.configs.config,
                self.configs.isolated,
            )

    def touched(self, key: str) -> None:
        """A document has changed: check it soon."""
        self._stale.add(key)
        self._later(key, self._patience, functools.partial(self._check_and_show, key))

    def opened(self, key: str) -> None:
        """A document is new, and so may be what lies on disk."""
        self._snapshot = None
        self._results.clear()
        self._later(key, 0, functools.partial(self._check_and_show, key))

    def dropped(self, gone: Sequence[str]) -> None:
        """Texts are open no more: nothing is shown in them."""
        for uri in gone:
            self.documents.texts.pop(uri, None)
            self._show(uri, None, [])
            self._shown.pop(uri, None)

    def closed(self, key: str, gone: Sequence[str]) -> None:
        """A document is open no more: what lies on disk counts again."""
        self._results.pop(key, None)
        self._cancel(key)
        self.dropped(gone)
        self.refresh()

    def refresh(self) -> None:
        """Something else has changed: check all that is open anew."""
        self._snapshot = None
        self._results.clear()
        self._later("", self._patience, self._settle)

    # -- checking -----------------------------------------------------------------------------------------------------

    async def checked(self, key: str) -> Checked | None:
        """What is found in a document as it is now; None where it is open no more."""
        while (subject := self.documents.subject(key)) is not None:
            known = self._results.get(key)
            if known is not None and known.subject is subject:
                return known
            snapshot = self._current(key)
            found = await self._aside(self._check, subject, snapshot)
            if found is not None and self._snapshot is snapshot:  # else something has changed meanwhile
                self._results[key] = found
                self._report(found)
        return None

    def _check(self, subject: Subject, snapshot: Snapshot) -> Checked | None:
        """In the other thread. A text that has changed since somebody asked is not checked any more."""
        return snapshot.check(subject) if self.documents.is_current(subject) else None

    def _current(self, key: str) -> Snapshot:
        """The files as they are now, or as they were before somebody began to type in the document `key`."""
        if self._snapshot is None or self._stale - {key}:
            paths = (to_fs_path(uri) for uri in self._folder_uris())
            folders = [os.path.abspath(path) for path in paths if path]
            self._snapshot = Snapshot(self.configs, self.documents.overlay(), folders, cache=self.cache)
            self._stale.clear()
        return self._snapshot

    def _folder_uris(self) -> list[str]:
        folders = [folder.uri for folder in self.workspace.folders.values()]
        return folders or [uri for uri in (self.workspace.root_uri,) if uri]

    async def _aside(self, work: Callable[..., Result], *arguments: Any) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)

    async def _check_and_show(self, key: str) -> None:
        began = asyncio.get_running_loop().time()
        checked = await self.checked(key)
        if checked is not None:
            await self._publish(checked)
            self._patience = min(max(PATIENCE, asyncio.get_running_loop().time() - began), LONGEST)
            self._later("", REST, self._settle)

    async def _settle(self) -> None:
        """Check all that is open against all that is open."""
        if self._stale:
            self._snapshot = None
            self._results.clear()
        for subject in list(self.documents.subjects()):
            checked = await self.checked(subject.uri)
            if checked is not None:
                await self._publish(checked)

    async def _publish(self, checked: Checked) -> None:
        snapshot = self._current(checked.subject.uri)
        found = await self._aside(diagnostics, checked, self.wanted, snapshot.read)
        if self.documents.subject(checked.subject.uri) is checked.subject:
            versions = {buffer.uri: buffer.version for _, buffer in checked.subject.buffers}
            for uri, several in found.items():
                self._show(uri, versions[uri], several)

    def _show(self, uri: str, version: int | None, found: list[types.Diagnostic]) -> None:
        if self._shown.get(uri) != (version, found):
            self._shown[uri] = (version, found)
            self.text_document_publish_diagnostics(types.PublishDiagnosticsParams(uri, found, version))

    # -- what is asked ------------------------------------------------------------------------------------------------

    async def actions(self, key: str, asked: Asked) -> list[types.CodeAction]:
        """What can be done at a place of a document."""
        checked = await self.checked(key)
        if checked is None:
            return []
        found = await self._aside(lambda: quick_fixes(checked, asked, self.wanted, versions=self.versions))
        if asked.wants(FIX_ALL) and has_safe_fix(checked):
            action = types.CodeAction(FIX_ALL_TITLE, FIX_ALL, data=key)
            if not self.resolves:
                action.edit = await self.fix_all(key)
            found.append(action)
        return found

    async def fix_all(self, key: str) -> types.WorkspaceEdit | None:
        """The edits that apply all safe fixes of a document."""
        subject = self.documents.subject(key)
        if subject is None:
            return None
        snapshot = self._current(key)
        return await self._aside(lambda: fix_all(snapshot.fix(subject), self.wanted, versions=self.versions))

    async def hover(self, uri: str, position: types.Position) -> types.Hover | None:
        """The page of what is under the pointer."""
        key, buffer = self.documents.key_of(uri), self.documents.texts.get(uri)
        if key is None or buffer is None:
            return None
        found = hover_of_comment(buffer, position, self.wanted)
        checked = None if found else await self.checked(key)
        return hover_of_finding(checked, uri, position, self.wanted) if checked is not None else found

    # -- tasks, and what goes wrong -----------------------------------------------------------------------------------

    def _later(self, name: str, delay: float, work: Work) -> None:
        """Do something after a while, unless the same is asked for again before that."""
        self._cancel("")
        self._cancel(name)
        task = asyncio.get_running_loop().create_task(_after(delay, work))
        self._tasks[name] = task
        task.add_done_callback(self._done)

    def _cancel(self, name: str) -> None:
        task = self._tasks.pop(name, None)
        if task is not None and task is not asyncio.current_task():
            task.cancel()

    def _done(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self.report_server_error(error, type(error))

    def _report(self, checked: Checked) -> None:
        """What a person has to know besides the diagnostics, once."""
        if checked.error is not None:
            self.say(checked.error)
        outcome = checked.result.outcome
        for line in fatal(outcome.problems):
            self.window_log_message(types.LogMessageParams(types.MessageType.Error, f"{outcome.path}: {line}"))
        for note in outcome.notes:
            if note not in self._said:
                self._said.add(note)
                self.window_log_message(types.LogMessageParams(types.MessageType.Info, note))

    def say(self, text: str) -> None:
        """Show an error, once."""
        if text not in self._said:
            self._said.add(text)
            self.window_show_message(types.ShowMessageParams(types.MessageType.Error, f"ckpt-lint: {text}"))

    def report_server_error(self, error: BaseException, source: Any) -> None:
        """pygls would show it in a window, each time."""
        text = f"internal error, please report it: {type(error).__name__}: {error}"
        self.window_log_message(types.LogMessageParams(types.MessageType.Error, text))

    def shutdown(self) -> None:
        """pygls would wait for the thread that reads stdin, which may wait for ever."""
        self._thread.shutdown(wait=False, cancel_futures=True)
        self.thread_pool.shutdown(wait=False, cancel_futures=True)


async def _after(delay: float, work: Work) -> None:
    await asyncio.sleep(delay)
    await work()


def serve(configs: Configs, *, cache: str | None) -> int:
    """Speak with an editor until it is done; 0, or 1 where it left without a word. Nothing else may write to stdout."""
    from ckpt_lint.server.features import register

    server = Server(configs, cache=cache)
    register(server)
    stream = sys.stdout.buffer
    with contextlib.redirect_stdout(sys.stderr):
        server.start_io(sys.stdin.buffer, stream)
    return 0 if server.finished else 1
