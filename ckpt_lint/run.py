"""A run over many files: reading, the gate, the engine, writing fixes back, and processes where they pay.

Results come in the order of the targets, however many processes work on them. A file that the gate lets pass costs
neither a process nor LibCST.
"""

from __future__ import annotations

import dataclasses
import os
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ckpt_lint.config import Configs
from ckpt_lint.discover import Target
from ckpt_lint.model import Applicability, Outcome, Problem, Status
from ckpt_lint.project.imports import own_imports
from ckpt_lint.settings import Settings
from ckpt_lint.source.collector import collector_off
from ckpt_lint.source.gate import may_matter
from ckpt_lint.targets import Targets

if TYPE_CHECKING:
    from ckpt_lint.source.cache import FactCache
    from ckpt_lint.source.text import Source
    from ckpt_lint.verdicts import Verdicts
    from ckpt_lint.workspace import Workspace

PAYS_FROM = 1_500_000
"""Bytes of code from which further processes pay: most of a second to judge it, against 0.2 s to start them."""

LOOKED_THROUGH = 50
"""Files up to which a run looks first whether any of them needs a verdict at all."""

HOPELESS_FACTOR = 100
"""A file this many times larger than `max-file-size` is not even read."""

UNUSED_SUPPRESSION = "CKP901"


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

    `deep` says whether the tensors of checkpoint files are read, too; `cache` is the folder of the fact cache, None for
    none.
    """

    applicabilities: frozenset[Applicability] = frozenset()
    write: bool = False
    deep: bool = False
    cache: str | None = None


def run(targets: Iterable[Target], configs: Configs, mode: Mode, *, jobs: int) -> Iterator[FileResult]:
    """Check, and where `mode` says so fix, every target. Raises ConfigError before the first result."""
    with collector_off():
        yield from _run(targets, configs, mode, jobs=jobs)


def _run(targets: Iterable[Target], configs: Configs, mode: Mode, *, jobs: int) -> Iterator[FileResult]:
    waiting, sizes = Targets(), array("Q")
    for target in targets:
        waiting.append(target)
        sizes.append(_size(target))
        configs.settings_for(target.path)  # a wrong configuration is told before anything is checked
    known = _known(waiting, configs, mode)
    if known is None:
        yield from _judged(waiting, sizes, configs, mode, jobs=jobs)
        return
    verdicts = [known.of(target) for target in waiting]
    left = Targets(target for target, verdict in zip(waiting, verdicts) if verdict is None)
    sizes = array("Q", (size for size, verdict in zip(sizes, verdicts) if verdict is None))
    judged = _judged(left, sizes, configs, mode, jobs=jobs)
    fresh = []
    for verdict in verdicts:
        if verdict is not None:
            yield _with_source(verdict, configs.settings_for(verdict.path))
            continue
        result = next(judged)
        fresh.append(result.outcome)
        yield result
    known.keep(fresh)


def _known(waiting: Targets, configs: Configs, mode: Mode) -> Verdicts | None:
    """The verdicts of earlier runs, where they are of use: not where files are fixed, nor for a few plain ones."""
    if mode.cache is None or mode.applicabilities:
        return None
    worker = Worker(configs, mode)
    if len(waiting) < LOOKED_THROUGH and all(worker.is_plain(target) for target in waiting):
        return None
    from ckpt_lint.verdicts import Verdicts

    return Verdicts(mode.cache, configs, waiting)


def _with_source(outcome: Outcome, settings: Settings) -> FileResult:
    """A verdict with what a report needs of the file's text."""
    if not outcome.findings:
        return FileResult(outcome)
    from ckpt_lint.source.text import read_source

    data = _read(outcome.path, settings)
    source = data if isinstance(data, Problem) else read_source(outcome.path, data, max_size=settings.max_file_size)
    return FileResult(outcome, None if isinstance(source, Problem) else source)


def _judged(waiting: Targets, sizes: Sequence[int], configs: Configs, mode: Mode, *, jobs: int) -> Iterator[FileResult]:
    if jobs == 1 or sum(sizes) < PAYS_FROM:
        worker = Worker(configs, mode)
        yield from (worker.check(target) for target in waiting)
    else:
        from ckpt_lint.parallel import run_parallel

        yield from run_parallel(waiting, sizes, configs, mode, jobs=jobs)


def _size(target: Target) -> int:
    """About how much is to be read of a target, in bytes; 0 of what is no file."""
    if target.problem is not None or target.checkpoint:
        return 0
    try:
        return os.stat(target.path).st_size
    except OSError:
        return 0


def usable_processors() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Worker:
    """Checks files one after the other, in one process; keeps what it learns of projects on the way.

    `read` gives the bytes of a project's other files where they are not those on disk: an editor's open buffers.
    """

    def __init__(self, configs: Configs, mode: Mode, *, read: Callable[[str], bytes | None] | None = None) -> None:
        self.configs = configs
        self.mode = mode
        self._reader = read
        self._workspace: Workspace | None = None

    def is_plain(self, target: Target) -> bool:
        """Whether nothing but a file's own bytes says that nothing is to be found in it."""
        if target.problem is not None or target.checkpoint:
            return True
        settings = self.configs.settings_for(target.path)
        data = _read(target.path, settings)
        if isinstance(data, Problem) or not settings.gate or may_matter(data) or _may_be_unused(data, settings):
            return isinstance(data, Problem)
        return next(own_imports(data, os.path.abspath(target.path)), None) is None

    def _matters(self, path: str, data: bytes, settings: Settings, *, named: bool) -> bool:
        """Whether a file has to be parsed: for what stands in it, or for a wrapper of its project that it calls."""
        if not settings.gate or may_matter(data) or _may_be_unused(data, settings):
            return True
        if not named:
            return False
        found = tuple(own_imports(data, os.path.abspath(path)))
        return bool(found) and self.workspace.reaches(path, data, settings, found)

    @property
    def workspace(self) -> Workspace:
        """What is known of the projects so far."""
        if self._workspace is None:
            from ckpt_lint.project.reader import Disk, read_bytes
            from ckpt_lint.workspace import Workspace

            self._workspace = Workspace(Disk(cache=self._cache(), read=self._reader or read_bytes))
        return self._workspace

    def _cache(self) -> FactCache | None:
        if self.mode.cache is None:
            return None
        from ckpt_lint.source.cache import FactCache

        return FactCache(self.mode.cache)

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
        from ckpt_lint.boundary import guarded
        from ckpt_lint.checkpoint_file import check_file

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
        if text != data and not source.problems and not self._matters(path, text, settings, named=named):
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
        looking = Worker(self.configs, Mode(cache=self.mode.cache))
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


def _may_be_unused(data: bytes, settings: Settings) -> bool:
    """Whether a suppression stands in the bytes, and CKP901 asks whether it is used."""
    return UNUSED_SUPPRESSION in settings.selected and (b"CKP" in data or b"ckp" in data)


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
