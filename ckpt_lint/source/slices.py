"""Slicing: what no rule can ask about is left out, of the text that LibCST sees and of the draft.

Left out are long docstrings, and the bodies of functions in which nothing is saved, loaded or restored, nothing tells of
ranks, and which have nothing to do, by name and `CALL_HOPS` calls away, with one that does; of a class with such a
method the methods that set attributes stay too. A stretch becomes one string of blanks, a single node for LibCST, which
makes one of every empty line: every other character keeps its place. The findings are those of the whole
text: tests and benchmarks hold them against `--no-gate`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from ckpt_lint.source.gate import may_matter
from ckpt_lint.source.positions import NEWLINE

CALL_HOPS = 2
_QUOTES = '"' * 3
SMALL = 300
"""Characters up to which nothing is worth blanking."""

_WORDS = re.compile(
    r"state_dict|torch\s*\.\s*(?:load|save)|(?:[.( ]|^)(?:load|save)\(|save_checkpoint|load_checkpoint|load_url"
    r"|torch_load|torch_save|pickle|joblib|WEIGHTS_ONLY|dcp|dist_cp|rng_state|safetensors"
    r"|(?<![a-z])save(?!_pretrained|_image|fig\(|txt\()\w*\("
)
"""What is saved, loaded or restored."""

_CONTEXT = re.compile(
    r"(?<![A-Za-z_.])(?:checkpoint|ckpt)s?(?![A-Za-z_(])|(?:checkpoint|ckpt)_(?:path|dir|file|name)|init_process_group|DataParallel|RANK|main_process"
    r"|ArgumentParser|parse_args|barrier\(|broadcast\w*\(|all_gather|download|urlopen|urlretrieve|requests\.|torch\.compile|GradScaler|no_grad"
    r"|inference_mode|set_grad_enabled|jit\.trace|\.eval\(|\.train\(|\.backward\(|\.cuda\("
    r"|\.to\((?:device|self\.device|args|[\"']cuda)"
)
"""What tells of the model, the ranks and the training loop around that: asked for where something is done at all."""

_DEED = re.compile(
    r"state_dict\s*\(|torch\s*\.\s*(?:load|save)\b|\.\s*(?:load|save)\s*\(|load_url|torch_load|pickle|joblib"
    r"|(?<![a-z])(?:load|save|restore|resume)(?!_(?:image|video|audio|wav|dataset|data|lora|ip_adapter|textual)|txt|s\()\w*\("
    r"|(?:checkpoint|ckpt)\w*\("
)
_SETS_ATTRIBUTE = re.compile(r"\bself\.\w+\s*(?::[^=\n]+)?=[^=]")
_INSIDE_LINES = re.compile(r"[^\r\n]+")
_CALL = re.compile(r"\b([A-Za-z_]\w*)\(")
_ALIAS = re.compile(r"\b(\w+)[ \t]*=[ \t]*torch\s*\.\s*(?:load|save)\b|\b(?:load|save)[ \t]+as[ \t]+(\w+)")
_DEFINED = re.compile(r"\b(?:def|class)\s+\w+")


@dataclass(slots=True)
class _Stretch:
    """A body, or a docstring (then `name` is ""), that may be blanked: the first statement of `body`, or all of it."""

    name: str
    start: int
    end: int
    text: str
    holder: int
    body: list[ast.stmt]
    kept: bool = False


class _Lines:
    """Offsets of `ast` places: lines from 1, columns in UTF-8 bytes."""

    def __init__(self, code: str) -> None:
        self.code = code
        self.starts = [0] + [match.end() for match in NEWLINE.finditer(code)]

    def offset(self, line: int, column: int) -> int:
        start = self.starts[line - 1]
        head = self.code[start : start + column]
        if head.isascii():
            return start + len(head)
        return start + len(head.encode("utf-8", "surrogatepass")[:column].decode("utf-8", "ignore"))


def cut(code: str, module: ast.Module) -> list[tuple[int, int]]:
    """Cut what cannot matter out of `module`. Returns where it stands in the text, in its order, for `blanked`."""
    stretches = sorted(_stretches(_Lines(code), module), key=lambda s: (s.start, -s.end))
    outside = _outside(code, stretches)
    busy = bool(_DEED.search(outside)) or any(_DEED.search(s.text) for s in stretches)
    _keep(
        [stretch for stretch in stretches if stretch.name],
        busy=busy or not may_matter(code.encode("utf-8", "surrogatepass")),
        called=frozenset(_CALL.findall(_DEFINED.sub("", outside))) if _WORDS.search(outside) else frozenset(),
        aliases=tuple(f"{one or other}(" for one, other in _ALIAS.findall(outside)),
    )
    places, done = list[tuple[int, int]](), 0
    for stretch in stretches:
        if stretch.kept or stretch.start < done:
            continue
        done = stretch.end
        places.append((stretch.start, done))
        last = stretch.body[-1] if stretch.name else stretch.body[0]
        stretch.body[: len(stretch.body) if stretch.name else 1] = [_empty_text(stretch.body[0], last)]
    return places


def blanked(code: str, places: list[tuple[int, int]]) -> str:
    """The text with each of the places one string of blanks: of the same length, and with the same lines."""
    pieces, done = [], 0
    for start, end in places:
        pieces.append(code[done:start])
        pieces.append(_QUOTES + _blank(code[start + 3 : end - 3]) + _QUOTES)
        done = end
    pieces.append(code[done:])
    return "".join(pieces)


def _outside(code: str, stretches: list[_Stretch]) -> str:
    """The text without docstrings and the bodies of functions: what runs when the module is imported."""
    pieces, done = [], 0
    for stretch in stretches:
        if stretch.start >= done:
            pieces.append(code[done : stretch.start])
            done = stretch.end
    pieces.append(code[done:])
    return "".join(pieces)


def _blank(text: str) -> str:
    """Spaces of the same length, on the same lines."""
    return _INSIDE_LINES.sub(lambda match: " " * len(match[0]), text)


def _empty_text(first: ast.stmt, last: ast.stmt) -> ast.stmt:
    """A text where statements were."""
    text = ast.Constant(value="")
    statement = ast.Expr(value=text)
    for node in (text, statement):
        node.lineno, node.col_offset = first.lineno, first.col_offset
        node.end_lineno, node.end_col_offset = last.end_lineno, last.end_col_offset
    return statement


def _stretches(lines: _Lines, module: ast.Module) -> Iterator[_Stretch]:
    """Functions worth blanking (nested ones belong to the outermost), and docstrings."""
    stack: list[tuple[list[ast.stmt], int]] = [(module.body, -1)]
    while stack:
        body, holder = stack.pop()
        docstring = _docstring(lines, body)
        if docstring is not None:
            yield docstring
        for node in body if holder != -2 else ():
            if isinstance(node, ast.ClassDef):
                stack.append((node.body, node.lineno))
            elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                found = _function(lines, node, holder)
                if found is not None:
                    yield found
                stack.append((node.body, -2))
            elif isinstance(node, (ast.If, ast.Try, ast.With)):
                stack.extend((block, holder) for block in _blocks(node))


def _blocks(node: ast.If | ast.Try | ast.With) -> Iterator[list[ast.stmt]]:
    yield node.body
    yield getattr(node, "orelse", [])
    yield getattr(node, "finalbody", [])
    for handler in getattr(node, "handlers", []):
        yield handler.body


def _docstring(lines: _Lines, body: list[ast.stmt]) -> _Stretch | None:
    first = body[0] if body else None
    if first is None or not _is_docstring(first):
        return None
    start, end = _place(lines, first, first)
    if end - start <= SMALL or _has_lines_at_its_rims(lines.code, start, end):
        return None
    return _Stretch("", start, end, "", -1, body)


def _has_lines_at_its_rims(code: str, start: int, end: int) -> bool:
    """Whether a line ends where the quotes of the blank string would be."""
    rims = code[start : start + 3] + code[end - 3 : end]
    return "\n" in rims or "\r" in rims


def _place(lines: _Lines, first: ast.stmt, last: ast.stmt) -> tuple[int, int]:
    end = lines.offset(last.end_lineno or last.lineno, last.end_col_offset or 0)
    return lines.offset(first.lineno, first.col_offset), end


def _function(lines: _Lines, node: ast.FunctionDef | ast.AsyncFunctionDef, holder: int) -> _Stretch | None:
    first = node.body[0]
    if getattr(first, "decorator_list", None):
        return None  # its first line is that of a decorator; not worth the care
    start, end = _place(lines, first, node.body[-1])
    line_start = lines.starts[first.lineno - 1]
    if end - start <= SMALL or lines.code[line_start:start].strip(" \t\f"):
        return None
    if _has_lines_at_its_rims(lines.code, start, end):
        return None
    told = _place(lines, first, first)[1] if _is_docstring(first) else start
    return _Stretch(node.name, start, end, lines.code[told:end], holder, node.body)


def _is_docstring(first: ast.stmt) -> bool:
    return isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)


def _keep(functions: list[_Stretch], *, busy: bool, called: frozenset[str], aliases: tuple[str, ...]) -> None:
    """Mark what stays: by its words, by its class, by who calls it or whom it calls.

    `called` are functions that stay, `aliases` are calls of `torch.save` under another name.
    """
    classes: set[int] = set()
    for function in functions:
        text = function.text
        named = function.name in called or any(alias in text for alias in aliases)
        if named or _WORDS.search(text) or (busy and _CONTEXT.search(text)):
            function.kept = True
            classes.add(function.holder)
    for function in functions:
        if function.holder in classes and function.holder >= 0 and _SETS_ATTRIBUTE.search(function.text):
            function.kept = True
    fresh = [f for f in functions if f.kept]
    for _ in range(CALL_HOPS):
        calls = [f"{f.name}(" for f in fresh if not f.name.startswith("__")]
        inner = {name for f in fresh for name in _CALL.findall(f.text)}
        left = [f for f in functions if not f.kept]
        fresh = [f for f in left if f.name in inner or any(call in f.text for call in calls)]
        for function in fresh:
            function.kept = True
