"""Findings with code frames: those of one call in one frame, the other ends named, and what their fixes would do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ckpt_lint.report.look import Look
from ckpt_lint.run import FileResult


def render(results: Iterable[FileResult], look: Look) -> Iterator[str]:
    """One block a call, then one block a problem, each with an empty line behind it."""
    for result in results:
        if result.outcome.findings or result.outcome.problems:
            from ckpt_lint.report.blocks import blocks

            yield from blocks(result, look)
