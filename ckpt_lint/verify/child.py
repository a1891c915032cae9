"""The parent's side of the child that loads: started, asked, timed, watched, and ended. No torch here."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import queue
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import IO, Any

from ckpt_lint.verify.protocol import Answer, Compared, Job, Loaded, Torch

WORKER = Path(__file__).with_name("worker.py")
START_SECONDS = 120.0
LOOK_SECONDS = 0.05
LAST_SECONDS = 5.0
MOST_OUTPUT = 64 << 20
_FORCED = ("TORCH_FORCE_WEIGHTS_ONLY_LOAD", "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD")


class NoTorch(Exception):
    """The interpreter cannot load checkpoints: one line for people that says why."""


class Child:
    """One process of the worker. Use as a context; `ask` may be called until it returns something not answered."""

    def __init__(self, python: str, origin: str, *, seconds: float, start_seconds: float = START_SECONDS) -> None:
        """Start it and wait for its hello. Raises NoTorch."""
        self.seconds = seconds
        self.scratch = tempfile.mkdtemp(prefix="ckpt-lint-verify-")
        self._errors: IO[str] = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115
        self._answers: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._process: subprocess.Popen[str] | None = None
        nonce = secrets.token_hex(8)
        try:
            self._process = self._started(python, nonce)
            threading.Thread(target=self._listen, args=(self._process.stdout,), daemon=True).start()
            self.torch = self._greeted(python, origin, nonce, start_seconds)
        except OSError as error:
            self.close()
            raise NoTorch(f"{python} cannot be run: {error.strerror or error}") from None
        except NoTorch:
            self.close()
            raise

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process, if it is still there, and remove its scratch folder."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for stream in (self._process.stdin, self._process.stdout):
                if stream is not None:
                    with contextlib.suppress(OSError):
                        stream.close()
        self._errors.close()
        shutil.rmtree(self.scratch, ignore_errors=True)

    def ask(self, job: Job) -> Answer:
        """Have one checkpoint loaded. After an answer that is none (timed out, crashed) the child is gone."""
        process = self._process
        assert process is not None and process.stdin is not None
        message = {"id": 0, **dataclasses.asdict(job), "path": os.path.abspath(job.path)}
        try:
            process.stdin.write(json.dumps(message) + "\n")
            process.stdin.flush()
        except OSError:
            return self._crashed(())
        return self._wait(process.pid, job)

    # -- starting ---------------------------------------------------------------------------------------------------

    def _started(self, python: str, nonce: str) -> subprocess.Popen[str]:
        environment = {name: value for name, value in os.environ.items() if name not in _FORCED}
        environment.update(CUDA_VISIBLE_DEVICES="", TMPDIR=self.scratch, TEMP=self.scratch, TMP=self.scratch)
        return subprocess.Popen(
            [python, "-I", "-B", str(WORKER), nonce, self.scratch],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            encoding="utf-8",
            errors="replace",
            cwd=self.scratch,
            env=environment,
        )

    def _listen(self, stream: IO[str]) -> None:
        """Hand on what the child says; give up on one that never ends a line or floods us."""
        total = 0
        with contextlib.suppress(OSError, ValueError):
            while line := stream.readline(MOST_OUTPUT):
                total = 0 if line.startswith("{") else total + len(line)
                if total > MOST_OUTPUT // 64:
                    break
                if line.startswith("{"):
                    with contextlib.suppress(ValueError):
                        self._answers.put(json.loads(line))
        self._answers.put(None)

    def _greeted(self, python: str, origin: str, nonce: str, seconds: float) -> Torch:
        try:
            hello = self._answers.get(timeout=seconds)
        except queue.Empty:
            raise NoTorch(f"{python} did not answer within {seconds:g} seconds") from None
        if hello is None or hello.get("hello") != nonce:
            raise NoTorch(f"{python} is no Python interpreter that we can use{self._last_words()}")
        if "missing" in hello:
            missing = hello["missing"]
            raise NoTorch(f"no torch in {python}: {missing['error']}: {missing['message']}")
        if not hello["weights_only"]:
            raise NoTorch(f"torch {hello['torch']} in {python} is too old: `weights_only` exists from torch 1.13 on")
        return Torch(python, origin, hello["python"], hello["torch"], hello["mmap"], hello["anonymous"])

    def _last_words(self) -> str:
        with contextlib.suppress(OSError, ValueError):
            self._errors.seek(0)
            last = [line.strip() for line in self._errors.read(1 << 16).splitlines() if line.strip()][-1:]
            return f": {last[0][:200]}" if last else ""
        return ""

    # -- waiting ----------------------------------------------------------------------------------------------------

    def _wait(self, pid: int, job: Job) -> Answer:
        """Until it answers, ends, takes too long, or takes more private memory than it may."""
        deadline = time.monotonic() + self.seconds
        limit = self.torch.anonymous + job.room
        watched = anonymous_bytes(pid) is not None
        enforced = self._enforced(limit if watched else None)
        peak, pause = 0, 0.001
        while True:
            try:
                answer = self._answers.get(timeout=pause)
            except queue.Empty:
                pause = min(LOOK_SECONDS, pause * 2)
                peak = max(peak, anonymous_bytes(pid) or 0)
                if peak > limit:
                    self.close()
                    reason = f"it took {peak >> 20} MB of memory, and {limit >> 20} MB were allowed"
                    return Answer("crashed", reason, enforced=enforced, peak=peak)
                if time.monotonic() > deadline:
                    self.close()
                    return Answer("timed out", f"no answer in {self.seconds:g} seconds", enforced=enforced, peak=peak)
                continue
            return self._crashed(enforced, peak) if answer is None else _read(answer, enforced, peak)

    def _enforced(self, limit: int | None) -> tuple[str, ...]:
        memory = "memory not watched on this system" if limit is None else f"memory watched (at most {limit >> 20} MB)"
        return (
            "weights_only=True",
            f"{self.seconds:g} s",
            memory,
            "sockets, processes and writes refused",
            "GPUs hidden",
            "scratch folder",
        )

    def _crashed(self, enforced: tuple[str, ...], peak: int = 0) -> Answer:
        assert self._process is not None
        try:
            code = self._process.wait(timeout=LAST_SECONDS)
        except subprocess.TimeoutExpired:
            self.close()
            return Answer("crashed", "the child closed its output and went on", enforced=enforced, peak=peak)
        words = self._last_words()
        self.close()
        how = f"ended with exit code {code}"
        if code < 0:
            name = signal.Signals(-code).name if -code in set(signal.Signals) else str(-code)
            how = f"was ended by signal {name}"
        return Answer("crashed", f"the child {how}{words}", enforced=enforced, peak=peak)


def anonymous_bytes(pid: int) -> int | None:
    """The private memory of a process in bytes; elsewhere than on Linux all that is resident; None if unknown."""
    try:
        if sys.platform == "linux":
            text = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
            found = re.search(r"^RssAnon:\s+(\d+) kB", text, re.MULTILINE)
            return int(found.group(1)) * 1024 if found else None
        if os.name == "posix":
            done = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True, check=False)
            return int(done.stdout) * 1024
    except (OSError, ValueError):
        pass
    return None


def _read(answer: dict[str, Any], enforced: tuple[str, ...], peak: int) -> Answer:
    """The child's line as values."""
    if "failed" in answer:
        failed = answer["failed"]
        return Answer("answered", f"{failed['error']}: {failed['message']}", enforced=enforced, peak=peak)
    asked, fetched = answer.get("io", (0, 0))
    limited = ("memory limited by the system",) if answer.get("limited") else ()
    return Answer(
        "answered",
        changed=bool(answer.get("changed")),
        after=_loaded(answer.get("after")),
        before=_loaded(answer.get("before")),
        full=_compared(answer.get("full")),
        enforced=(*enforced, *limited),
        anonymous=answer.get("anonymous", 0),
        peak=max(peak, answer.get("anonymous", 0)),
        asked=asked,
        fetched=fetched,
    )


def _loaded(row: dict[str, Any] | None) -> Loaded | None:
    if row is None:
        return None
    keys = row.get("keys")
    return Loaded(**{**row, "keys": None if keys is None else tuple(keys), "devices": tuple(row.get("devices", ()))})


def _compared(row: dict[str, Any] | None) -> Compared | None:
    if row is None:
        return None
    if "digests" in row:
        return Compared(storages=row["digests"], by_digest=True, difference=row["difference"] or "")
    return Compared(row["compared"], row.get("storages", 0), row.get("crc", False), difference=row["difference"] or "")
