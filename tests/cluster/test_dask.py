"""A real Dask cluster of two processes on loopback, and an object store: the rows are those of this process."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import dask
import pytest
from distributed import Client, LocalCluster

from ckpt_lint.cluster import EngineError, Item, Run, Unit, engine_of, job_of
from ckpt_lint.config import Configs
from ckpt_lint.discover import Target
from ckpt_lint.rules import ALL
from tests.cluster.samples import ROOT, Assassin, check, interrupted, make_samples, started, with_rows

STORE = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_DEFAULT_REGION": "us-east-1"}
PATHS = ("--checkpoints", "code", "checkpoints")


@pytest.fixture(scope="module")
def store() -> Iterator[None]:
    """An object store on loopback, which this process and those that it starts know of."""
    server_of = pytest.importorskip("moto.server", reason="the test extra: moto is the object store")
    running = server_of.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    running.start()
    host, port = running.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**STORE, "AWS_ENDPOINT_URL": f"http://{host}:{port}"}.items():
            patch.setenv(name, value)
        yield
    running.stop()


@pytest.fixture(scope="module")
def cluster(store: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCluster]:
    """Two worker processes that stand in another folder; one death is enough for Dask to give a task back to us."""
    before = Path.cwd()
    os.chdir(tmp_path_factory.mktemp("elsewhere"))
    try:
        with (
            dask.config.set({"distributed.scheduler.allowed-failures": 0}),
            LocalCluster(n_workers=2, threads_per_worker=2, dashboard_address=None, silence_logs=50) as running,
        ):
            os.chdir(before)
            yield running
    finally:
        os.chdir(before)


@pytest.fixture
def engine(cluster: LocalCluster) -> str:
    """The cluster's name for `--engine`, once the workers are back that an earlier test has killed."""
    with Client(cluster) as client:
        client.wait_for_workers(2, timeout=60)
    return str(cluster.scheduler_address).replace("tcp://", "dask://")


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("organisation")
    make_samples(folder, files=100, checkpoints=110)
    ran = check(folder, "--engine", "local", *PATHS, "-o", "local.jsonl")
    assert ran.code == 3 and ran.err.startswith("210 files: "), ran
    return folder


def test_a_worker_that_is_killed_changes_nothing(
    cluster: LocalCluster, engine: str, samples: Path, tmp_path: Path
) -> None:
    out = tmp_path / "rows.jsonl"
    with Client(cluster) as client:
        victim = min(client.run(os.getpid).values())
    running = started("--engine", engine, *PATHS, "-o", str(out), cwd=samples)
    with_rows(tmp_path / "rows.jsonl.partial", running)
    os.kill(victim, signal.SIGKILL)
    said = running.communicate()[1]
    assert running.returncode == 3 and out.read_bytes() == (samples / "local.jsonl").read_bytes(), said


def test_a_client_that_is_killed_goes_on(engine: str, samples: Path, tmp_path: Path) -> None:
    out = tmp_path / "rows.jsonl"
    interrupted("--engine", engine, *PATHS, cwd=samples, out=out)
    ran = check(samples, "--engine", engine, *PATHS, "-o", str(out), "--resume")
    assert ran.code == 3 and " of them before: " in ran.err, ran
    assert out.read_bytes() == (samples / "local.jsonl").read_bytes()


def test_a_bucket(store: None, engine: str, samples: Path, tmp_path: Path) -> None:
    s3fs = pytest.importorskip("s3fs", reason="the test extra: s3fs speaks to object stores")
    system = s3fs.S3FileSystem(endpoint_url=os.environ["AWS_ENDPOINT_URL"], skip_instance_cache=True)
    system.mkdir("weights")
    files = sorted((samples / "checkpoints").rglob("*.pt"))[:12]
    for number, path in enumerate(files):
        system.put(str(path), f"weights/runs/{number % 2}/{path.name}")
    system.pipe("weights/runs/0/notes.txt", b"no checkpoint")
    system.pipe("weights/other/x.pt", b"not below the prefix")
    bucket = ("--checkpoints", "s3://weights/runs")
    ran = check(tmp_path, "--engine", engine, *bucket, "-o", "dask.jsonl")
    assert ran.err.startswith("12 files: "), ran
    assert check(tmp_path, "--engine", "local", *bucket, "-o", "local.jsonl").code == ran.code
    assert (tmp_path / "dask.jsonl").read_bytes() == (tmp_path / "local.jsonl").read_bytes()
    about = [json.loads(line) for line in (tmp_path / "dask.jsonl").read_text().splitlines() if '"kind":"file"' in line]
    assert [row["filename"] for row in about] == sorted(row["filename"] for row in about)
    assert all(row["digest"].startswith("etag:") and row["size"] is not None and row["mtime_ns"] for row in about)
    plain = check(tmp_path, "--output-format", "json-lines", *bucket).out.splitlines()
    named = {row["filename"] for row in about if row["outcome"] != "clean"}
    assert {json.loads(line)["filename"] for line in plain} == named and named
    ran = check(tmp_path, "--engine", engine, "s3://weights/runs")
    assert ran.code == 2 and "s3://weights/runs is a folder: --checkpoints takes its checkpoint files" in ran.err
    ran = check(tmp_path, "--engine", engine, "-q", "--checkpoints", "s3://nowhere/runs", "s3://weights/runs/none.pt")
    assert ran.code == 3 and ran.out.count('"outcome":"unchecked"') == 2 and not ran.err, ran


