"""The inputs of a run as they are kept: the same that were put in, in a few bytes each."""

from __future__ import annotations

import pickle
import tracemalloc

from ckpt_lint.discover import Target
from ckpt_lint.model import Problem, Status
from ckpt_lint.targets import Targets

MIXED = [
    Target("a.py"),
    Target("/a.py"),
    Target("./a.py"),
    Target("pkg/__init__.py"),
    Target("pkg/b.py"),
    Target("pkg/weights.pt", checkpoint=True),
    Target("pkg/c.py"),
    Target("pkg", checkpoint=True),
    Target("pkg/inner/d.py"),
    Target("pkg/e.py", Problem(Status.UNREADABLE, "Permission denied")),
    Target("pkg/f\udcff.py"),
    Target("odd\0name.py"),
    Target(""),
    Target("https://example.org/x.pt", checkpoint=True),
]


def test_what_was_put_in_comes_out_in_order() -> None:
    kept = Targets(MIXED)
    assert len(kept) == len(MIXED)
    assert list(kept) == list(kept) == MIXED
    assert list(pickle.loads(pickle.dumps(kept))) == MIXED


def test_more_may_come_after_they_were_looked_at() -> None:
    kept = Targets()
    seen = []
    for target in MIXED:
        kept.append(target)
        seen.append(target)
        assert list(kept) == seen and len(kept) == len(seen)


def test_a_file_costs_little_more_than_its_name() -> None:
    folder = "/home/somebody/projects/a/library/of/some/depth"
    tracemalloc.start()
    try:
        kept = Targets(Target(f"{folder}/part{number // 50:04}/module{number:06}.py") for number in range(10_000))
        assert list(kept)[-1].path.endswith("module009999.py")
        assert tracemalloc.get_traced_memory()[0] / 10_000 < 30
    finally:
        tracemalloc.stop()
