"""Checkpoints over HTTP, from a real server on loopback that counts what it sends."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from ckpt_lint.artifact import read_artifact
from ckpt_lint.artifact.remote import RemoteError, is_remote, read_remote

pytest.importorskip("aiohttp", reason="the remote extra: fsspec reads HTTP through aiohttp")


class Server(http.server.ThreadingHTTPServer):
    """Serves `folder`, with or without ranges; `sent` counts body bytes and `requests` the GETs."""

    def __init__(self, folder: Path, *, ranges: bool = True) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.folder, self.ranges = folder, ranges
        self.sent = self.requests = 0
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self.server.requests += 1
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        path = self.server.folder / self.path.lstrip("/")
        if not path.is_file():
            self.send_response(404)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        data = path.read_bytes()
        wanted = self.headers.get("Range") if self.server.ranges else None
        if wanted:
            first, last = wanted.removeprefix("bytes=").split("-")
            start, end = int(first), min(int(last or len(data) - 1), len(data) - 1)
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{end}/{len(data)}")
            data = data[start : end + 1]
        else:
            self.send_response(200)
        if self.server.ranges:
            self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if body:
            self.server.sent += len(data)
            self.wfile.write(data)


@pytest.fixture(params=[True])
def server(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Server]:
    running = Server(tmp_path, ranges=request.param)
    thread = threading.Thread(target=running.serve_forever, daemon=True)
    thread.start()
    yield running
    running.shutdown()
    running.server_close()
    thread.join()


def large(path: Path) -> None:
    torch.save({f"layer{number}": torch.ones(250, 1000) for number in range(40)}, path)


def test_only_the_header_is_fetched(server: Server, tmp_path: Path) -> None:
    large(tmp_path / "model.pt")
    facts = read_remote(f"{server.url}/model.pt")
    local = read_artifact(tmp_path / "model.pt")
    assert facts.tensors == local.tensors
    assert facts.verdict.loads is True
    assert facts.size > 40_000_000
    assert server.sent < facts.size // 100
    assert server.requests <= 6


def test_a_legacy_file_is_read_by_its_front(server: Server, tmp_path: Path) -> None:
    torch.save({"w": torch.ones(1000, 1000)}, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    facts = read_remote(f"{server.url}/old.pt")
    assert facts.tensors[0].shape == (1000, 1000)
    assert server.sent < facts.size // 2


def test_safetensors(server: Server, tmp_path: Path) -> None:
    from safetensors.torch import save_file

    save_file({"w": torch.ones(500, 1000)}, tmp_path / "w.safetensors")
    facts = read_remote(f"{server.url}/w.safetensors")
    assert facts.kind == "safetensors"
    assert facts.tensors[0].shape == (500, 1000)
    assert server.sent < 200_000


def test_what_is_not_there(server: Server) -> None:
    with pytest.raises(RemoteError, match="no such file"):
        read_remote(f"{server.url}/none.pt")


@pytest.mark.parametrize("server", [False], indirect=True)
def test_a_server_without_ranges(server: Server, tmp_path: Path) -> None:
    large(tmp_path / "model.pt")
    with pytest.raises(RemoteError, match="range"):
        read_remote(f"{server.url}/model.pt")


def test_nobody_answers() -> None:
    with pytest.raises(RemoteError):
        read_remote("http://127.0.0.1:9/model.pt")


def test_an_unknown_scheme() -> None:
    with pytest.raises(RemoteError):
        read_remote("nothing://bucket/model.pt")


def test_urls_are_told_from_paths() -> None:
    assert is_remote("s3://bucket/a.pt")
    assert is_remote("https://host/a.pt")
    assert not is_remote("C:\\models\\a.pt")
    assert not is_remote("runs/a.pt")


def test_an_object_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An S3-compatible server on loopback."""
    pytest.importorskip("s3fs")
    server_of = pytest.importorskip("moto.server")
    import s3fs

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    running = server_of.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    running.start()
    try:
        host, port = running.get_host_and_port()
        endpoint = f"http://{host}:{port}"
        large(tmp_path / "model.pt")
        system = s3fs.S3FileSystem(endpoint_url=endpoint, skip_instance_cache=True)
        system.mkdir("bucket")
        system.put(str(tmp_path / "model.pt"), "bucket/model.pt")
        facts = read_remote("s3://bucket/model.pt", endpoint_url=endpoint)
        assert len(facts.tensors) == 40
        assert facts.bytes_read < facts.size // 100
        assert facts.reads <= 6
    finally:
        running.stop()
