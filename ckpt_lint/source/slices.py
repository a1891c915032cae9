"""Slicing: what no rule can ask about is left out, of the text that LibCST sees and of the draft.

Left out are long docstrings, and the bodies of functions in which nothing is saved, loaded or restored, nothing tells of
ranks, and which have nothing to do, by name and `CALL_HOPS` calls away, with one that does, however short that is. What
a function shares with others is a tie, too: of a class with a method that stays, and of its bases, the methods stay that
change attributes or tell what these are, and so does whatever does so to a variable of the module. Functions that may
give back an object of a class of their file stay. A stretch becomes one string of blanks, a single node for LibCST, which
makes one of every empty line: every other character keeps its place.
The findings are those of the whole text: tests and benchmarks hold them against `--no-gate`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ckpt_lint.model import Span
from ckpt_lint.source.aliases import aliases
from ckpt_lint.source.gate import may_matter
from ckpt_lint.source.lines import line_starts

CALL_HOPS = 2
_QUOTES = '"' * 3
SMALL = 300
"""Characters up to which nothing is worth blanking."""

_WORDS = re.compile(
    r"state_dict|torch\s*\.\s*(?:load|save)|l(?<![^.( ]l)oad\(|s(?<![^.( ]s)ave\(|save_checkpoint|load_checkpoint|load_url"
    r"|torch_load|torch_save|pickle|joblib|WEIGHTS_ONLY|dcp|dist_cp|rng_state|safetensors|\"module\.|'module\."
    r"|s(?<![a-z]s)ave(?!_pretrained|_image|fig\(|txt\()\w*\(|last_epoch\s*=(?!=)"
)
"""What is saved, loaded or restored, and what makes a schedule anew where it was.

Here and below every branch begins with a letter that stands for itself, and looks behind after it: so the text is
searched for first letters, which is several times faster than trying each branch at each place.
"""

_CONTEXT = re.compile(
    r"c(?<![A-Za-z_.]c)(?:heckpoint|kpt)s?(?![A-Za-z_(])|c(?:heckpoint|kpt)_(?:path|dir|file|name)|init_process_group"
    r"|DataParallel|RANK|main_process|ArgumentParser|parse_args|barrier\(|broadcast\w*\(|all_gather|download|urlopen"
    r"|urlretrieve|requests\.|torch\.compile|GradScaler|no_grad|amp\.initialize\(|inference_mode|set_grad_enabled"
    r"|jit\.trace|\.eval\(|\.train\(|\.backward\(|\.cuda\(|\.to\((?:device|self\.device|args|[\"']cuda)"
)
"""What tells of the model, the ranks and the training loop around that: asked for where something is done at all."""

_DEED = re.compile(
    r"state_dict\s*\(|torch\s*\.\s*(?:load|save)\b|\.\s*(?:load|save)\s*\(|load_url|torch_load|pickle|joblib"
    r"|l(?<![a-z]l)oad@|s(?<![a-z]s)ave@|r(?<![a-z]r)e(?:store|sume)@|checkpoint\w*\(|ckpt\w*\(".replace(
        "@", r"(?!_(?:image|video|audio|wav|dataset|data|lora|ip_adapter|textual)|txt|s\()\w*\("
    )
)
_SHOWS_TORCH = re.compile(r"\.\s*(?:optim|(?:Float|Long|Byte)Tensor)\b")
"""What `source.names` tells by that a name of a star import is torch."""

_CHANGED = re.compile(
    r"\b([A-Za-z_]\w*)(?:\.\w+|\[[^\]\n]{0,200}\]){1,6}\s*(?::[^=\n]{1,200})?(?:[-+*/%@&|^]|//|\*\*|>>|<<)?=(?!=)"
    r"|\b(?:for|as|del)\s+([A-Za-z_]\w*)[.\[]|\bsetattr\(\s*([A-Za-z_]\w*)"
)
"""What a part is bound in, in the first group that is there: `self.x = ...`, `state["x"] += ...`."""

_GROWN = re.compile(
    r"\b([A-Za-z_]\w*)((?:\.\w+|\[[^\]\n]{0,200}\]){0,6})"
    r"\.(?:append|appendleft|extend|insert|update|setdefault|add|pop|remove|clear|step|zero_grad|unscale_|scale"
    r"|parameters|named_parameters|modules|named_modules|children|forward|half|float|bfloat16|requires_grad_)\("
)
"""What takes more in, or shows what it is: `self.losses.append(...)`."""

_TARGETS = re.compile(r"^[^=\n(#]*=(?!=)", re.MULTILINE)
_ATTRIBUTE = re.compile(r"\b[A-Za-z_]\w*\.(\w+)\b(?!\()")
_ATTRIBUTE_CALLED = re.compile(r"\b[A-Za-z_]\w*\.(\w+)\(")
_NAME = re.compile(r"[A-Za-z_]\w*")
_INSIDE_LINES = re.compile(r"[^\r\n]+")
_CALL = re.compile(r"\b([A-Za-z_]\w*)\(")
_DEFINED = re.compile(r"\b(?:def|class)\s+\w+")


@dataclass(slots=True)
class _Stretch:
    """A body, or a docstring (then `name` is ""), that may be blanked: the first statement of `body`, or all of it.

    `holder` is the class (by its line) of a method, else -1; a `fixed` one is not worth blanking, or must not be.
    """

    name: str
    start: int
    end: int
    text: str
    holder: int
    body: list[ast.stmt]
    fixed: bool = False
    kept: bool = False
    called: frozenset[str] | None = None
    annotated: frozenset[str] = frozenset()
    """What its parameters are said to be: whether such an object may be loaded is told by how it is made."""


@dataclass(frozen=True, slots=True)
class _Shared:
    """What functions share: the module's variables, and classes (by line): their names, and their bases in the module."""

    variables: frozenset[str]
    classes: dict[int, str]
    bases: dict[int, tuple[int, ...]]


