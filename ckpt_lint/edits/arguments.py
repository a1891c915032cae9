"""Edits of argument lists and dicts. They read the text by its brackets and commas, so newer syntax is no obstacle.

Items are added behind the last one, in its style: on the same line, or on a line of their own where every item has
one. Several items that are added to one list in one round give one well-formed list (see `compose`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ckpt_lint.edits.values import insert, replace
from ckpt_lint.model import Edit, Span
from ckpt_lint.source.scan import Token, enclosing_quote, tokens

_STRING_KEY = re.compile(r"[A-Za-z]{0,2}(['\"])")


@dataclass(frozen=True, slots=True)
class _Items:
    """What stands between two brackets. `inner` are all tokens there, `code` those that are code."""

    open: Token
    close: Token
    inner: tuple[Token, ...]
    code: tuple[Token, ...]
    commas: tuple[Token, ...]

    @property
    def trailing_comma(self) -> Token | None:
        return self.code[-1] if self.code and self.code[-1] in self.commas else None

    @property
    def last(self) -> Token:
        """The last token of the last item."""
        return self.code[-2] if self.trailing_comma else self.code[-1]

    @property
    def starts(self) -> tuple[int, ...]:
        """Where the items start; a lambda's commas count, too."""
        return tuple(
            token.start
            for before, token in zip((self.open, *self.code), self.code)
            if before is self.open or before in self.commas
        )

    @property
    def is_comprehension(self) -> bool:
        return any(token.text == "for" and token.depth == self.open.depth + 1 for token in self.code)


def add_keyword(text: str, call: Span, keyword: str) -> tuple[Edit, ...]:
    """Add `keyword`, such as `weights_only=True`, as the last argument of the call at `call`.

    A bare generator argument gets the parentheses that it then needs; in an f-string, strings in `keyword` get the
    other quotes. No edits for a call of which only the f-string around it is known; ValueError where no call stands.
    """
    if text[call.end - 1 : call.end] in ("'", '"'):
        return ()  # the call stands in an f-string, and only the string's place is known
    keyword = _requoted(keyword, enclosing_quote(text, call.start))
    items = _items(text, call, ")")
    if items.is_comprehension:
        start, end = items.code[0].start, items.last.end
        return (*insert(start, "("), *insert(end, ")"), *insert(end, f", {keyword}"))
    return _append(text, items, keyword)


def _requoted(code: str, around: str | None) -> str:
    quote = around[0] if around else None
    other = "'" if quote == '"' else '"'
    return code if quote is None or other in code else code.replace(quote, other)


def add_dict_entry(text: str, literal: Span, key: str, value: str) -> tuple[Edit, ...]:
    """Add an entry to the dict literal or the `dict(...)` call at `literal`; `key` is the plain text of the key.

    The key of a literal is quoted as the others are. ValueError for a comprehension, or where no dict stands there,
    or where `dict(...)` cannot spell the key.
    """
    if text[literal.end - 1] in ("'", '"'):
        return ()
    if text[literal.end - 1] == ")":
        if not key.isidentifier():
            raise ValueError(f"dict() cannot spell the key {key!r}")
        return add_keyword(text, literal, f"{key}={value}")
    items = _items(text, literal, "}")
    if items.is_comprehension:
        raise ValueError("a comprehension takes no further entry")
    quotes = (_STRING_KEY.match(text, start) for start in items.starts)
    quote = next((match[1] for match in quotes if match), '"')
    return _append(text, items, f"{quote}{key}{quote}: {value}")


def remove_argument(text: str, call: Span, argument: Span) -> tuple[Edit, ...]:
    """Remove the argument at `argument` (keyword included) from the call at `call`, with its comma; comments stay."""
    if text[call.end - 1 : call.end] in ("'", '"'):
        return ()
    items = _items(text, call, ")")
    before = next(token for token in (*items.code[::-1], items.open) if token.end <= argument.start)
    behind = [token for token in (*items.code, items.close) if token.start >= argument.end]
    first = before is items.open
    if first and behind in ([items.close], [items.trailing_comma, items.close]):
        return _remove_only(items, argument)
    if not first and not _has_comment(text, before.start, argument.start):
        return replace(Span(before.start, argument.end), "")
    if behind[0] is items.close:
        return replace(_whole_line(text, argument), "")
    comma, follower = behind[:2]
    if _has_comment(text, argument.end, comma.start):
        return (*replace(argument, ""), *replace(Span(comma.start, comma.end), ""))
    if first and not _has_comment(text, comma.end, follower.start):
        return replace(Span(argument.start, follower.start), "")
    return replace(_whole_line(text, Span(argument.start, comma.end)), "")


