"""A file to plant faults in: its text, its tree, and where nodes stand in the text."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

Edit = tuple[int, int, str]
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n|$)")
Function = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True)
class Site:
    """One place for one fault. `reason` says why the place is refused, "" where it is none.

    `ground` is for code that has nothing to spoil: edits that give it what is right, as those of the fault give it what
    is wrong. What is found in the one and not in the other is the fault's.
    """

    code: str
    row: int
    what: str
    edits: tuple[Edit, ...] = ()
    reason: str = ""
    ground: tuple[Edit, ...] = ()


@dataclass
class Source:
    """The text of a file and what `ast` says of it. `wrappers` are the project's functions that save an argument."""

    text: str
    wrappers: frozenset[str] = frozenset()
    tree: ast.Module = field(init=False)
    parents: dict[ast.AST, ast.AST] = field(init=False)
    starts: list[int] = field(init=False)

    def __post_init__(self) -> None:
        self.tree = ast.parse(self.text)
        self.parents = {child: node for node in ast.walk(self.tree) for child in ast.iter_child_nodes(node)}
        self.starts = [match.start() for match in _LINE.finditer(self.text)]

    def offset(self, row: int, column: int) -> int:
        """Turn a row from 1 and a column in UTF-8 bytes, as `ast` counts, into an offset in the text."""
        start = self.starts[row - 1]
        line = self.text[start : start + column]
        return start + (column if line.isascii() else len(self._line(row).encode()[:column].decode()))

    def _line(self, row: int) -> str:
        end = self.starts[row] if row < len(self.starts) else len(self.text)
        return self.text[self.starts[row - 1] : end]

    def span(self, node: ast.expr | ast.stmt | ast.keyword) -> tuple[int, int]:
        """Where a node begins and ends in the text."""
        assert node.end_lineno is not None and node.end_col_offset is not None
        return self.offset(node.lineno, node.col_offset), self.offset(node.end_lineno, node.end_col_offset)

    def part(self, node: ast.expr | ast.stmt) -> str:
        """The text of a node."""
        start, end = self.span(node)
        return self.text[start:end]

    def part_of(self, node: ast.AST) -> str:
        """The text of a function, or of the whole file."""
        return self.part(node) if isinstance(node, ast.stmt) else self.text

    def replace(self, node: ast.expr | ast.stmt, text: str) -> Edit:
        """The edit that puts `text` in the place of a node."""
        return (*self.span(node), text)

    def indent(self, statement: ast.stmt) -> str:
        """What stands before a statement on its line; it must be blanks."""
        start = self.span(statement)[0]
        return self.text[self.starts[statement.lineno - 1] : start]

    def stands_alone(self, statement: ast.stmt) -> bool:
        """Whether a statement has its lines for itself: no `;`, no block header before it."""
        end = self.span(statement)[1]
        rest = self.text[end : self._line_end(end)].strip()
        return not self.indent(statement).strip() and (not rest or rest.startswith("#"))

    def _line_end(self, offset: int) -> int:
        match = re.compile(r"[^\r\n]*").match(self.text, offset)
        return match.end() if match else len(self.text)

    def lines_of(self, statement: ast.stmt) -> tuple[int, int]:
        """The whole lines of a statement, its indent and its newline included."""
        start, end = self.span(statement)
        end = self._line_end(end)
        newline = re.compile(r"\r\n|\r|\n").match(self.text, end)
        return self.starts[self.text_row(start)], newline.end() if newline else end

    def text_row(self, offset: int) -> int:
        """The row, from 0, that an offset lies in."""
        low, high = 0, len(self.starts)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self.starts[middle] <= offset else (low, middle)
        return low

    def before(self, statement: ast.stmt, *lines: str) -> Edit:
        """The edit that puts lines before a statement, with its indent."""
        start = self.lines_of(statement)[0]
        return start, start, "".join(f"{self.indent(statement)}{line}\n" for line in lines)

    def after(self, statement: ast.stmt, *lines: str) -> Edit:
        """The edit that puts lines after a statement, with its indent."""
        end = self.lines_of(statement)[1]
        lead = "" if self.text[end - 1 : end] in ("\n", "\r") else "\n"
        return end, end, lead + "".join(f"{self.indent(statement)}{line}\n" for line in lines)

    def indented(self, statement: ast.stmt) -> str:
        """The whole lines of a statement, one level deeper."""
        start, end = self.lines_of(statement)
        text = self.text[start:end]
        return re.sub(r"(?m)^(?=[^\r\n])", "    ", text if text.endswith(("\n", "\r")) else text + "\n")

    @cached_property
    def calls(self) -> list[ast.Call]:
        """Every call, in source order."""
        found = [node for node in ast.walk(self.tree) if isinstance(node, ast.Call)]
        return sorted(found, key=lambda node: (node.lineno, node.col_offset))

    @cached_property
    def saves(self) -> list[ast.Call]:
        """The calls of torch.save that have an object and a file."""
        return [
            call
            for call in self.calls
            if dotted(call.func) == "torch.save" and len(call.args) == 2 and not has_unpacking(call)
        ]

    def statement(self, node: ast.AST) -> ast.stmt | None:
        """The statement that a node stands in."""
        while not isinstance(node, ast.stmt):
            if node not in self.parents:
                return None
            node = self.parents[node]
        return node

    def above(self, node: ast.AST) -> Iterator[ast.AST]:
        """What a node stands in, the nearest first."""
        while node in self.parents:
            node = self.parents[node]
            yield node

    def scope(self, node: ast.AST) -> ast.AST:
        """The function that a node stands in, else the module."""
        return next((one for one in self.above(node) if isinstance(one, Function)), self.tree)

    def block(self, statement: ast.stmt) -> list[ast.stmt]:
        """The list of statements that a statement is one of."""
        for _, value in ast.iter_fields(self.parents[statement]):
            if isinstance(value, list) and statement in value:
                return value
        return []

    @cached_property
    def docs_end(self) -> int:
        """Where an import may be put: after the docstring and `from __future__` lines."""
        last = None
        for statement in self.tree.body:
            is_doc = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
            if not is_doc and not (isinstance(statement, ast.ImportFrom) and statement.module == "__future__"):
                break
            last = statement
        return self.lines_of(last)[1] if last is not None else 0

    def importing(self, module: str) -> tuple[Edit, ...]:
        """The edit that imports a module where the file does not."""
        if re.search(rf"(?m)^import {module}[ \t]*(?:$|,|#)", self.text):
            return ()
        return ((self.docs_end, self.docs_end, f"import {module}\n"),)