class _Lines:
    """Offsets of `ast` places: lines from 1, columns in UTF-8 bytes."""

    def __init__(self, code: str) -> None:
        self.code = code
        self.starts = line_starts(code)

    def offset(self, line: int, column: int) -> int:
        start = self.starts[line - 1]
        head = self.code[start : start + column]
        if head.isascii():
            return start + len(head)
        return start + len(head.encode("utf-8", "surrogatepass")[:column].decode("utf-8", "ignore"))


def cut(code: str, module: ast.Module) -> list[tuple[int, int]]:
    """Cut what cannot matter out of `module`. Returns where it stands in the text, in its order, for `blanked`."""
    stretches = sorted(_stretches(_Lines(code), module), key=lambda s: (s.start, -s.end))
    functions = [stretch for stretch in stretches if stretch.name]
    outside = _Stretch("", 0, 0, _outside(code, stretches), -1, [], fixed=True)
    busy = any(_DEED.search(s.text) for s in (outside, *functions))
    _keep(
        functions,
        outside,
        busy=busy or not may_matter(code.encode("utf-8", "surrogatepass")),
        aliases=tuple(f"{name}(" for name in aliases(code)),
        starred="import *" in code,
        shared=_shared(module),
    )
    return _cut_out(stretches)


def leave(code: str, module: ast.Module, at: Sequence[Span]) -> list[tuple[int, int]]:
    """Cut all functions out of `module` but those that one of the places `at` lies in; as `cut` does."""
    stretches = sorted(_stretches(_Lines(code), module), key=lambda s: (s.start, -s.end))
    for stretch in stretches:
        stretch.kept = bool(stretch.name) and any(stretch.start <= span.end and span.start <= stretch.end for span in at)
    return _cut_out(stretches)


def _cut_out(stretches: list[_Stretch]) -> list[tuple[int, int]]:
    places, done = list[tuple[int, int]](), 0
    for stretch in stretches:
        if stretch.kept or stretch.fixed or stretch.start < done:
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
                yield _function(lines, node, holder)
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


def _function(lines: _Lines, node: ast.FunctionDef | ast.AsyncFunctionDef, holder: int) -> _Stretch:
    first = node.body[0]
    start, end = _place(lines, first, node.body[-1])
    line_start = lines.starts[first.lineno - 1]
    fixed = (
        end - start <= SMALL
        or bool(getattr(first, "decorator_list", None))  # its first line is that of a decorator; not worth the care
        or bool(lines.code[line_start:start].strip(" \t\f"))
        or _has_lines_at_its_rims(lines.code, start, end)
    )
    told = _place(lines, first, first)[1] if _is_docstring(first) else start
    notes = [arg.annotation for arg in node.args.args if arg.annotation is not None]
    names = frozenset(part.id for note in notes for part in ast.walk(note) if isinstance(part, ast.Name))
    return _Stretch(node.name, start, end, lines.code[told:end], holder, node.body, fixed, annotated=names)


def _is_docstring(first: ast.stmt) -> bool:
    return isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)


