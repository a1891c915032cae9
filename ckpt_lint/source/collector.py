"""Python's cyclic collector, kept off while syntax is read and judged."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

MUCH = 10_000
"""New objects from which they are set aside: of what else lives then some is garbage soon, and found late."""


@contextmanager
def collector_off() -> Iterator[None]:
    """No cyclic collections: syntax facts are many and live long, and searching them costs up to a third of a run.

    Where they are dropped (`workspace.Workspace`) they are collected.
    """
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


@contextmanager
def collector_aside() -> Iterator[None]:
    """The same in a program of others, whose collections go on afterwards: what was read is kept out of them.

    `gc.freeze` sets aside all that lives, what is the program's own among it. It takes part again in the collections that
    are asked for in here, so that nothing is held for longer than until facts are dropped.
    """
    gc.callbacks.append(_thaw)
    try:
        with collector_off():
            yield
            if gc.get_count()[0] > MUCH:
                gc.freeze()
    finally:
        gc.callbacks.remove(_thaw)


def _thaw(phase: str, _: object) -> None:
    """Before a collection that is asked for: others do not begin while the collector is off."""
    if phase == "start" and not gc.isenabled():
        gc.unfreeze()
