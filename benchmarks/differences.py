"""What a change does to a program, in the words of the rules' fix shapes: `ast` before against `ast` after.

A fix shape allows certain kinds of difference (`SHAPES`); whatever else differs is called "other" and is never allowed.
Imports may be added by every fix. Nothing of ckpt_lint is imported here: the judgement is an independent one.
"""

from __future__ import annotations

import ast
import difflib
from collections.abc import Iterator

SHAPES: dict[str, frozenset[str]] = {
    "argument-removed": frozenset({"keyword-removed", "argument-removed"}),
    "attribute-added": frozenset({"attribute-inserted", "method-called"}),
    "call-wrapped": frozenset({"wrapped", "method-called"}),
    "comment-removed": frozenset(),
    "entry-added": frozenset({"entry-added", "keyword-added"}),
    "keyword-set": frozenset({"keyword-added", "keyword-changed", "constant-changed", "argument-changed"}),
    "parentheses-added": frozenset({"called"}),
    "statement-added": frozenset({"statement-added"}),
    "statement-split": frozenset({"statement-split", "statement-added", "target-removed"}),
    "text-replaced": frozenset(
        {"constant-changed", "keyword-changed", "argument-changed", "method-renamed", "method-replaced"}
    ),
}
ALWAYS = frozenset({"import-added"})


def differences(before: str, after: str) -> list[str]:
    """Name every difference between two programs, in source order. Raises SyntaxError where one does not parse."""
    return list(_compare(ast.parse(before), ast.parse(after)))


def foreign(shape: str | None, found: list[str]) -> list[str]:
    """Return those of `found` that a fix of the declared shape may not make."""
    allowed = ALWAYS | SHAPES.get(shape or "", frozenset())
    return [one for one in found if one not in allowed]


def _same(one: object, other: object) -> bool:
    if isinstance(one, ast.AST) and isinstance(other, ast.AST):
        return ast.dump(one) == ast.dump(other)
    return one == other


def _compare(one: object, other: object) -> Iterator[str]:
    if _same(one, other):
        return
    named = _expression_change(one, other) if isinstance(one, ast.expr) and isinstance(other, ast.expr) else None
    if named is not None:
        yield from named
    elif isinstance(one, list) and isinstance(other, list):
        yield from _lists(one, other)
    elif isinstance(one, ast.AST) and type(one) is type(other):
        for field in one._fields:
            yield from _compare(getattr(one, field), getattr(other, field))
    else:
        yield from _statement_change(one, other)


def _statement_change(one: object, other: object) -> Iterator[str]:
    if isinstance(one, ast.Assign) and isinstance(other, ast.Expr):
        # model = model.load_state_dict(sd) becomes model.load_state_dict(sd)
        yield "target-removed"
        yield from _compare(one.value, other.value)
    else:
        yield "other"


def _expression_change(one: ast.expr, other: ast.expr) -> list[str] | None:
    """Name the change of one expression into another as a whole; None where only parts of it differ."""
    if isinstance(one, ast.Constant) and isinstance(other, ast.Constant):
        return ["constant-changed"]
    if isinstance(one, ast.Call) and isinstance(other, ast.Call) and _same(one.func, other.func):
        return _calls(one, other)
    if isinstance(one, ast.Dict) and isinstance(other, ast.Dict):
        return _dicts(one, other)
    if isinstance(other, ast.Call):
        if _same(other.func, one) and not other.args and not other.keywords:
            return ["called"]
        if isinstance(other.func, ast.Attribute) and _same(other.func.value, one):
            return ["method-called"]
        if any(_same(argument, one) for argument in other.args):
            return ["wrapped"]
        if isinstance(one, ast.Call):
            # list(x.parameters()) becomes x.state_dict()
            listed = dotted_name(one.func) == "list" and len(one.args) == 1
            inside = one.args[0] if listed else one
            return _renamed(inside, other) if isinstance(inside, ast.Call) else None
    if isinstance(other, ast.Attribute) and _same(other.value, one):
        return ["attribute-inserted"]
    return None


def dotted_name(node: ast.expr) -> str:
    """The name that a call names directly; "" for anything longer."""
    return node.id if isinstance(node, ast.Name) else ""


def _renamed(one: ast.Call, other: ast.Call) -> list[str] | None:
    """Name x.f(a) turned into x.g(a), or into x.g(b)."""
    if not (isinstance(one.func, ast.Attribute) and isinstance(other.func, ast.Attribute)):
        return None
    if one.func.attr == other.func.attr or not _same(one.func.value, other.func.value):
        return None
    same = all(map(_same, one.args, other.args)) and len(one.args) == len(other.args)
    return ["method-renamed" if same else "method-replaced"]


def _calls(one: ast.Call, other: ast.Call) -> list[str]:
    found = []
    keywords = {keyword.arg: keyword.value for keyword in one.keywords}
    for keyword in other.keywords:
        if keyword.arg not in keywords:
            found.append("keyword-added")
        elif not _same(keywords[keyword.arg], keyword.value):
            inner = _expression_change(keywords[keyword.arg], keyword.value)
            found.extend(inner if inner and inner != ["constant-changed"] else ["keyword-changed"])
    kept = {keyword.arg for keyword in other.keywords}
    found.extend("keyword-removed" for name in keywords if name not in kept)
    if len(one.args) > len(other.args) and all(map(_same, other.args, one.args)):
        found.append("argument-removed")
    elif len(one.args) == len(other.args):
        for left, right in zip(one.args, other.args):
            inner = list(_compare(left, right))
            found.extend(["argument-changed"] if set(inner) == {"other"} else inner)
    else:
        found.append("other")
    return found or ["other"]


def _dicts(one: ast.Dict, other: ast.Dict) -> list[str] | None:
    added = len(other.keys) - len(one.keys)
    if added <= 0:
        return None
    kept = [_same(left, right) for left, right in zip(one.keys, other.keys)]
    if all(kept):
        inner = [name for left, right in zip(one.values, other.values) for name in _compare(left, right)]
        return inner + ["entry-added"] * added
    return None


def _lists(one: list[object], other: list[object]) -> Iterator[str]:
    if not all(isinstance(item, ast.stmt) for item in one + other):
        if len(one) == len(other):
            for left, right in zip(one, other):
                yield from _compare(left, right)
        else:
            yield "other"
        return
    old, new = ([ast.dump(item) for item in items if isinstance(item, ast.stmt)] for items in (one, other))
    for tag, low, high, start, end in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag != "equal":
            yield from _blocks(one[low:high], other[start:end])


def _blocks(one: list[object], other: list[object]) -> Iterator[str]:
    """Compare two stretches of statements, pairing them from the front; what is over was added."""
    other = list(other)
    imports = [item for item in other if isinstance(item, (ast.Import, ast.ImportFrom))]
    if len(other) > len(one) and imports and not any(isinstance(item, (ast.Import, ast.ImportFrom)) for item in one):
        other = [item for item in other if item not in imports]
        yield from ("import-added" for _ in imports)
    if len(one) == 1 and len(other) == 2:
        # A statement split in two: each half is new, and nothing else may have gone with it.
        yield "statement-split"
        return
    for left, right in zip(one, other):
        yield from _compare(left, right)
    for item in other[len(one) :]:
        yield "import-added" if isinstance(item, (ast.Import, ast.ImportFrom)) else _kind_of_new(item)
    yield from ("statement-removed" for _ in one[len(other) :])


def _kind_of_new(item: object) -> str:
    """A subscript assignment adds an entry to a dict that was built before; any other new statement is a statement."""
    if isinstance(item, ast.Assign) and isinstance(item.targets[0], ast.Subscript):
        return "entry-added"
    return "statement-added"
