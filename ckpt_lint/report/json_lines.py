"""One JSON object a line, as the files come: the objects of the format `json`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from ckpt_lint.report.as_json import rows
from ckpt_lint.report.look import Look, json_safe
from ckpt_lint.run import FileResult


def render(results: Iterable[FileResult], look: Look) -> Iterator[str]:
    """A line a finding, and a line a problem."""
    for result in results:
        for row in rows(result, look):
            line = json.dumps(row, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
            yield json_safe(line) + "\n"