def test_nobody_there(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        name = f"dask://127.0.0.1:{free.getsockname()[1]}"
    code = "import ckpt_lint.cluster.dask_engine as d; d.CONNECT_SECONDS = 1; from ckpt_lint.cli import main; "
    done = subprocess.run(
        [sys.executable, "-c", f"{code} raise SystemExit(main(['check', '--engine', '{name}', '-o', 'x.jsonl']))"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2 and done.stderr.startswith(
        f"ckpt-lint: error: --engine {name}: no Dask scheduler answers"
    )
    assert done.stderr.count("\n") == 1 and not done.stdout and not list(tmp_path.iterdir())


def test_other_versions(cluster: LocalCluster, engine: str, tmp_path: Path) -> None:
    with Client(cluster) as client:
        client.run(_set_version, "0.0.7")
        ran = check(tmp_path, "--engine", engine, ".")
        client.run(_set_version, None)
        assert ran.code == 2 and "workers have another ckpt-lint than this client (" in ran.err and "(0.0.7)" in ran.err
        client.run(_hide)
        ran = check(tmp_path, "--engine", engine, ".")
        client.run(_show)
        assert ran.code == 2 and "ckpt-lint is not installed on tcp://" in ran.err and ran.err.count("\n") == 1, ran


@pytest.mark.skipif(not hasattr(os, "mkfifo") or not Path("/proc").is_dir(), reason="needs FIFOs and /proc")
def test_a_file_that_workers_die_over(engine: str, samples: Path, tmp_path: Path) -> None:
    assassin = Assassin(tmp_path / "poison.py")
    good = sorted((samples / "code").glob("*/**/*.py"))[:10]
    paths = [*good[:5], assassin.path, *good[5:]]
    job = job_of(Configs(ALL, working_folder=str(samples)), deep=False, cache=None)
    running = engine_of(engine)
    found: list[str] = []

    def work() -> None:
        made = [Unit(tuple(Item(Target(str(path))) for path in paths), code=True)]
        found.extend(line for of in Run(made, job, running) for one in of for line in one.lines)

    thread = threading.Thread(target=work)
    thread.start()
    while thread.is_alive():
        assassin.strike()
        time.sleep(0.002)
    running.close()
    about = {row["filename"]: row for row in map(json.loads, found) if row["kind"] == "file"}
    assert list(about) == [str(path) for path in paths]
    assert len(assassin.killed) == 5
    lost = about.pop(str(assassin.path))["problems"][0]
    assert lost["message"] == "given up after 2 tries alone: the process that checked this file died"
    local = map(json.loads, (samples / "local.jsonl").read_text().splitlines())
    assert about == {row["filename"]: row for row in local if row.get("filename") in about and row["kind"] == "file"}


def _spawn(name: str, *arguments: str, cwd: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", f"distributed.cli.dask_{name}", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, cwd=cwd, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="a FIFO keeps a worker busy")
def test_a_scheduler_that_is_killed_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "endless.py")
    told = tmp_path / "scheduler.json"
    scheduler = _spawn("scheduler", "--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(told), cwd=tmp_path)
    worker = _spawn("worker", "--scheduler-file", str(told), "--no-nanny", "--nthreads", "1", cwd=tmp_path)
    try:
        deadline = time.monotonic() + 60
        while not told.exists() or not told.read_text():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        running = engine_of(json.loads(told.read_text())["address"].replace("tcp://", "dask://"))
        job = job_of(Configs(ALL, working_folder=str(tmp_path)), deep=False, cache=None)
        unit = Unit((Item(Target(str(tmp_path / "endless.py"))),), code=True)
        threading.Timer(1, scheduler.kill).start()
        with pytest.raises(EngineError, match=r"^the scheduler of dask://127\.0\.0\.1:\d+ is gone$"):
            list(Run([unit], job, running))
        running.close()
    finally:
        for process in (scheduler, worker):
            process.kill()
            process.wait()


def _set_version(version: str | None) -> None:
    import ckpt_lint

    known = ckpt_lint.__dict__.setdefault("_own_version", ckpt_lint.__version__)
    ckpt_lint.__version__ = version or known


def _hide() -> None:
    sys.modules["_hidden"], sys.modules["ckpt_lint"] = sys.modules["ckpt_lint"], None  # type: ignore[assignment]


def _show() -> None:
    sys.modules["ckpt_lint"] = sys.modules.pop("_hidden")