Mutator = Callable[[Source], Iterator[Site]]
MODULE_NAME = re.compile(
    r"(?:^|\.)(?:model|net|network|netG|netD|generator|discriminator|encoder|decoder|policy|backbone|actor_critic|"
    r"unet|unwrapped_model|transformer|\w+_model|model_\w+|\w+_net)$"
)
OPTIMIZER_NAME = re.compile(r"optim|(?:^|\.)opt(?:_\w+)?$", re.IGNORECASE)
SCHEDULER_NAME = re.compile(r"sched", re.IGNORECASE)
SCALER_NAME = re.compile(r"scaler", re.IGNORECASE)
EMA_NAME = re.compile(r"(?:^|[._])ema(?:$|[._])|averaged|swa_model", re.IGNORECASE)


def dotted(node: ast.AST) -> str:
    """The dotted text of a chain of names; "" for anything else."""
    parts = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else ""


def keyword(call: ast.Call, name: str) -> ast.keyword | None:
    """The keyword argument of that name."""
    return next((one for one in call.keywords if one.arg == name), None)


def has_unpacking(call: ast.Call) -> bool:
    """Whether arguments are unpacked into the call."""
    return any(one.arg is None for one in call.keywords) or any(isinstance(one, ast.Starred) for one in call.args)


def made_by_parameter(source: Source, scope: ast.AST, name: str) -> bool:
    """Whether a module comes from the caller, or out of something that does: `model = model(**vars(args))`."""
    if not isinstance(scope, Function):
        return False
    given = {one.arg for one in ast.walk(scope.args) if isinstance(one, ast.arg)}
    made = [
        node.value.func
        for node in ast.walk(scope)
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and dotted(node.targets[0]) == name
    ]
    given |= {  # `model = MODELS[args.model]`, and then `model = model(...)`
        dotted(node.targets[0])
        for node in ast.walk(scope)
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Subscript)
    }
    return name in given or any(dotted(func).partition(".")[0] in given for func in made)


