"""From a source to its modules: each part is parsed alone, and the parts of one module are joined."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ckpt_lint.model import Location, Problem, Span
from ckpt_lint.source import tree as t
from ckpt_lint.source.cache import FactCache, key_of
from ckpt_lint.source.module import ModuleFacts
from ckpt_lint.source.parse import Parsed, Unparsable, before_python_37, parse, parse_draft
from ckpt_lint.source.store import alike, decode, encode_linked, same
from ckpt_lint.source.text import Part, Source


@dataclass(frozen=True, slots=True)
class Read:
    """The modules of a source, what could not be parsed of it, and how many characters LibCST read.

    `is_draft` says that some of it was read by `ast` alone (see `confirmed`).
    """

    modules: tuple[ModuleFacts, ...]
    problems: tuple[Problem, ...]
    parsed: int
    is_draft: bool = False


@dataclass(frozen=True, slots=True)
class PackedRead:
    """What was read of a source, with each module, by name, as `store` writes it."""

    read: Read
    modules: tuple[tuple[str, bytes], ...]


def packed(read: Read) -> PackedRead:
    """The same in a tenth of the memory."""
    return PackedRead(replace(read, modules=()), tuple((one.name, encode_linked(one.nodes)) for one in read.modules))


def unpacked(packed: PackedRead, path: str) -> Read:
    """What was packed; its modules are new ones."""
    return replace(packed.read, modules=tuple(ModuleFacts(path, decode(data), name=name) for name, data in packed.modules))


_OLD = " (`async` is a keyword since Python 3.7; checked as if it were a name)"

NOTHING = Read((), (), 0)


def read_modules(
    source: Source, path: str | None = None, *, slicing: bool = True, cache: FactCache | None = None
) -> Read:
    """Read a source: with `slicing` a draft of what may matter, else all of it by LibCST.

    A part that cannot be parsed is a problem; the other parts are read all the same.
    """
    recorded = _recorded(source, (_Drafting if slicing else _Reading)(False, cache))
    return _linked(recorded, path or source.path, is_draft=slicing)


def confirmed(
    source: Source, drafted: Read, path: str | None = None, *, at: Sequence[Span], cache: FactCache | None = None
) -> Read:
    """What LibCST says of a source of which a draft was read, and of which something is said `at` some places.

    LibCST reads the functions that these places lie in, and what runs at import. Where it agrees the modules are those of
    the draft; else it reads all, and the modules are its own.
    """
    seen = _recorded(source, _Confirming(True, cache, at))
    if _all(alike, seen, drafted):
        return replace(drafted, parsed=seen.parsed, is_draft=False)
    seen = _recorded(source, _Reading(True, cache))
    if _all(same, seen, drafted):
        return Read(drafted.modules, seen.problems, seen.parsed)
    return _linked(seen, path or source.path)


@dataclass(frozen=True, slots=True)
class _Recorded:
    """The trees of a source by the names of its modules, not linked: what links nothing is freed when it is let go."""

    roots: dict[str, t.Module]
    problems: tuple[Problem, ...]
    parsed: int


def _all(equal: Callable[[t.Node, t.Node], bool], seen: _Recorded, drafted: Read) -> bool:
    """Whether all trees are equal, each to its own."""
    if len(seen.roots) != len(drafted.modules):
        return False
    return all(equal(mine, its.root) for mine, its in zip(seen.roots.values(), drafted.modules))


def _linked(recorded: _Recorded, path: str, *, is_draft: bool = False) -> Read:
    modules = tuple(ModuleFacts(path, root, name=name) for name, root in recorded.roots.items())
    return Read(modules, recorded.problems, recorded.parsed, is_draft)


def _recorded(source: Source, reading: _Reading) -> _Recorded:
    bodies: dict[str, list[t.Module]] = {}
    problems: list[Problem] = []
    size = 0
    for part in source.parts:
        try:
            parsed = reading.parse(part)
        except Unparsable as error:
            old = _read_as_old(part, reading)
            problem = error.problem if old is None else replace(error.problem, message=error.problem.message + _OLD)
            problems.append(_placed(source, part, problem))
            if old is None:
                bodies.setdefault(part.module, [])
                continue
            parsed = old
        size += parsed.size
        bodies.setdefault(part.module, []).append(parsed.module)
    return _Recorded({name: _joined(parts) for name, parts in bodies.items()}, tuple(problems), size)


def _read_as_old(part: Part, reading: _Reading) -> Parsed | None:
    """The facts of a part that is Python but for `async` as a name; every character keeps its place."""
    code = before_python_37(part.code)
    if code is None:
        return None
    try:
        return reading.parse(replace(part, code=code))
    except Unparsable:
        return None


@dataclass(frozen=True, slots=True)
class _Reading:
    """Parts are read by LibCST, whole or sliced; what it cost to read is kept in the cache, if there is one."""

    slicing: bool
    cache: FactCache | None

    def parse(self, part: Part) -> Parsed:
        """The facts of one part. Raises Unparsable."""
        return self._parsed(part)

    def _parsed(self, part: Part, at: Sequence[Span] | None = None) -> Parsed:
        base = part.span.start
        key = key_of(part.code, base=base, slicing=self.slicing, at=at) if self.cache is not None else ""
        known = self.cache.get(key) if self.cache is not None else None
        if known is None:
            known = parse(part.code, base=base, slicing=self.slicing, at=at)
            if self.cache is not None:
                self.cache.put(key, known)
        return known


@dataclass(frozen=True, slots=True)
class _Confirming(_Reading):
    """LibCST reads of the functions only those that hold one of the places `at`."""

    at: Sequence[Span]

    def parse(self, part: Part) -> Parsed:
        """The facts of one part. Raises Unparsable."""
        base = part.span.start
        inside = sorted({Span(span.start - base, span.end - base) for span in self.at})
        return self._parsed(part, inside)


class _Drafting(_Reading):
    """Parts are read by `ast`, and by LibCST where only that may know the syntax."""

    def parse(self, part: Part) -> Parsed:
        """The facts of one part. Raises Unparsable."""
        module = parse_draft(part.code, base=part.span.start)
        return Parsed(module, 0) if module is not None else _Reading.parse(self, part)


def _joined(parts: list[t.Module]) -> t.Module:
    if len(parts) == 1:
        return parts[0]
    start = parts[0].start if parts else 0
    end = parts[-1].end if parts else 0
    return t.Module(start, end, tuple(statement for part in parts for statement in part.body))


def _placed(source: Source, part: Part, problem: Problem) -> Problem:
    """The problem with its row counted in the file (or in the cell)."""
    if problem.location is None or part.cell is not None:
        where = problem.location
        return replace(problem, location=Location(where.row if where else 1, where.column if where else 1, part.cell))
    row = source.lines.row(part.span.start) + problem.location.row - 1
    return replace(problem, location=Location(row, problem.location.column))
