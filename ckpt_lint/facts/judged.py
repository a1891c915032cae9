"""Which loads a rule on one argument judges in a module: wrappers' insides at their calls, common defaults once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ckpt_lint.facts.loads import Load
from ckpt_lint.facts.world import Definition
from ckpt_lint.source import tree as t

if TYPE_CHECKING:
    from ckpt_lint.facts.view import View

SEVERAL = 2
"""So many calls that leave an argument to one default are judged together, at the default."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A load to judge, and the parameter whose default decides, where several calls leave the argument to it.

    With a `default` the load may be a call in another file; the default itself stands in the module that is judged.
    """

    load: Load
    default: t.Parameter | None = None

    @property
    def place(self) -> t.Node:
        """Where a finding reports: the default, else the call."""
        if self.default is not None:
            return self.default.default or self.default
        return self.load.call

    def decides(self, name: str) -> bool:
        """Whether this load decides an argument: a wrapper's call does not decide what the load inside says itself."""
        return self.load.inner is None or name in self.load.inner.forwards


def judged(view: View, *names: str, code: str | None = None) -> Iterator[Judged]:
    """The loads of a module that decide one of the arguments `names`, themselves or by a default.

    A call of a load wrapper decides what the wrapper forwards; the rest is judged at the load inside. Where several
    calls in the project merely leave an argument to a default of the wrapper, they are judged in the wrapper's module.
    Calls in files where the rule `code` is off, as in tests, are not judged, so the default is not judged for them.
    """
    for load in view.loads:
        if load.inner is not None and not load.inner.forwards & set(names):
            continue
        if not any(_is_common(view, load, name, code) for name in names):
            yield Judged(load)
    yield from _defaults(view, names, code)


def _is_common(view: View, load: Load, name: str, code: str | None) -> bool:
    param = load.inherited.get(name)
    if param is None or load.wrapper is None:
        return False
    return len(_inheriting(view, load.wrapper, param, code)) >= SEVERAL


def _inheriting(view: View, wrapper: Definition, param: t.Parameter, code: str | None) -> list[Load]:
    loads = view.facts.loads.inheriting(wrapper, param)
    codes = view.settings.codes_for
    if code is None or code not in codes(view.source.path):
        return list(loads)
    return [load for load in loads if code in codes(load.module.path)]


def _defaults(view: View, names: tuple[str, ...], code: str | None) -> Iterator[Judged]:
    loads = view.facts.loads
    for function in view.module.functions:
        wrapper = Definition(view.module, function)
        params: dict[t.Parameter, None] = {}
        for inner in loads.inside(wrapper):
            for name in names:
                param = loads.forwarded_parameter(wrapper, inner, name)
                if param is not None and param.default is not None:
                    params[param] = None
        for param in params:
            found = _inheriting(view, wrapper, param, code)
            if len(found) >= SEVERAL:
                yield from (Judged(load, param) for load in found)
