"""Digests: whether what was downloaded is compared with a known one before it is loaded. RULES.md, CKP304."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ckpt_lint.facts.world import World, bind, is_method_call
from ckpt_lint.source import flow
from ckpt_lint.source import tree as t
from ckpt_lint.source.module import ModuleFacts

_DIGEST = re.compile(r"sha(1|256|512)|md5|digest|checksum|hexdigest|blake2|verify_hash|check_hash", re.IGNORECASE)
_DEPTH = 2
_NOTHING: frozenset[str] = frozenset()


def digest_checked(world: World, module: ModuleFacts, load: t.Call, download: tuple[ModuleFacts, t.Call] | None) -> bool:
    """Whether a digest is compared before a load: where it stands, in what it calls, or in the download's helpers."""
    body = flow.body_of(load)
    before = [n for n in t.walk(body) if n.start < load.start and flow.body_of(n) is body]
    if any(_compares(node, _NOTHING) for node in before):
        return True
    calls = [(module, n) for n in before if isinstance(n, t.Call)]
    if download is not None:
        calls.append(download)
    return any(_checks_inside(world, where, call, _NOTHING, _DEPTH) for where, call in calls)


def _checks_inside(world: World, module: ModuleFacts, call: t.Call, unset: frozenset[str], depth: int) -> bool:
    """Whether a project function that is called compares a digest, or one that it calls does."""
    for definition in world.callees(module, call):
        function = definition.node
        if not isinstance(function, t.FunctionDef):
            continue
        inside = _left_unset(call, function, unset)
        nodes = list(t.walk(function))
        if any(_compares(node, inside) for node in nodes):
            return True
        inner = [n for n in nodes if isinstance(n, t.Call)] if depth > 1 else []
        if any(_checks_inside(world, definition.module, n, inside, depth - 1) for n in inner):
            return True
    return False


def _left_unset(call: t.Call, function: t.FunctionDef, unset: frozenset[str]) -> frozenset[str]:
    """The parameters of a function that are None, False or "" in a call: nothing can be compared with them."""
    bound = bind(call, function, instance=is_method_call(call, function))
    out = set()
    for param in function.params:
        value = bound.values.get(param.name, None if bound.open else param.default)
        if isinstance(value, t.Constant) and not value.value:
            out.add(param.name)
        elif isinstance(value, t.Name) and value.id in unset:
            out.add(param.name)
    return frozenset(out)


def _compares(node: t.Node, unset: frozenset[str]) -> bool:
    """Whether a node tests a digest: none that a call left unset (`digest is None`), and where it can come to that."""
    if not isinstance(node, (t.Assert, t.If, t.Compare)):
        return False
    names = set(_names_in(node.test if isinstance(node, (t.Assert, t.If)) else node))
    if not any(_DIGEST.search(name) for name in names):
        return False
    return not unset or not (names & unset or _is_dead(node, unset))


def _is_dead(node: t.Node, unset: frozenset[str]) -> bool:
    """Whether a node of a function never runs where some parameters are unset: `check and ...`, `if check: ...`."""
    for parent in t.ancestors(node):
        if isinstance(parent, t.FunctionDef):
            return False
        if isinstance(parent, (t.If, t.IfExp)) and node.role in ("body", "orelse"):
            if _outcome(parent.test, unset) is (node.role == "orelse"):
                return True
        elif isinstance(parent, t.BoolOp):
            before = [value for value in parent.values if value.start < node.start]
            if any(_outcome(value, unset) is (parent.op == "or") for value in before):
                return True
        node = parent
    return False


def _outcome(test: t.Expr, unset: frozenset[str]) -> bool | None:
    """How a test comes out where some parameters are None or False; None where that does not tell."""
    if isinstance(test, t.Name):
        return False if test.id in unset else None
    if isinstance(test, t.UnaryOp) and test.op == "not":
        inner = _outcome(test.operand, unset)
        return None if inner is None else not inner
    if isinstance(test, t.BoolOp):
        decisive = test.op == "or"
        found = [_outcome(value, unset) for value in test.values]
        return decisive if decisive in found else (None if None in found else not decisive)
    if isinstance(test, t.Compare) and len(test.ops) == 1 and test.ops[0] in ("is", "is not"):
        asked = isinstance(test.left, t.Name) and test.left.id in unset
        return test.ops[0] == "is" if asked else None
    return None


def _names_in(node: t.Node) -> Iterator[str]:
    for part in t.walk(node):
        if isinstance(part, t.Name):
            yield part.id
        elif isinstance(part, t.Attribute):
            yield part.attr
