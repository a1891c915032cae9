"""Sources, fixes and findings for the tests of edits."""

from __future__ import annotations

import io
import json
import tokenize
from collections.abc import Sequence

from ckpt_lint.edits import (
    compose,
)
from ckpt_lint.model import Applicability, Edit, Finding, Fix, Severity, Span
from ckpt_lint.source.text import Source, read_source

SAFE = Applicability.SAFE
ALL = tuple(Applicability)


def read(text: str | bytes, path: str = "a.py") -> Source:
    source = read_source(path, text if isinstance(text, bytes) else text.encode())
    assert isinstance(source, Source), source
    return source


def applied(text: str, *fixes: Sequence[Edit]) -> str:
    """All fixes in one round; fails where one has to wait."""
    chosen = compose([fix_of(edits) for edits in fixes])
    assert not chosen.waiting and not chosen.broken
    return read(text).edited(chosen.edits).text


def fix_of(edits: Sequence[Edit]) -> Fix:
    return Fix(SAFE, "a fix", tuple(edits))


def finding(source: Source, span: Span, code: str, fix: Fix | None) -> Finding:
    start, end = source.location(span.start), source.location(span.end)
    return Finding(code, code.lower(), Severity.ERROR, "m", source.path, span, start, end, start.row, fix)


def notebook(*sources: str) -> Source:
    cells = [{"cell_type": "code", "source": text.splitlines(keepends=True)} for text in sources]
    return read(json.dumps({"cells": cells}).encode(), "a.ipynb")


def comments(text: str) -> list[str]:
    lines = io.StringIO(text.replace("\r\n", "\n").replace("\r", "\n"), newline="\n")
    return [token.string for token in tokenize.generate_tokens(lines.readline) if token.type == tokenize.COMMENT]
