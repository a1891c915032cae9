"""Python's cyclic collector, kept off while syntax is read and judged."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


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
