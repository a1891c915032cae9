"""The rows of a run on disk: a file that only grows, so that an interrupted run can go on where it was.

While a run lasts its rows are in `FILE.partial`; the finished file takes the place of `FILE` at once. The first line
says which ckpt-lint wrote it, and with what settings; then come the rows of one file after the other, findings first and
the file last. What stands after the last row of a file was being written when the run broke off, and is dropped.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import IO, Any

from ckpt_lint.cluster.job import Job
from ckpt_lint.cluster.rows import UNCHECKED, FileRows
from ckpt_lint.config import ConfigError
from ckpt_lint.model import Severity

SCHEMA = 1
_DIGEST = 16


@dataclass
class Tally:
    """What the rows come to. `done` holds a digest of every file's name."""

    files: int = 0
    unchecked: int = 0
    errors: int = 0
    warnings: int = 0
    done: set[bytes] = field(default_factory=set)

    def add(self, rows: FileRows) -> None:
        """Count the rows of a file."""
        self.files += 1
        self.unchecked += not rows.checked
        self.errors += rows.errors
        self.warnings += rows.warnings

    def take(self, row: dict[str, Any]) -> None:
        """Count a row that was read back."""
        if row["kind"] == "file":
            self.files += 1
            self.unchecked += row["outcome"] == UNCHECKED
            self.done.add(name_digest(row["filename"]))
        elif row["severity"] == Severity.ERROR.value:
            self.errors += 1
        else:
            self.warnings += 1


def name_digest(path: str) -> bytes:
    """A file's name in 16 bytes."""
    return hashlib.blake2b(path.encode("utf-8", "surrogatepass"), digest_size=_DIGEST).digest()


def header(job: Job) -> str:
    """The first line of a file of rows, without its newline."""
    row = {"kind": "run", "schema": SCHEMA, "ckpt_lint": job.version, "settings": job.fingerprint}
    return json.dumps(row, separators=(",", ":"))


class Journal:
    """The rows of one run, in a file. Raises ConfigError where that cannot be used."""

    def __init__(self, path: str, job: Job, *, resume: bool) -> None:
        self.path = os.path.realpath(path)
        self.partial = self.path + ".partial"
        self.tally = Tally()
        self._shown = path
        _check_place(path, self.path)
        if os.path.exists(self.partial) and not resume:
            raise ConfigError(f"{path}.partial holds an unfinished run: --resume goes on with it; or remove it")
        self._stream = self._opened()
        if os.path.getsize(self.partial):
            end = read_back(self.partial, job, self.tally)
            self._stream.truncate(end)
            self._stream.seek(end)
        if not self._stream.tell():
            self.write([header(job)])

    def write(self, lines: Iterable[str]) -> None:
        """Add lines, in one go. Raises ConfigError where the disk is full."""
        try:
            self._stream.write("".join(f"{line}\n" for line in lines).encode("utf-8", "backslashreplace"))
            self._stream.flush()
        except OSError as error:
            with suppress(OSError):  # what could not be written would be tried again at the very end
                self._stream.close()
            raise ConfigError(
                f"{self._shown}.partial: could not be written: {error.strerror or error}; --resume goes on from there"
            ) from None

    def add(self, found: Iterable[FileRows]) -> None:
        """Add the rows of some files."""
        lines: list[str] = []
        for rows in found:
            self.tally.add(rows)
            lines += rows.lines
        self.write(lines)

    def finish(self, *, parquet: bool) -> None:
        """Put the finished file in its place. Raises ConfigError."""
        try:
            os.fsync(self._stream.fileno())
            if parquet:
                from ckpt_lint.cluster.parquet import convert

                convert(self.partial, self.path)
                os.unlink(self.partial)
            else:
                os.replace(self.partial, self.path)
        except OSError as error:
            raise ConfigError(f"{self._shown}: could not be written: {error.strerror or error}") from None
        self._stream.close()

    def close(self) -> None:
        """Leave the rows where they are; a file without any is taken away."""
        if not self._stream.closed and not self.tally.files:
            os.unlink(self.partial)
        self._stream.close()

    def _opened(self) -> IO[bytes]:
        try:
            stream = open(self.partial, "r+b" if os.path.exists(self.partial) else "x+b")  # noqa: SIM115
        except OSError as error:
            raise ConfigError(f"{self._shown}.partial: could not be written: {error.strerror or error}") from None
        if sys.platform != "win32":
            import fcntl

            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                stream.close()
                raise ConfigError(f"{self._shown}.partial: another run is writing it") from None
        return stream


def read_back(path: str, job: Job | None, tally: Tally) -> int:
    """Count the rows of a file; the offset after the last that is whole. Raises ConfigError.

    `job` is what the rows have to be of, None where that does not matter.
    """
    end, pending = 0, list[dict[str, Any]]()
    with open(path, "rb") as stream:
        for number, row in enumerate(_rows(stream, path)):
            if number == 0:
                _check_header(row, job, path)
                end = stream.tell()
                continue
            pending.append(row)
            if row["kind"] == "file":
                for whole in pending:
                    tally.take(whole)
                pending.clear()
                end = stream.tell()
    return end


def _rows(stream: IO[bytes], path: str) -> Iterator[dict[str, Any]]:
    """The rows of a file up to a tail that was not written whole. Damage before whole rows is an error."""
    damaged = 0
    number = 0
    while line := stream.readline():
        number += 1
        row = _row(line)
        if row is None:
            damaged = damaged or number
        elif damaged:
            raise ConfigError(f"{path}: line {damaged} is damaged: it cannot be gone on with")
        else:
            yield row


def _row(line: bytes) -> dict[str, Any] | None:
    if not line.endswith(b"\n"):
        return None
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return row if isinstance(row, dict) and row.get("kind") in ("run", "finding", "file") else None


def _check_header(row: dict[str, Any], job: Job | None, path: str) -> None:
    if row["kind"] != "run" or row.get("schema") != SCHEMA:
        raise ConfigError(f"{path}: holds no rows of a run that this ckpt-lint can go on with")
    if job is not None and row.get("ckpt_lint") != job.version:
        raise ConfigError(f"{path}: was written by ckpt-lint {row.get('ckpt_lint')}, and this is {job.version}")
    if job is not None and row.get("settings") != job.fingerprint:
        raise ConfigError(f"{path}: was written with other options: go on with the same, or remove it")


def _check_place(shown: str, path: str) -> None:
    if os.path.exists(path) and not os.path.isfile(path):
        raise ConfigError(f"--output-file {shown}: is no file; rows that a run can go on with need one")
    if not os.path.isdir(os.path.dirname(path)):
        raise ConfigError(f"--output-file {shown}: there is no folder {os.path.dirname(shown)}")
