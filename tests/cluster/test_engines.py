"""Rows from this process and from several, in JSON lines and Parquet; runs that break off, and go on."""

from __future__ import annotations

import concurrent.futures as futures
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from ckpt_lint.cluster import Engine, Item, Run, Unit, engine_of, find, job_of, units
from ckpt_lint.cluster.engines import Inline
from ckpt_lint.cluster.runner import AHEAD
from ckpt_lint.config import Configs
from ckpt_lint.discover import Target
from ckpt_lint.rules import ALL
from tests.cluster.samples import Assassin, check, interrupted, make_samples, rows


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("organisation")
    make_samples(folder, files=80, checkpoints=55)
    ran = check(folder, "--engine", "local", "--checkpoints", "code", "checkpoints", "-o", "local.jsonl")
    assert ran.code == 3 and ran.err.startswith("135 files: "), ran
    return folder


def checked(samples: Path, *options: str, code: int = 3) -> str:
    ran = check(samples, "--checkpoints", *options, "code", "checkpoints")
    assert ran.code == code, ran
    return ran.err


def test_findings_are_those_of_a_plain_run(samples: Path) -> None:
    ran = check(samples, "--checkpoints", "--output-format", "json-lines", "code", "checkpoints")
    plain = [json.loads(line) for line in ran.out.splitlines()]
    found = [row for row in rows(samples / "local.jsonl") if row.pop("kind") == "finding"]
    expected = [row for row in plain if row["noqa_row"] is not None]
    spelled = [sorted(json.dumps(row, sort_keys=True) for row in of) for of in (found, expected)]
    assert spelled[0] == spelled[1] and len(found) > 15
    files = [row for row in rows(samples / "local.jsonl") if row["kind"] == "file"]
    unchecked = {row["filename"] for row in files if row["outcome"] == "unchecked"}
    assert unchecked == {row["filename"] for row in plain if row["noqa_row"] is None} and unchecked
    assert len({row["filename"] for row in files}) == len(files) == 135
    code = next(row for row in files if row["filename"].endswith("io.py"))
    assert code["digest"].startswith("sha256:") and code["size"] and code["mtime_ns"]


def test_processes_give_the_same_bytes(samples: Path, tmp_path: Path) -> None:
    checked(samples, "--engine", "processes:2", "-o", str(tmp_path / "rows.jsonl"))
    assert (tmp_path / "rows.jsonl").read_bytes() == (samples / "local.jsonl").read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == ["rows.jsonl"]


def test_parquet_holds_the_same_rows(samples: Path, tmp_path: Path) -> None:
    out = tmp_path / "rows.parquet"
    said = checked(samples, "--output-format", "parquet", "-o", str(out))
    table = pq.read_table(out).to_pylist()
    expected = rows(samples / "local.jsonl")[1:]
    for column in ("kind", "filename", "outcome", "code", "message", "digest", "size", "mtime_ns"):
        assert [row[column] for row in table] == [row.get(column) for row in expected]
    first = next(i for i, row in enumerate(expected) if row.get("fix"))
    assert table[first]["row"] == expected[first]["location"]["row"]
    assert json.loads(table[first]["fix_edits"]) == expected[first]["fix"]["edits"]
    assert [path.name for path in tmp_path.iterdir()] == ["rows.parquet"]
    again = checked(samples, "--output-format", "parquet", "-o", str(out), "--resume")
    assert again == said.replace("files: ", "files: already finished: ")


