"""From what became of the files of a run to text. Nothing here prints; a format is imported when it is asked for."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Iterator

from ckpt_lint.report.look import Look
from ckpt_lint.run import FileResult

Renderer = Callable[[Iterable[FileResult], Look], Iterator[str]]

_MODULES = {
    "full": "ckpt_lint.report.full",
    "concise": "ckpt_lint.report.concise",
    "json": "ckpt_lint.report.as_json",
    "grouped": "ckpt_lint.report.grouped",
    "json-lines": "ckpt_lint.report.json_lines",
    "gitlab": "ckpt_lint.report.gitlab",
    "junit": "ckpt_lint.report.junit",
    "pylint": "ckpt_lint.report.pylint",
    "rdjson": "ckpt_lint.report.rdjson",
    "markdown": "ckpt_lint.report.markdown",
    "github": "ckpt_lint.report.github",
    "sarif": "ckpt_lint.report.sarif",
    "statistics": "ckpt_lint.report.statistics",
    "statistics-json": "ckpt_lint.report.statistics_json",
    "diff": "ckpt_lint.report.diff",
}


def renderer(output_format: str) -> Renderer:
    """The function that turns results into pieces of text in that format; it may give pieces before the run ends."""
    render: Renderer = importlib.import_module(_MODULES[output_format]).render
    return render


__all__ = ["Look", "Renderer", "renderer"]
