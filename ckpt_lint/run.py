"""A run over many files: reading, the gate, the engine, writing fixes back, and processes where they pay.

Results come in the order of the targets, however many processes work on them. A file that the gate lets pass costs
neither a process nor LibCST.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ckpt_lint.config import Configs
from ckpt_lint.discover import Target
from ckpt_lint.model import Applicability, Outcome, Problem, Status
from ckpt_lint.project.imports import imports_own
from ckpt_lint.settings import Settings
from ckpt_lint.source.gate import may_matter

if TYPE_CHECKING:
    from ckpt_lint.source.text import Source
    from ckpt_lint.workspace import Workspace

PAYS_FROM = 600_000
"""Bytes behind the gate from which further processes pay: about a second of parsing, against 0.2 s to start them."""

CHUNK = 150_000
"""Bytes behind the gate that a process is handed at once."""

HOPELESS_FACTOR = 100
"""A file this many times larger than `max-file-size` is not even read."""


@dataclass(frozen=True, slots=True)
class FileResult:
    """What became of one file, with what a report needs of its text.

    `source` is the text that the findings speak of, None where a report needs none; `before` is the text without the
    fixes, None where nothing was fixed.
    """

    outcome: Outcome
    source: Source | None = None
    before: Source | None = None


@dataclass(frozen=True, slots=True)
class Mode:
    """What to do about fixes: which kinds to apply (none: only look), and whether to write them to the files.

    `deep` says whether the tensors of checkpoint files are read, too.
    """

    applicabilities: frozenset[Applicability] = frozenset()
    write: bool = False
    deep: bool = False


def run(targets: Iterable[Target], configs: Configs, mode: Mode, *, jobs: int) -> Iterator[FileResult]:
    """Check, and where `mode` says so fix, every target. Raises ConfigError before the first result."""
    worker = Worker(configs, mode)
    waiting = [(target, worker.heavy_bytes(target)) for target in targets]
    total = sum(size for _, size in waiting if size)
    if jobs > 1 and total >= PAYS_FROM:
        from ckpt_lint.parallel import run_parallel

        yield from run_parallel(waiting, configs, mode, jobs=jobs)
        return
    for target, size in waiting:
        yield worker.check(target) if size is None or size else FileResult(Outcome(target.path))


def usable_processors() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Worker:
    """Checks files one after the other, in one process; keeps what it learns of projects on the way."""

    def __init__(self, configs: Configs, mode: Mode) -> None:
        self.configs = configs
        self.mode = mode
        self._workspace: Workspace | None = None

    def heavy_bytes(self, target: Target) -> int | None:
        """How many bytes of a target are behind the gate: 0 where it may pass, None where a worker says why not."""
        settings = self.configs.settings_for(target.path)
        if target.problem is not None or target.checkpoint:
            return None
        data = _read(target.path, settings)
        if isinstance(data, Problem):
            return None
        if _must_be_read(data) or self._matters(target.path, data, settings, named=True):
            return min(len(data), settings.max_file_size) or 1
        return 0

    def _matters(self, path: str, data: bytes, settings: Settings, *, named: bool) -> bool:
        """Whether a file has to be parsed: for what stands in it, or for a wrapper of its project that it calls."""
        if not settings.gate or may_matter(data):
            return True
        return named and imports_own(data, os.path.abspath(path)) and self.workspace.reaches(path, data, settings)

    @property
    def workspace(self) -> Workspace:
        """What is known of the projects so far."""
        if self._workspace is None:
            from ckpt_lint.workspace import Workspace

            self._workspace = Workspace()
        return self._workspace

    def check(self, target: Target) -> FileResult:
        """One file, from its bytes to its outcome."""
        if target.problem is not None:
            return FileResult(Outcome(target.path, problems=(target.problem,)))
        settings = self.configs.settings_for(target.path)
        if target.checkpoint:
            return self._check_checkpoint(target.path, settings)
        data = _read(target.path, settings)
        if isinstance(data, Problem):
            return FileResult(Outcome(target.path, problems=(data,)))
        result = self.check_bytes(target.path, data, settings)
        if not (self.mode.write and result.before is not None and result.source is not None):
            return result
        return self._written(result, settings)

    def _check_checkpoint(self, path: str, settings: Settings) -> FileResult:
        from ckpt_lint.checkpoint_file import check_file
        from ckpt_lint.engine import guarded

        return FileResult(guarded(path, lambda: check_file(path, settings, deep=self.mode.deep)))

    def check_bytes(self, path: str, data: bytes, settings: Settings, *, named: bool = True) -> FileResult:
        """The same for bytes that are at hand; nothing is written. `named` says whether `path` is a place on disk."""
        if not _must_be_read(data) and not self._matters(path, data, settings, named=named):
            return FileResult(Outcome(path))
        from ckpt_lint.source.text import read_source

        source = read_source(path, data, max_size=settings.max_file_size)
        if isinstance(source, Problem):
            return FileResult(Outcome(path, problems=(source,)))
        text = source.text.encode("utf-8", "surrogatepass")
        if not source.problems and not self._matters(path, text, settings, named=named):
            return FileResult(Outcome(path))
        return self._judge(source, settings, named=named)

    def check_text(self, path: str, text: str, settings: Settings, *, named: bool = True) -> FileResult:
        """The same for the text of a Python file, decoded already; its newlines and byte order mark may be gone."""
        if not self._matters(path, text.encode("utf-8", "surrogatepass"), settings, named=named):
            return FileResult(Outcome(path))
        from ckpt_lint.source.text import source_of_text

        source = source_of_text(path, text, max_size=settings.max_file_size)
        if isinstance(source, Problem):
            return FileResult(Outcome(path, problems=(source,)))
        return self._judge(source, settings, named=named)

    def _judge(self, source: Source, settings: Settings, *, named: bool) -> FileResult:
        from ckpt_lint import engine

        project = self.workspace.project_of(source, settings, named=named)
        if not self.mode.applicabilities:
            outcome = engine.check(source, project=project, settings=settings)
            return FileResult(outcome, source if outcome.findings or outcome.problems else None)
        unsafe = Applicability.UNSAFE in self.mode.applicabilities
        fixed, outcome = engine.fix(source, project=project, settings=settings, unsafe=unsafe)
        return FileResult(outcome, fixed, source if fixed.text != source.text else None)

    def _written(self, result: FileResult, settings: Settings) -> FileResult:
        """Write the fixes to the file. Where that fails, the findings of the old text stand, and the reason."""
        from ckpt_lint.source.encode import encode
        from ckpt_lint.write import write_atomic

        assert result.source is not None and result.before is not None
        path = result.outcome.path
        data = encode(result.source)
        problem = data if isinstance(data, Problem) else write_atomic(path, data, expected=result.before.data)
        if problem is None:
            return result
        looking = Worker(self.configs, Mode())
        looking._workspace = self._workspace
        old = looking._judge(result.before, settings, named=True)
        outcome = dataclasses.replace(old.outcome, problems=(*old.outcome.problems, problem))
        return FileResult(outcome, result.before)


def _read(path: str, settings: Settings) -> bytes | Problem:
    try:
        with open(path, "rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            if size > HOPELESS_FACTOR * settings.max_file_size:
                limit = settings.max_file_size / 1e6
                return Problem(Status.TOO_LARGE, f"{size / 1e6:.1f} MB, over the limit of {limit:g} MB (max-file-size)")
            return stream.read()
    except OSError as error:
        return Problem(Status.UNREADABLE, error.strerror or str(error))


def _must_be_read(data: bytes) -> bool:
    """Whether the bytes may be no text at all, which the gate cannot tell and the reader can."""
    if b"\0" in data or b"coding" in data[:400]:
        return True
    if data.isascii():
        return False
    try:
        data.decode()
    except UnicodeDecodeError:
        return True
    return False


def chunks(waiting: Sequence[tuple[Target, int | None]]) -> Iterator[list[int]]:
    """The indices of the targets that need a worker, in runs of about `CHUNK` bytes."""
    chunk, size = list[int](), 0
    for index, (_, heavy) in enumerate(waiting):
        if heavy == 0:
            continue
        chunk.append(index)
        size += heavy or 0
        if size >= CHUNK:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk
