"""What setup.cfg and setup.py say of torch. Nothing is executed: setup.py is read for its literals only."""

from __future__ import annotations

import ast
import configparser
import re

from ckpt_lint.project.pyproject import names_torch
from ckpt_lint.project.requirements import is_torch, read_requirement, read_requirements_file
from ckpt_lint.project.torch_requirement import Sink, TorchRequirement, Unreadable

_LISTS = frozenset({"install_requires", "tests_require", "setup_requires"})
# Arguments and names whose strings are words about the package and no requirements.
_WORDS = re.compile(r"keyword|classifier|package|module|description|author|url|name|license", re.IGNORECASE)
_REQUIREMENTS = re.compile(r"requi|depend|deps|extra|install", re.IGNORECASE)
_HAS_VERSION = re.compile(r"[<>=~@]")
_DEEPEST = 200


def read_setup_cfg(path: str, text: str, sink: Sink) -> None:
    """Add `install_requires` and the extras of a setup.cfg, and the files that `file:` names."""
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read_string(text.removeprefix("\ufeff"))
    except configparser.Error as error:
        if names_torch(text):
            sink.add(Unreadable(path, None, f"does not parse: {str(error).splitlines()[0]}"))
        return
    for key in sorted(_LISTS - {"setup_requires"}):
        _read_block(parser.get("options", key, fallback=""), path, sink, group="")
    if parser.has_section("options.extras_require"):
        for name, block in parser.items("options.extras_require"):
            _read_block(block, path, sink, group=name)


def _read_block(block: str, path: str, sink: Sink, *, group: str) -> None:
    if block.strip().startswith("file:"):
        folder = path.rpartition("/")[0]
        for name in block.strip()[5:].replace("\n", ",").split(","):
            full = f"{folder}/{name.strip()}" if folder else name.strip()
            content = sink.read(full) if name.strip() else None
            if content is not None:
                read_requirements_file(full, content, sink)
        return
    for line in re.split(r"\n", block):
        _read_one(line.partition(" #")[0], path, sink, None, group=group, conditional=False)


def read_setup_py(path: str, text: str, sink: Sink) -> None:
    """Add the requirements among the literals of a setup.py.

    Every string counts that stands in a list, tuple, set or dict, or is appended to a list, and reads as a requirement
    of torch with a version; the bare name counts where the list is called or used as requirements. What an `if`
    decides counts as one of several environments. Formatted strings are read with names that are bound once to
    literals.
    """
    try:
        tree = ast.parse(text.removeprefix("\ufeff"))
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        if names_torch(text):
            sink.add(Unreadable(path, getattr(error, "lineno", None), "does not parse as Python"))
        return
    _SetupReader(path, sink, _constants(tree)).statements(tree.body, conditional=False)


def _constants(tree: ast.Module) -> dict[str, str]:
    """Names of the module that are bound exactly once, to a string literal."""
    bound: dict[str, list[ast.expr]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    bound.setdefault(target.id, []).append(node.value)
        elif isinstance(node, (ast.AnnAssign, ast.AugAssign)) and isinstance(node.target, ast.Name) and node.value:
            bound.setdefault(node.target.id, []).append(node.value)
    return {
        name: values[0].value
        for name, values in bound.items()
        if len(values) == 1 and isinstance(values[0], ast.Constant) and isinstance(values[0].value, str)
    }


class _SetupReader:
    """Walks the statements of a setup.py and hands the strings in its collections to the sink."""

    def __init__(self, path: str, sink: Sink, constants: dict[str, str]) -> None:
        self.path = path
        self.sink = sink
        self.constants = constants

    def statements(self, body: list[ast.stmt], *, conditional: bool, depth: int = 0) -> None:
        """Read a block; what stands under an `if` or an `except` is conditional."""
        if depth > _DEEPEST:
            return
        for statement in body:
            inside = conditional or isinstance(statement, (ast.If, ast.Try, ast.ExceptHandler, ast.IfExp))
            for _, value in ast.iter_fields(statement):
                if isinstance(value, list) and value and isinstance(value[0], (ast.stmt, ast.ExceptHandler)):
                    self.statements(value, conditional=inside, depth=depth + 1)
            self._statement(statement, conditional)

    def _statement(self, statement: ast.stmt | ast.ExceptHandler, conditional: bool) -> None:
        if isinstance(statement, ast.Assign):
            name = next((_name(target) for target in statement.targets), "")
            self._value(statement.value, name, conditional)
        elif isinstance(statement, (ast.AnnAssign, ast.AugAssign)) and statement.value is not None:
            self._value(statement.value, _name(statement.target), conditional)
        elif isinstance(statement, (ast.Expr, ast.Return)) and statement.value is not None:
            self._value(statement.value, "", conditional)

    def _value(self, value: ast.expr, name: str, conditional: bool) -> None:
        stack: list[tuple[ast.AST, str, bool, bool]] = [(value, name, conditional, False)]
        while stack:
            node, about, under_if, collected = stack.pop()
            if _WORDS.search(about) and not _REQUIREMENTS.search(about):
                continue
            if isinstance(node, ast.Call):
                stack.extend(_parts_of_call(node, about, under_if))
            elif isinstance(node, ast.IfExp):
                stack.extend((part, about, True, collected) for part in (node.body, node.orelse))
            elif isinstance(node, ast.Dict):
                stack.extend(self._parts_of_dict(node, about, under_if))
            elif isinstance(node, (ast.Constant, ast.JoinedStr)):
                if collected:
                    self._string(node, about, under_if)
            elif isinstance(node, (ast.List, ast.Tuple, ast.Set)):
                stack.extend((part, about, under_if, True) for part in node.elts)
            else:
                stack.extend((part, about, under_if, collected) for part in ast.iter_child_nodes(node))

    def _parts_of_dict(self, node: ast.Dict, about: str, under_if: bool) -> list[tuple[ast.AST, str, bool, bool]]:
        parts: list[tuple[ast.AST, str, bool, bool]] = []
        for key, part in zip(node.keys, node.values, strict=True):
            label = key.value if isinstance(key, ast.Constant) and isinstance(key.value, str) else ""
            version = part.value if isinstance(part, ast.Constant) and isinstance(part.value, str) else ""
            if is_torch(label) and re.match(r"\s*[<>=~]", version):
                # A table of versions: {"torch": ">=1.8"}.
                self._add(f"{label}{version}", node.lineno, about, under_if)
                continue
            nested = label if _REQUIREMENTS.search(label) or not about else f"{about}.{label}"
            parts.append((part, nested, under_if, True))
        return parts

    def _string(self, node: ast.Constant | ast.JoinedStr, about: str, under_if: bool) -> None:
        text = self._text(node)
        if text is not None and (_HAS_VERSION.search(text) or _REQUIREMENTS.search(about)):
            self._add(text, node.lineno, about, under_if)

    def _add(self, text: str, row: int, about: str, under_if: bool) -> None:
        if about != "setup_requires":
            _read_one(text, self.path, self.sink, row, group=about, conditional=under_if)

    def _text(self, node: ast.expr) -> str | None:
        if isinstance(node, ast.Constant):
            return node.value if isinstance(node.value, str) else None
        parts = []
        for part in node.values if isinstance(node, ast.JoinedStr) else []:
            if isinstance(part, ast.Constant):
                parts.append(str(part.value))
            elif isinstance(part, ast.FormattedValue) and isinstance(part.value, ast.Name):
                if part.value.id not in self.constants:
                    return None
                parts.append(self.constants[part.value.id])
        return "".join(parts)


def _parts_of_call(node: ast.Call, about: str, under_if: bool) -> list[tuple[ast.AST, str, bool, bool]]:
    """The arguments of a call, each with what it is about: the keyword, or the list that is appended to."""
    called = node.func.attr if isinstance(node.func, ast.Attribute) else ""
    grows = called in ("append", "insert", "add")
    if grows or called in ("extend", "update"):
        assert isinstance(node.func, ast.Attribute)
        about = _name(node.func.value)
    parts: list[tuple[ast.AST, str, bool, bool]] = [(part, about, under_if, grows) for part in node.args]
    parts.extend((keyword.value, keyword.arg or about, under_if, False) for keyword in node.keywords)
    return parts


def _name(node: ast.expr) -> str:
    while isinstance(node, (ast.Subscript, ast.Starred)):
        node = node.value
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _read_one(text: str, path: str, sink: Sink, row: int | None, *, group: str, conditional: bool) -> None:
    inner = Sink(sink.reader)
    read_requirement(text, path, inner, row=row, conditional=conditional)
    for found in inner.requirements:
        sink.add(TorchRequirement(found.path, found.text, found.range, found.conditional, group))
    for problem in inner.unreadable:
        # Prose in a literal ("torch is needed") is no requirement.
        if re.match(r"\s*(py)?torch\s*(\[[^\]]*\])?\s*[<>=~!@(]", text, re.IGNORECASE):
            sink.add(problem)
