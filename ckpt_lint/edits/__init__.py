"""Fixes as edits of spans: builders that know Python's commas and indents, their composition, and the fixed point."""

from __future__ import annotations

from ckpt_lint.edits.arguments import add_dict_entry, add_keyword, remove_argument
from ckpt_lint.edits.compose import Composition, compose
from ckpt_lint.edits.converge import Converged, ast_parses, converge
from ckpt_lint.edits.statements import add_import, insert_after, insert_before, statement_at
from ckpt_lint.edits.values import insert, replace, wrap

__all__ = [
    "Composition",
    "Converged",
    "add_dict_entry",
    "add_import",
    "add_keyword",
    "ast_parses",
    "compose",
    "converge",
    "insert",
    "insert_after",
    "insert_before",
    "remove_argument",
    "replace",
    "statement_at",
    "wrap",
]
