"""Order and branches inside one function: what comes before what, and what excludes what.

Structure only: no loops are unrolled and no conditions are evaluated. Where the structure cannot tell, both ways count.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ckpt_lint.source import tree as t
from ckpt_lint.source.scopes import Binding

LOOPS = (t.For, t.While)
_BODIES = frozenset({t.FunctionDef, t.Lambda, t.ClassDef})
_BRANCHING = (t.If, t.Try, t.Match, t.IfExp)
EXITS = ("sys.exit", "exit", "quit", "os._exit", "os.abort", "parser.error")


def statement_of(node: t.Node) -> t.Stmt:
    """The statement that a node is, or is part of."""
    while not isinstance(node, t.Stmt):
        if node.parent is node:
            raise ValueError("a module is no part of a statement")
        node = node.parent
    return node


def body_of(node: t.Node) -> t.Node:
    """The module, class, function or lambda in whose body a node stands (comprehensions are no bodies)."""
    current = node
    while (parent := current.parent) is not current:
        if current.role == "body" and type(parent) in _BODIES:
            return parent
        current = parent
    return current


def function_of(node: t.Node) -> t.FunctionDef | None:
    """The nearest function definition around a node."""
    while (parent := node.parent) is not node:
        if isinstance(parent, t.FunctionDef):
            return parent
        node = parent
    return None


def class_of(node: t.Node) -> t.ClassDef | None:
    """The class of whose methods (functions inside them included) a node is part."""
    while (parent := node.parent) is not node:
        if isinstance(parent, t.ClassDef):
            return parent
        node = parent
    return None


def returned_values(node: t.Node) -> Sequence[t.Expr]:
    """The expressions that a function returns, () for what is none."""
    if not isinstance(node, t.FunctionDef):
        return ()
    out = []
    stack: list[t.Node] = list(reversed(node.body))
    while stack:
        current = stack.pop()
        if isinstance(current, t.Return) and current.value is not None:
            out.append(current.value)
        elif isinstance(current, (t.Stmt, t.Handler, t.Case)) and not isinstance(current, (t.FunctionDef, t.ClassDef)):
            stack.extend(child for _, child in t.children(current) if isinstance(child, (t.Stmt, t.Handler, t.Case)))
    return out


def path_to(node: t.Node) -> list[tuple[t.Node, str, int]]:
    """The way from the body down to a node: (branching or looping construct, field, index of handler or case)."""
    out: list[tuple[t.Node, str, int]] = []
    current = node
    stop = body_of(node)
    while current is not stop and current.parent is not current:
        parent = current.parent
        if isinstance(parent, (t.If, t.Try, t.For, t.While, t.With, t.IfExp, t.Match)):
            out.append((parent, current.role, current.index if isinstance(current, (t.Handler, t.Case)) else -1))
        current = parent
    out.reverse()
    return out


def exclusive(first: t.Node, second: t.Node) -> bool:
    """Whether two nodes of one body stand in branches of which only one runs."""
    for one, two in zip(path_to(first), path_to(second), strict=False):
        if one[0] is not two[0]:
            return False
        if one[1:] == two[1:]:
            continue
        roles = {one[1], two[1]}
        if isinstance(one[0], (t.If, t.IfExp)):
            return roles == {"body", "orelse"}
        if isinstance(one[0], t.Match):
            return one[2] != two[2]
        if isinstance(one[0], t.Try):
            return roles == {"handlers"} or roles == {"handlers", "orelse"}
        return False
    return False


def leaves(block: Sequence[t.Stmt]) -> bool:
    """Whether control never runs off the end of a block: it returns, raises, continues, breaks or exits."""
    if not block:
        return False
    last = block[-1]
    if isinstance(last, (t.Return, t.Raise)):
        return True
    if isinstance(last, t.Jump):
        return last.kind in ("continue", "break")
    if isinstance(last, t.If):
        return bool(last.orelse) and leaves(last.body) and leaves(last.orelse)
    if isinstance(last, t.With):
        return leaves(last.body)
    if isinstance(last, t.Try):
        return bool(last.final and leaves(last.final)) or (
            leaves(last.orelse or last.body) and all(leaves(handler.body) for handler in last.handlers)
        )
    return isinstance(last, t.ExprStmt) and _exits(last.value)


def _exits(value: t.Expr) -> bool:
    return isinstance(value, t.Call) and spelled(value.func) in EXITS


def spelled(expr: t.Node) -> str:
    """A dotted name as it is written, "" for anything else."""
    names: list[str] = []
    while isinstance(expr, t.Attribute):
        names.append(expr.attr)
        expr = expr.value
    if not isinstance(expr, t.Name):
        return ""
    return ".".join([expr.id, *reversed(names)])


def block_of(statement: t.Node) -> Sequence[t.Stmt]:
    """The block in which a statement stands."""
    block = getattr(statement.parent, statement.role, ())
    return block if isinstance(block, tuple) else ()


def dominates(first: t.Node, second: t.Node) -> bool:
    """Whether `second` is reached only through `first`, which stands before it in the same body."""
    if first.start >= second.start:
        return False
    holder: t.Node = statement_of(first)
    above = {id(parent) for parent in t.ancestors(second)}
    while holder.parent is not holder:
        parent = holder.parent
        if id(parent) in above:
            return any(node.parent is parent and node.role == holder.role for node in (second, *t.ancestors(second)))
        if not _only_way(parent, holder.role):
            return False
        holder = parent
    return False


def _only_way(construct: t.Node, role: str) -> bool:
    """Whether whoever gets past a construct has run its block `role`."""
    if isinstance(construct, t.With):
        return True
    if isinstance(construct, t.If):
        other = construct.orelse if role == "body" else construct.body
        return leaves(other)
    return isinstance(construct, t.Try) and (
        role == "final" or (role in ("body", "orelse") and all(leaves(h.body) for h in construct.handlers))
    )


def falls_through(node: t.Node, until: t.Node) -> bool:
    """Whether control may get from `node` to `until`, which stands after it: no block between them leaves."""
    around = {id(parent) for parent in t.ancestors(until)}
    current: t.Node = statement_of(node)
    while current.parent is not current and id(current.parent) not in around:
        parent = current.parent
        if isinstance(current, t.Stmt):
            block = block_of(current)
            position = next((i for i, item in enumerate(block) if item is current), 0)
            if leaves(block[position:]):
                return False
        current = parent
    block = block_of(current) if isinstance(current, t.Stmt) else ()
    return not (block and isinstance(current, (t.Return, t.Raise)))


def loops_around(node: t.Node) -> list[t.For | t.While]:
    """The loops in whose bodies a node stands, nearest first, inside one body."""
    out: list[t.For | t.While] = []
    current = node
    stop = body_of(node)
    while current is not stop and current.parent is not current:
        if isinstance(current.parent, (t.For, t.While)) and current.role == "body":
            out.append(current.parent)
        current = current.parent
    return out


def reaching(bindings: Sequence[Binding], use: t.Node) -> list[Binding]:
    """The bindings of a name (all in the scope of `use`) that may be the ones in force at `use`, latest first."""
    before = [b for b in bindings if _bound_before(b, use)]
    out: list[Binding] = []
    for binding in sorted(before, key=lambda b: b.start, reverse=True):
        if binding.how == "param":
            out.append(binding)
            continue
        if exclusive(binding.node, use) or not falls_through(binding.node, use):
            continue
        out.append(binding)
        if binding.how != "augment" and _always(binding, use):
            break
    out.extend(_carried(bindings, use, out))
    return out


def _bound_before(binding: Binding, use: t.Node) -> bool:
    if binding.how == "param":
        return True
    if isinstance(binding.node, (t.FunctionDef, t.ClassDef)):
        return binding.start < use.start
    statement = statement_of(binding.node)
    if isinstance(statement, (t.Assign, t.AnnAssign, t.AugAssign)) and statement.start <= use.start < statement.end:
        return False
    return binding.start < use.start


def _always(binding: Binding, use: t.Node) -> bool:
    return binding.how == "param" or dominates(binding.node, use) or _target_of_open_construct(binding, use)


def _target_of_open_construct(binding: Binding, use: t.Node) -> bool:
    """The target of the loop, `with` or comprehension that a use stands in."""
    holder: t.Node = binding.node
    while holder.parent is not holder and not isinstance(holder, (t.For, t.With, t.Comprehension, t.Handler, t.Stmt)):
        holder = holder.parent
    return isinstance(holder, (t.For, t.With, t.Comprehension, t.Handler)) and holder in t.ancestors(use)


def _carried(bindings: Sequence[Binding], use: t.Node, known: Sequence[Binding]) -> Iterator[Binding]:
    """Bindings further down in a loop around the use: they hold in its next round."""
    loops = loops_around(use)
    if not loops:
        return
    for binding in sorted(bindings, key=lambda b: b.start, reverse=True):
        if _bound_before(binding, use) or binding in known or binding.how == "delete":
            continue
        shared = [loop for loop in loops if loop in t.ancestors(binding.node)]
        if shared and not any(shared[0] in t.ancestors(b.node) and _always(b, use) for b in known):
            yield binding
