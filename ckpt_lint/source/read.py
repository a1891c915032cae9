"""From a source to its modules: each part is parsed alone, and the parts of one module are joined."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace

from ckpt_lint.model import Location, Problem
from ckpt_lint.source import tree as t
from ckpt_lint.source.cache import FactCache, key_of
from ckpt_lint.source.module import ModuleFacts
from ckpt_lint.source.parse import Parsed, Unparsable, before_python_37, parse
from ckpt_lint.source.text import Part, Source


@dataclass(frozen=True, slots=True)
class Read:
    """The modules of a source, what could not be parsed of it, and how many characters LibCST read."""

    modules: tuple[ModuleFacts, ...]
    problems: tuple[Problem, ...]
    parsed: int


_OLD = " (`async` is a keyword since Python 3.7; checked as if it were a name)"

NOTHING = Read((), (), 0)


def read_modules(
    source: Source, path: str | None = None, *, slicing: bool = True, cache: FactCache | None = None
) -> Read:
    """Parse a source, or find its facts in the cache.

    A part that cannot be parsed is a problem; the other parts are read all the same.
    """
    bodies: dict[str, list[t.Module]] = {}
    problems: list[Problem] = []
    size = 0
    for part in source.parts:
        try:
            parsed = _parsed(part, slicing, cache)
        except Unparsable as error:
            old = _read_as_old(part, slicing, cache)
            problem = error.problem if old is None else replace(error.problem, message=error.problem.message + _OLD)
            problems.append(_placed(source, part, problem))
            if old is None:
                bodies.setdefault(part.module, [])
                continue
            parsed = old
        size += parsed.size
        bodies.setdefault(part.module, []).append(parsed.module)
    modules = tuple(_join(path or source.path, name, parts) for name, parts in bodies.items())
    return Read(modules, tuple(problems), size)


def _read_as_old(part: Part, slicing: bool, cache: FactCache | None) -> Parsed | None:
    """The facts of a part that is Python but for `async` as a name; every character keeps its place."""
    code = before_python_37(part.code)
    if code is None:
        return None
    try:
        return _parsed(replace(part, code=code), slicing, cache)
    except Unparsable:
        return None


def _parsed(part: Part, slicing: bool, cache: FactCache | None) -> Parsed:
    """The facts of one part. Raises Unparsable."""
    if cache is None:
        return parse(part.code, base=part.span.start, slicing=slicing)
    key = key_of(part.code, base=part.span.start, slicing=slicing)
    known = cache.get(key)
    if known is None:
        known = parse(part.code, base=part.span.start, slicing=slicing)
        cache.put(key, known)
    return known


def prime(source: Source, cache: FactCache, *, slicing: bool = True) -> None:
    """Put the facts of a source into the cache, and keep nothing."""
    for part in source.parts:
        key = key_of(part.code, base=part.span.start, slicing=slicing)
        if not cache.holds(key):
            with suppress(Unparsable):
                cache.put(key, parse(part.code, base=part.span.start, slicing=slicing))


def _join(path: str, name: str, parts: list[t.Module]) -> ModuleFacts:
    if len(parts) == 1:
        return ModuleFacts(path, parts[0], name=name)
    start = parts[0].start if parts else 0
    end = parts[-1].end if parts else 0
    body = tuple(statement for part in parts for statement in part.body)
    return ModuleFacts(path, t.Module(start, end, body), name=name)


def _placed(source: Source, part: Part, problem: Problem) -> Problem:
    """The problem with its row counted in the file (or in the cell)."""
    if problem.location is None or part.cell is not None:
        where = problem.location
        return replace(problem, location=Location(where.row if where else 1, where.column if where else 1, part.cell))
    row = source.lines.row(part.span.start) + problem.location.row - 1
    return replace(problem, location=Location(row, problem.location.column))