def test_a_run_goes_on_wherever_it_broke_off(samples: Path, tmp_path: Path) -> None:
    whole = (samples / "local.jsonl").read_bytes()
    lines = whole.splitlines(keepends=True)
    middle = sum(map(len, lines[: len(lines) // 2]))
    for end in (7, len(lines[0]), middle - 1, middle, len(whole)):
        out = tmp_path / "rows.jsonl"
        tail = {middle: b"\0\0", len(whole): b'{"kind":"findi'}.get(end, b"")
        (tmp_path / "rows.jsonl.partial").write_bytes(whole[:end] + tail)
        checked(samples, "--resume", "-o", str(out))
        assert out.read_bytes() == whole, end


def test_rows_that_cannot_be_gone_on_with(samples: Path, tmp_path: Path) -> None:
    whole = (samples / "local.jsonl").read_bytes()
    partial = tmp_path / "rows.jsonl.partial"
    out = str(tmp_path / "rows.jsonl")
    partial.write_bytes(whole[:1000])
    assert "holds an unfinished run: --resume goes on with it" in checked(
        samples, "--engine", "local", "-o", out, code=2
    )
    assert "was written with other options" in checked(samples, "-o", out, "--resume", "--ignore", "CKP3", code=2)
    partial.write_bytes(whole.replace(b"\n{", b"\n?", 1))
    assert "is damaged" in checked(samples, "-o", out, "--resume", code=2)
    partial.write_bytes(b'{"kind":"file"}\n')
    assert "holds no rows of a run" in checked(samples, "-o", out, "--resume", code=2)
    for row in (b'{"kind":"run","schema":1,"ckpt_lint":"0.0.9","settings":""}\n', b'{"kind":"run","schema":9}\n'):
        partial.write_bytes(row)
        assert checked(samples, "-o", out, "--resume", code=2).count("\n") == 1


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_a_client_that_is_killed(samples: Path, tmp_path: Path) -> None:
    out = tmp_path / "rows.jsonl"
    interrupted("--engine", "processes:2", "--checkpoints", "code", "checkpoints", cwd=samples, out=out)
    said = checked(samples, "--engine", "processes:2", "-o", str(out), "--resume")
    assert " of them before: " in said and out.read_bytes() == (samples / "local.jsonl").read_bytes()


def test_two_runs_do_not_share_a_file(samples: Path, tmp_path: Path) -> None:
    fcntl = pytest.importorskip("fcntl", reason="files are locked where there is fcntl")
    with open(tmp_path / "rows.jsonl.partial", "wb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert "another run is writing it" in checked(samples, "--resume", "-o", str(tmp_path / "rows.jsonl"), code=2)


def _made(samples: Path) -> Iterator[Unit]:
    configs = Configs(ALL, checkpoints=True, working_folder=str(samples))
    return units(find([str(samples / "code"), str(samples / "checkpoints")], configs))


def _lines(run: Run) -> list[str]:
    return [line for found in run for one in found for line in one.lines]


def test_any_executor_does(samples: Path) -> None:
    job = job_of(Configs(ALL, checkpoints=True, working_folder=str(samples)), deep=False, cache=None)
    expected = (samples / "local.jsonl").read_text().splitlines()[1:]
    with futures.ThreadPoolExecutor(2) as threads:
        assert _lines(Run(_made(samples), job, Engine.of(threads, window=4))) == expected


class Held(Inline):
    """Gives the result of the first unit late, and those of all others at once."""

    def __init__(self) -> None:
        self.begun = False

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> futures.Future[Any]:
        if self.begun:
            return super().submit(fn, *args, **kwargs)
        self.begun = True
        first = futures.Future[Any]()
        threading.Timer(0.5, lambda: first.set_result(fn(*args, **kwargs))).start()
        return first


def test_what_waits_for_a_slow_unit_is_bounded(samples: Path) -> None:
    job = job_of(Configs(ALL, working_folder=str(samples)), deep=False, cache=None)
    path = next((samples / "code").rglob("io.py"))
    taken = [0]

    def endless() -> Iterator[Unit]:
        while True:
            taken[0] += 1
            yield Unit((Item(Target(str(path))),), code=True)

    run = iter(Run(endless(), job, Engine.of(Held(), window=3)))
    assert len(next(run)) == 1 and taken == [3 * AHEAD]
    for given, _ in zip(range(1, 30), run):
        assert taken[0] <= given + 3 * AHEAD


@pytest.mark.skipif(not hasattr(os, "mkfifo") or not Path("/proc").is_dir(), reason="needs FIFOs and /proc")
def test_a_file_that_processes_die_over(samples: Path, tmp_path: Path) -> None:
    assassin = Assassin(tmp_path / "poison.py")
    job = job_of(Configs(ALL, working_folder=str(samples)), deep=False, cache=None)
    good = sorted((samples / "code").rglob("*.py"))[:30]
    paths = [*good[:15], assassin.path, *good[15:]]
    made = [Unit(tuple(Item(Target(str(p))) for p in part), code=True) for part in (paths[:20], paths[20:])]
    found: list[str] = []
    engine = engine_of("processes:2")
    thread = threading.Thread(target=lambda: found.extend(_lines(Run(made, job, engine))))
    thread.start()
    while thread.is_alive():
        assassin.strike()
        time.sleep(0.002)
    engine.close()
    assert len(assassin.killed) == 5  # in its unit, twice, in a part of it, and twice alone
    about = {row["filename"]: row for line in found for row in [json.loads(line)] if row["kind"] == "file"}
    assert list(about) == [str(path) for path in paths]
    lost = about.pop(str(assassin.path))
    assert lost["outcome"] == "unchecked" and lost["problems"][0]["status"] == "internal-error"
    assert lost["problems"][0]["message"] == "given up after 2 tries alone: the process that checked this file died"
    expected = _lines(
        Run([Unit(tuple(Item(Target(str(p))) for p in good), code=True)], job, Engine.of(Inline(), window=1))
    )
    assert [line for line in found if json.loads(line)["filename"] in about] == expected


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--engine", "spark://x"), "--engine spark://x: expected local, processes, processes:N or dask://HOST:PORT"),
        (("--engine", "processes:0"), "expected local, processes"),
        (("--engine", "dask://"), "expected local, processes"),
        (("--engine", "dask://host:none"), "--engine dask://host:none: Port could not be cast"),
        (("--engine", "local", "--fix"), "--fix does not go together with --engine"),
        (("--engine", "local", "--baseline", "b.json"), "--baseline does not go together with --engine"),
        (("--engine", "local", "--watch"), "--watch does not go together with --engine"),
        (("--engine", "local", "-"), "`-` does not go together with --engine"),
        (("--engine", "local", "--output-format", "sarif"), "--engine gives json-lines or parquet"),
        (("--output-format", "parquet"), "--output-format parquet needs --output-file FILE"),
        (("--resume",), "--resume needs --output-file FILE"),
        (("--engine", "local", "-o", "none/rows.jsonl"), "there is no folder none"),
        (("--engine", "local", "-o", "."), "is no file"),
    ],
)
def test_what_does_not_go(tmp_path: Path, options: tuple[str, ...], said: str) -> None:
    ran = check(tmp_path, *options)
    assert ran.code == 2 and said in ran.err and ran.err.count("\n") == 1 and not list(tmp_path.iterdir()), ran


@pytest.mark.parametrize(
    ("missing", "options", "extra"),
    [
        ("distributed", "'--engine', 'dask://127.0.0.1:1'", "ckpt-lint[dask]"),
        ("pyarrow", "'--output-format', 'parquet', '-o', 'x.parquet'", "ckpt-lint[parquet]"),
    ],
)
def test_extras_that_are_missing(tmp_path: Path, missing: str, options: str, extra: str) -> None:
    code = f"import sys; sys.modules[{missing!r}] = None; from ckpt_lint.cli import main; sys.exit(main(['check', {options}]))"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and extra in done.stderr and done.stderr.count("\n") == 1, done


def test_rows_to_a_terminal_or_a_pipe(samples: Path) -> None:
    ran = check(samples, "--engine", "local", "--checkpoints", "code", "checkpoints")
    assert ran.code == 3 and ran.out == (samples / "local.jsonl").read_text()
