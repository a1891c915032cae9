"""Edits of one expression."""

from __future__ import annotations

from ckpt_lint.model import Edit, Span


def insert(offset: int, text: str) -> tuple[Edit, ...]:
    """Put `text` before the character at `offset`: `insert(span.end, ".state_dict()")`."""
    return (Edit(Span(offset, offset), text),)


def replace(span: Span, text: str) -> tuple[Edit, ...]:
    """Put `text` in the place of `span`."""
    return (Edit(span, text),)


def wrap(span: Span, before: str, after: str) -> tuple[Edit, ...]:
    """Put `before` and `after` around what stands at `span`, which stays open to other edits."""
    return (*insert(span.start, before), *insert(span.end, after))