def _remove_only(items: _Items, argument: Span) -> tuple[Edit, ...]:
    """The brackets are in the edit, so that whatever else is done to the list waits for the next round."""
    kept = [token for token in items.inner if token.end <= argument.start or token.start >= argument.end]
    inside = "".join(token.text for token in kept if token is not items.trailing_comma)
    has_comment = any(token.kind == "comment" for token in kept)
    return replace(Span(items.open.start, items.close.end), f"({inside if has_comment else ''})")


def _has_comment(text: str, start: int, end: int) -> bool:
    return any(token.kind == "comment" for token in tokens(text, start, end))


def _whole_line(text: str, span: Span) -> Span:
    """`span`, with the line that it stands alone on, or the blanks up to a comment that has the line then."""
    start = _line_start(text, span.start)
    if text[start : span.start].strip():
        return span
    rest = re.compile(r"[ \t]*(\r\n?|\n)?").match(text, span.end)
    assert rest is not None  # it matches the empty string
    return Span(start if rest[1] else span.start, rest.end())


def _items(text: str, span: Span, close: str) -> _Items:
    """The bracket that ends at the end of `span`, and what stands in it."""
    opened: list[int] = []
    found = list(tokens(text, span.start, span.end))
    for index, token in enumerate(found):
        if token.kind == "open":
            opened.append(index)
        elif token.kind == "close" and opened:
            start = opened.pop()
            if index == len(found) - 1 and token.text == close:
                inner = tuple(found[start + 1 : index])
                depth = found[start].depth + 1
                code = tuple(token for token in inner if token.is_code)
                commas = tuple(token for token in code if token.text == "," and token.depth == depth)
                return _Items(found[start], token, inner, code, commas)
    raise ValueError(f"no {close!r} closes at the end of {span}")


def _append(text: str, items: _Items, item: str) -> tuple[Edit, ...]:
    if not items.code:
        inside = "".join(token.text for token in items.inner)
        kept = inside if inside.strip() else ""
        return replace(Span(items.open.start, items.close.end), f"{items.open.text}{item}{kept}{items.close.text}")
    end = items.last.end
    indent = _own_line_indent(text, items)
    if indent is None:
        return insert(end, f", {item}")
    comma = items.trailing_comma
    comment = _comment_behind(text, items)
    if comma is None and comment is None:
        return insert(end, f",\n{indent}{item}")
    behind = comment.end if comment else (comma.end if comma else end)
    return (*(() if comma else insert(end, ",")), *insert(behind, f"\n{indent}{item},"))


def _own_line_indent(text: str, items: _Items) -> str | None:
    """The indent of the items where each stands on a line of its own (the first may follow the bracket)."""
    starts = items.starts if len(items.starts) == 1 else items.starts[1:]
    indents = [text[_line_start(text, start) : start] for start in starts]
    if any(indent.strip(" \t") for indent in indents) or len(set(indents)) != 1 or "\\" in text[_before(text, starts)]:
        return None
    comma = items.trailing_comma
    alone = comma is None or not re.compile(r"[ \t]*[^\s#]").match(text, comma.end)
    return indents[0] if alone else None


def _before(text: str, starts: tuple[int, ...]) -> slice:
    """The two characters before the line of the last item, where a backslash may stand."""
    line = _line_start(text, starts[-1])
    return slice(max(line - 3, 0), line)


def _comment_behind(text: str, items: _Items) -> Token | None:
    """A comment on the line of the last item or its comma, behind them."""
    end = (items.trailing_comma or items.last).end
    for token in items.inner:
        if token.start >= end:
            if token.kind == "newline":
                return None
            if token.kind == "comment":
                return token
    return None


def _line_start(text: str, offset: int) -> int:
    return max(text.rfind("\n", 0, offset), text.rfind("\r", 0, offset)) + 1