def built_over_another(source: Source, scope: ast.AST, call: ast.Call) -> bool:
    """Whether a module is built from one: `DataParallel(model)`, `Encoder(tacotron)` where a call made `tacotron`."""
    handed = {dotted(one).partition(".")[0] for one in [*call.args, *(given.value for given in call.keywords)]} - {""}
    for node in ast.walk(scope):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and dotted(node.targets[0]) in handed:
            if re.search(r"model|net|load|module", dotted(node.value.func), re.IGNORECASE):
                return True
    return any(MODULE_NAME.search(name) for name in handed)


def saves(source: Source) -> list[ast.Call]:
    """The calls of torch.save that have an object and a file."""
    return source.saves


def own_parameters(source: Source, node: ast.AST) -> frozenset[str]:
    """The parameters of the function that a node stands in."""
    scope = source.scope(node)
    return (
        frozenset(one.arg for one in ast.walk(scope.args) if isinstance(one, ast.arg))
        if isinstance(scope, Function)
        else frozenset()
    )


def handed_over(source: Source) -> list[ast.Call]:
    """The calls of torch.save and of the project's wrappers around it that are given a dict or a name to save."""
    return [
        call
        for call in source.calls
        if call in saves(source)
        or (dotted(call.func).rpartition(".")[2] in source.wrappers and call.args and not has_unpacking(call))
    ]


def wrappers_of(tree: ast.Module) -> frozenset[str]:
    """The functions of a file that pass a parameter itself, or all arguments, to torch.save."""
    found = set()
    for node in ast.walk(tree):
        if not isinstance(node, Function) or node.name == "save":
            continue
        named = [one.arg for one in node.args.args if one.arg != "self"][:1]
        for call in ast.walk(node):
            if isinstance(call, ast.Call) and dotted(call.func) == "torch.save" and call.args:
                first = call.args[0]
                starred = isinstance(first, ast.Starred) and node.args.vararg is not None
                if starred or (isinstance(first, ast.Name) and [first.id] == named):
                    found.add(node.name)
    return frozenset(found)


def loads(source: Source) -> list[ast.Call]:
    """The calls of torch.load with a file."""
    return [
        call for call in source.calls if dotted(call.func) == "torch.load" and call.args and not has_unpacking(call)
    ]


def owner_of_state(node: ast.AST) -> str:
    """The dotted name in `NAME.state_dict()`; "" for anything else."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "state_dict":
        return dotted(node.func.value) if not node.args and not node.keywords else ""
    return ""


def kind_of(name: str) -> str:
    """What a name conventionally is: optimizer, scheduler, scaler, ema, model or ""."""
    last = name.rpartition(".")[2]
    for kind, pattern in (
        ("scheduler", SCHEDULER_NAME), ("scaler", SCALER_NAME), ("ema", EMA_NAME), ("optimizer", OPTIMIZER_NAME),
    ):  # fmt: skip
        if pattern.search(last):
            return kind
    return "model" if MODULE_NAME.search(name) else ""


def restores(source: Source) -> list[ast.Call]:
    """The calls of the method load_state_dict on a plain name."""
    return [
        call
        for call in source.calls
        if isinstance(call.func, ast.Attribute)
        and call.func.attr == "load_state_dict"
        and dotted(call.func.value)
        and not dotted(call.func.value).startswith(("super", "torch"))
        and call.args
        and not has_unpacking(call)
    ]


def receiver(call: ast.Call) -> str:
    """The name before the method."""
    return dotted(call.func.value) if isinstance(call.func, ast.Attribute) else ""


def without_argument(source: Source, call: ast.Call, removed: ast.keyword | ast.expr) -> Edit:
    """The edit that takes an argument with its comma out of a call."""
    start, end = source.span(removed)
    after = re.compile(r"\s*,[ \t]*").match(source.text, end)
    arguments: list[ast.expr | ast.keyword] = sorted([*call.args, *call.keywords], key=lambda one: source.span(one)[0])
    place = arguments.index(removed)
    if place > 0:
        return source.span(arguments[place - 1])[1], end, ""
    return start, after.end() if after else end, ""


def with_keyword(source: Source, call: ast.Call, text: str) -> Edit:
    """The edit that adds a keyword at the end of a call that has arguments."""
    last = max([*call.args, *call.keywords], key=lambda one: source.span(one)[1])
    end = source.span(last)[1]
    return end, end, f", {text}"


def apply(text: str, edits: tuple[Edit, ...]) -> str:
    """Apply edits that do not overlap."""
    for start, end, new in sorted(edits, reverse=True):
        text = text[:start] + new + text[end:]
    return text
