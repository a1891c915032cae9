"""`--statistics --output-format json`, in ruff's shape."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from ckpt_lint.report.look import Look
from ckpt_lint.report.statistics import fixable, ordered
from ckpt_lint.report.totals import Totals
from ckpt_lint.run import FileResult


def render(results: Iterable[FileResult], look: Look) -> Iterator[str]:
    """One array with one object a rule."""
    totals = Totals()
    for _ in totals.watch(results):
        pass
    rows = [
        {
            "code": code,
            "name": totals.names[code],
            "count": number,
            "fixable": fixable(totals, code, look) == number,
            "fixable_count": fixable(totals, code, look),
        }
        for code, number in ordered(totals)
    ]
    yield json.dumps(rows, indent=2) + "\n"
