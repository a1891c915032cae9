"""What is read in a program of others stays out of its collections, and is found once it is dropped."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from ckpt_lint.source.collector import MUCH, collector_aside


class Ring:
    """What only a collection frees."""

    def __init__(self) -> None:
        self.own = self
        self.much = [[number] for number in range(MUCH)]


@pytest.fixture(autouse=True)
def collected() -> Iterator[None]:
    gc.collect()
    yield
    gc.unfreeze()
    gc.collect()


def test_what_was_read_is_not_looked_through_by_the_program() -> None:
    before = gc.get_freeze_count()
    with collector_aside():
        kept = [[number] for number in range(2 * MUCH)]
    assert gc.isenabled() and gc.get_freeze_count() - before > len(kept)
    assert len(gc.get_objects()) < len(kept), "a collection looks through these"


def test_little_is_not_set_aside() -> None:
    before = gc.get_freeze_count()
    with collector_aside():
        kept = [[number] for number in range(MUCH // 10)]
    assert kept and gc.get_freeze_count() == before


def test_what_is_dropped_is_freed_by_the_collection_that_is_asked_for() -> None:
    with collector_aside():
        ring = Ring()
    seen = weakref.ref(ring)
    del ring
    gc.collect()
    assert seen() is not None, "set aside"
    with collector_aside():
        gc.collect()
        assert seen() is None
    assert not any(callback.__module__ == collector_aside.__module__ for callback in gc.callbacks)
