"""`check` and `inspect` on URLs, against servers on loopback: only the ranges that are needed cross the wire."""

from __future__ import annotations

import argparse
import http.server
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.artifact.test_remote import Server
from tests.cli.command import ckpt_lint

LARGE = 4_000_000


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    (tmp_path / "served").mkdir()
    saved = {"w": torch.ones(LARGE // 4), "args": argparse.Namespace(lr=0.1)}
    torch.save(saved, tmp_path / "served" / "model.pt")
    running = Server(tmp_path / "served")
    threading.Thread(target=running.serve_forever, daemon=True).start()
    yield running
    running.shutdown()
    running.server_close()


def test_check_over_http(server: Server, tmp_path: Path) -> None:
    url = f"{server.url}/model.pt"
    ran = ckpt_lint("check", "--output-format", "concise", url, cwd=tmp_path)
    assert ran.code == 1 and ran.out.startswith(f"{url}:1:1: CKP110 it holds a namespace"), ran
    assert server.sent < LARGE // 10 and server.requests <= 6


def test_inspect_over_http(server: Server, tmp_path: Path) -> None:
    ran = ckpt_lint("inspect", f"{server.url}/model.pt", cwd=tmp_path)
    assert ran.code == 0 and "float32 [1000000]" in ran.out and "argparse.Namespace" in ran.out
    assert server.sent < LARGE // 10


def test_deep_over_http(server: Server, tmp_path: Path) -> None:
    broken = torch.ones(LARGE // 4)
    broken[17] = float("nan")
    torch.save({"w": broken}, server.folder / "nan.pt")
    data = bytearray((server.folder / "model.pt").read_bytes())
    data[data.index(b"\x00\x00\x80?" * 64) + 100] ^= 1
    (server.folder / "flipped.pt").write_bytes(bytes(data))
    for name, code in {"nan.pt": "CKP504", "flipped.pt": "CKP502"}.items():
        url = f"{server.url}/{name}"
        shallow = ckpt_lint("check", "--select", code, "--output-format", "concise", "-q", url, cwd=tmp_path)
        assert (shallow.code, shallow.out) == (0, ""), shallow
        deep = ckpt_lint("check", "--select", code, "--deep", "--output-format", "concise", "-q", url, cwd=tmp_path)
        assert deep.code == 1 and deep.out.startswith(f"{url}:1:1: {code} "), deep
        assert code in ckpt_lint("inspect", "--deep", url, cwd=tmp_path).out


def test_what_is_not_there(server: Server, tmp_path: Path) -> None:
    url = f"{server.url}/none.pt"
    ran = ckpt_lint("check", "--output-format", "concise", "-q", url, cwd=tmp_path)
    assert (ran.code, ran.out) == (3, f"{url}: unreadable: there is no such file\n")
    ran = ckpt_lint("inspect", url, cwd=tmp_path)
    assert (ran.code, ran.err) == (3, f"ckpt-lint inspect: {url}: there is no such file\n")


class Refusing(http.server.BaseHTTPRequestHandler):
    """Answers with the number in the path, or hangs up."""

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        if self.path == "/hang-up/model.pt":
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
            return
        self.send_response(int(self.path.split("/")[1]))
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_HEAD = do_GET


def test_servers_that_refuse(tmp_path: Path) -> None:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        for path, reason in {
            "403": "the server answers 403",
            "500": "the server answers 500",
            "410": "there is no such file",
            "hang-up": "it cannot be reached: ",
        }.items():
            url = f"http://127.0.0.1:{server.server_address[1]}/{path}/model.pt"
            ran = ckpt_lint("check", "-q", "--output-format", "concise", url, cwd=tmp_path)
            assert ran.code == 3 and not ran.err and ran.out.startswith(f"{url}: unreadable: {reason}"), ran
            assert ran.out.count("\n") == 1
    finally:
        server.shutdown()
        server.server_close()


def test_check_in_an_object_store(server: Server, tmp_path: Path) -> None:
    s3fs = pytest.importorskip("s3fs", reason="the test extra: s3fs speaks to object stores")
    moto = pytest.importorskip("moto.server", reason="the test extra: moto is the object store")
    store = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    store.start()
    try:
        host, port = store.get_host_and_port()
        environment = {
            "AWS_ENDPOINT_URL": f"http://{host}:{port}", "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing", "AWS_DEFAULT_REGION": "us-east-1",
        }  # fmt: skip
        system = s3fs.S3FileSystem(
            endpoint_url=environment["AWS_ENDPOINT_URL"], key="testing", secret="testing", skip_instance_cache=True
        )
        system.mkdir("checked")
        system.put(str(server.folder / "model.pt"), "checked/model.pt")
        ran = ckpt_lint(
            "check", "-q", "--output-format", "concise", "s3://checked/model.pt", cwd=tmp_path, env=environment
        )
        assert ran.code == 1 and ran.out.startswith("s3://checked/model.pt:1:1: CKP110 "), ran
        ran = ckpt_lint(
            "check", "-q", "--output-format", "concise", "s3://checked/none.pt", cwd=tmp_path, env=environment
        )
        assert ran.code == 3 and ran.out.count("\n") == 1, ran
        bare = {
            **environment,
            "AWS_ACCESS_KEY_ID": "",
            "AWS_SECRET_ACCESS_KEY": "",
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        ran = ckpt_lint("check", "-q", "--output-format", "concise", "s3://checked/model.pt", cwd=tmp_path, env=bare)
        assert ran.code == 3 and "credentials" in ran.out and ran.out.count("\n") == 1, ran
    finally:
        store.stop()
