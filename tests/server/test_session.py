"""How a session begins and ends, what options there are, and that nothing kills it."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from lsprotocol import types
from pygls.exceptions import JsonRpcException

from tests.cli.command import ckpt_lint
from tests.server.editor import Editor

BAD = "import torch\n\nx = torch.load(p, weights_only=True)\n"


def test_folders_options_and_the_editors_settings(tmp_path: Path) -> None:
    """Two folders, each with a configuration of its own; the editor's settings win over both."""
    for name, config in (("one", 'ignore = ["CKP301"]\n'), ("two", "test-paths = []\n")):
        (tmp_path / name / "tests").mkdir(parents=True)
        (tmp_path / name / "ckpt-lint.toml").write_text(config)
    (tmp_path / "three" / "tests").mkdir(parents=True)
    command = ("-m", "ckpt_lint", "server", "--ignore", "CKP302")
    settings = {"settings": {"extend-select": ["CKP309"], "torch-version": "2.6"}}
    editor = Editor(*(tmp_path / name for name in ("one", "two", "three")), options=settings, command=command)
    text = BAD + "y = torch.load('a.pt')\nmodel.load_state_dict(torch.load('b.pt', map_location='cpu'))\n"
    for place, codes in (
        ("one/a.py", ["CKP309"]),
        ("two/tests/a.py", ["CKP301", "CKP301", "CKP309"]),
        ("three/a.py", ["CKP301", "CKP301", "CKP309"]),
        ("three/tests/a.py", []),  # a test file of that folder, wherever the server was started
    ):
        assert editor.codes(editor.open(tmp_path / place, text)) == codes, place
    assert editor.stop() == 0


def test_wrong_settings_of_the_editor_are_said(tmp_path: Path) -> None:
    editor = Editor(tmp_path, options={"settings": {"selekt": ["CKP3"]}})
    assert editor.codes(editor.open(tmp_path / "a.py", BAD)) == ["CKP301"]
    assert [one for one in editor.messages if "selekt" in one]
    assert editor.stop(politely=False) == 1  # it leaves without a word


BROKEN = """
import sys, time
from ckpt_lint import engine
from ckpt_lint.cli import main
from ckpt_lint.server import snapshot

def broken(*arguments, **options):
    raise RuntimeError("boom")

def slow(*arguments, **options):
    time.sleep(30)

def late(*arguments, judge=engine.judge, **options):
    open(sys.argv[1], "w").close()
    time.sleep(1)
    return judge(*arguments, **options)

part = sys.argv.pop(1)
if part == "snapshot":
    snapshot.would_take = broken
else:
    engine.judge = {"engine": broken, "slow": slow, "late": late}[part]
sys.exit(main(["server"]))
"""


@pytest.mark.parametrize(("part", "codes"), [("engine", ["internal-error"]), ("snapshot", None)])
def test_an_error_of_our_own_is_logged_and_kills_nothing(tmp_path: Path, part: str, codes: list[str] | None) -> None:
    editor = Editor(tmp_path, command=("-c", BROKEN, part))
    uri = editor.open(tmp_path / "a.py", BAD)
    editor.until(lambda: any("boom" in one for one in editor.messages))
    editor.type(uri, BAD + "# noqa: CKP301\n")
    if codes is not None:
        assert editor.codes(uri) == codes
    assert editor.hover(uri, 3, 9)
    process = editor.client._server
    assert process is not None
    process.send_signal(signal.SIGINT)
    assert editor.wait(process.wait()) == 1


def test_a_long_check_keeps_nobody_waiting(tmp_path: Path) -> None:
    """What needs no check is answered, what does can be cancelled, and the server leaves when it is asked to."""
    editor = Editor(tmp_path, command=("-c", BROKEN, "slow"))
    uri = editor.open(tmp_path / "a.py", BAD + "# noqa: CKP301\n")
    assert editor.hover(uri, 3, 9)
    params = types.HoverParams(types.TextDocumentIdentifier(uri), types.Position(2, 9))

    async def ask() -> object:
        return await editor.client.protocol.send_request_async(types.TEXT_DOCUMENT_HOVER, params, msg_id="waiting")

    asked = editor.loop.create_task(ask())
    editor.until(lambda: "waiting" in editor.client.protocol._request_futures)
    editor.client.cancel_request(types.CancelParams("waiting"))
    with pytest.raises(JsonRpcException, match="cancel"):
        editor.wait(asked)
    began = time.monotonic()
    assert editor.stop() == 0 and time.monotonic() - began < 20


def test_a_change_during_a_check_is_not_lost(tmp_path: Path) -> None:
    """The configuration changes when it was read, and before the findings are there."""
    editor = Editor(tmp_path, command=("-c", BROKEN, "late", str(tmp_path / "begun")))
    uri = editor.open(tmp_path / "a.py", BAD)
    editor.until((tmp_path / "begun").exists)
    (tmp_path / "ckpt-lint.toml").write_text('ignore = ["CKP301"]\n')
    editor.changed_on_disk(tmp_path / "ckpt-lint.toml")
    assert editor.codes(uri) == []  # the first answer already
    assert editor.stop() == 0


def test_it_ends_when_the_editor_is_gone() -> None:
    done = subprocess.run([sys.executable, "-m", "ckpt_lint", "server"], input=b"", capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (1, b"", b"")


def test_without_pygls_it_says_what_to_install(tmp_path: Path) -> None:
    code = "import sys; sys.modules['pygls'] = None; from ckpt_lint.cli import main; sys.exit(main(['server']))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == "ckpt-lint: error: the server needs pygls 2: pip install 'ckpt-lint[lsp]'\n"
    assert ckpt_lint("server", "--select", "CKP999", cwd=tmp_path).code == 2
