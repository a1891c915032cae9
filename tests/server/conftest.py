"""One server for most tests: what belongs to one of them lies in a folder of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server.editor import Editor


@pytest.fixture(scope="session")
def session() -> Iterator[Editor]:
    editor = Editor()
    yield editor
    assert editor.stop() == 0


@pytest.fixture
def editor(session: Editor, tmp_path: Path) -> Iterator[Editor]:
    """The editor, with the test's folder in its workspace; what the test has opened is closed afterwards."""
    session.add_folder(tmp_path)
    before = set(session.versions)
    yield session
    for uri in set(session.versions) - before:
        session.close(uri)
        del session.versions[uri]