def _keep(
    functions: list[_Stretch],
    outside: _Stretch,
    *,
    busy: bool,
    aliases: tuple[str, ...],
    starred: bool,
    shared: _Shared,
) -> None:
    """Mark what stays: by its words, by what it shares with what stays, by who calls it or whom it calls.

    `outside` is what runs at import, one more body; `aliases` are calls of `torch.save` under another name; `starred` says
    that a star import may have brought torch under any name.
    """
    made = tuple(f"{name}(" for name in shared.classes.values())
    called = _calls(outside) if _WORDS.search(outside.text) else frozenset[str]()
    for function in functions:
        text = function.text
        named = function.name in called or any(alias in text for alias in aliases)
        named = named or (starred and _SHOWS_TORCH.search(text) is not None)
        if named or _WORDS.search(text) or (busy and _CONTEXT.search(text)) or _makes(function, made):
            function.kept = True
    outside.kept = bool(called)
    _keep_ties(functions, shared)
    bodies = [outside, *functions]
    fresh = [f for f in bodies if f.kept]
    for _ in range(CALL_HOPS):
        names = {f.name for f in fresh if f.name and not f.name.startswith("__")}
        inner = {name for f in fresh for name in (*_calls(f), *f.annotated)}
        left = [f for f in bodies if not f.kept]
        fresh = [f for f in left if _called_as(f, shared) in inner or not names.isdisjoint(_calls(f))]
        for function in fresh:
            function.kept = True


def _makes(function: _Stretch, made: tuple[str, ...]) -> bool:
    """Whether a function, no method, may give back an object of a class of its file."""
    return function.holder < 0 and "return" in function.text and any(call in function.text for call in made)


def _called_as(function: _Stretch, shared: _Shared) -> str:
    return shared.classes.get(function.holder, "") if function.name == "__init__" else function.name


def _calls(body: _Stretch) -> frozenset[str]:
    """The last names of what is called."""
    if body.called is None:
        body.called = frozenset(_CALL.findall(body.text if body.name else _DEFINED.sub("", body.text)))
    return body.called


def _keep_ties(functions: list[_Stretch], shared: _Shared) -> None:
    """Mark the methods that touch attributes of a class with a method that stays, and what touches variables."""
    holders = {f.holder for f in functions if f.kept and f.holder >= 0}
    stack = list(holders)
    while stack:
        new = [line for line in shared.bases.get(stack.pop(), ()) if line not in holders]
        holders.update(new)
        stack.extend(new)
    told = {line: set[str]() for line in holders}
    for function in functions:
        if function.kept and function.holder in told:
            told[function.holder].update(_ATTRIBUTE.findall(function.text))
    for function in functions:
        if function.kept:
            continue
        inside = function.holder in holders
        function.kept = _touches(function.text, shared.variables, attributes=inside) or (
            inside and not told[function.holder].isdisjoint(_ATTRIBUTE_CALLED.findall(function.text))
        )


def _touches(text: str, variables: frozenset[str], *, attributes: bool) -> bool:
    """Whether a body changes an attribute of anything, where `attributes` says so, or one of `variables`."""
    if "global " in text:
        return True
    if not attributes and variables.isdisjoint(_NAME.findall(text)):
        return False
    for match in _CHANGED.finditer(text):
        if attributes or (match[1] or match[2] or match[3]) in variables:
            return True
    for match in _GROWN.finditer(text):
        if (attributes and match[2]) or match[1] in variables:
            return True
    for match in _TARGETS.finditer(text):
        targets = match[0]
        several = "," in targets or targets.lstrip().startswith((")", "]"))
        if several and attributes and ("." in targets or targets.lstrip().startswith((")", "]"))):
            return True
        if several and ("." in targets or "[" in targets) and not variables.isdisjoint(_NAME.findall(targets)):
            return True
    return False


def _shared(module: ast.Module) -> _Shared:
    """The variables and classes of a module, those in its branches included."""
    variables: set[str] = set()
    lines: dict[str, list[int]] = {}
    classes: list[ast.ClassDef] = []
    stack: list[ast.stmt] = list(module.body)
    while stack:
        node = stack.pop()
        if isinstance(node, ast.ClassDef):
            classes.append(node)
            lines.setdefault(node.name, []).append(node.lineno)
            stack.extend(inner for inner in node.body if isinstance(inner, ast.ClassDef))
        elif isinstance(node, (ast.If, ast.Try, ast.With)):
            for block in _blocks(node):
                stack.extend(block)
        elif isinstance(node, (ast.Assign, ast.AnnAssign, ast.AugAssign)):
            for target in node.targets if isinstance(node, ast.Assign) else (node.target,):
                variables.update(part.id for part in ast.walk(target) if isinstance(part, ast.Name))
    bases = {
        node.lineno: tuple(line for base in node.bases for line in lines.get(_last_name(base), ())) for node in classes
    }
    return _Shared(frozenset(variables), {node.lineno: node.name for node in classes}, bases)


def _last_name(base: ast.expr) -> str:
    return base.attr if isinstance(base, ast.Attribute) else base.id if isinstance(base, ast.Name) else ""
