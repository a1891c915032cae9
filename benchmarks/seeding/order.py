"""Faults of order and of place: what is built, restored and moved in the wrong turn."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from seeding.grown import cleared
from seeding.restoring import module_restores
from seeding.source import (
    MODULE_NAME,
    Edit,
    Function,
    Site,
    Source,
    dotted,
    keyword,
    kind_of,
    loads,
    made_by_parameter,
    receiver,
    restores,
    with_keyword,
)  # fmt: skip

_REBUILT = (
    "OneCycleLR",
    "LambdaLR",
    "CyclicLR",
    "CosineAnnealingWarmRestarts",
    "LinearLR",
    "ConstantLR",
    "SequentialLR",
)
_PLACED = re.compile(r"DataParallel|Accelerator|deepspeed|Fabric|gradient_allreduce|parallelize_module")
_HF_SCHEDULE = re.compile(r"get_\w*schedule\w*$")


def before_move(source: Source) -> Iterator[Site]:
    """407: restore the optimizer before the model is moved to its device."""
    for call in restores(source):
        statement = source.statement(call)
        if kind_of(receiver(call)) != "optimizer" or not isinstance(statement, ast.Expr):
            continue
        scope = source.scope(call)
        moves = [
            node
            for node in ast.walk(scope)
            if isinstance(node, (ast.Expr, ast.Assign))
            and isinstance(node.value, ast.Call)
            and isinstance(node.value.func, ast.Attribute)
            and node.value.func.attr in ("to", "cuda")
            and MODULE_NAME.search(dotted(node.value.func.value))
            and source.scope(node) is scope
        ]
        what = "the move comes after the restore of the optimizer"
        if not moves:
            continue
        only, block = moves[0], source.block(statement)
        fits = len(moves) == 1 and only in block and block.index(only) < block.index(statement)
        own = source.part(call.args[0]) == f"{receiver(call)}.state_dict()" if call.args else False
        if own:
            yield Site("CKP407", call.lineno, what, reason="the optimizer is given its own state")
        elif not fits or not (source.stands_alone(only) and source.stands_alone(statement)):
            yield Site("CKP407", call.lineno, what, reason="not one move earlier in the same block")
        else:
            yield Site("CKP407", call.lineno, what, _moved(source, only, statement))


def _moved(source: Source, what: ast.stmt, behind: ast.stmt) -> tuple[tuple[int, int, str], ...]:
    """The edits that move whole statements behind another."""
    start, end = source.lines_of(what)
    after = source.lines_of(behind)[1]
    return (start, end, ""), (after, after, source.text[start:end])


def built_between(source: Source) -> Iterator[Site]:
    """415: build the scheduler between the restores."""
    for call in restores(source):
        if kind_of(receiver(call)) != "optimizer":
            continue
        statement, scope = source.statement(call), source.scope(call)
        if not isinstance(statement, ast.Expr):
            continue
        later = {
            receiver(one): one.lineno
            for one in restores(source)
            if source.scope(one) is scope and one.lineno > call.lineno and kind_of(receiver(one)) == "scheduler"
        }
        for node in ast.walk(scope):
            if not (isinstance(node, ast.Assign) and len(node.targets) == 1 and dotted(node.targets[0]) in later):
                continue
            made = dotted(getattr(node.value, "func", node.value)).rpartition(".")[2]
            theirs = _HF_SCHEDULE.match(made) and re.search(rf"(?m)^from transformers\b[^\n]*\b{made}\b", source.text)
            if node.lineno > call.lineno or not (made in _REBUILT or theirs):
                yield Site("CKP415", call.lineno, f"{made} built between", reason="another class, or built later")
            elif not (source.stands_alone(node) and source.stands_alone(statement)):
                yield Site("CKP415", call.lineno, f"{made} built between", reason="statements that cannot be moved")
            else:
                start, end = source.lines_of(node)
                moved = re.sub(
                    rf"(?m)^{re.escape(source.indent(node))}", source.indent(statement), source.text[start:end]
                )
                after = source.lines_of(statement)[1]
                hole = (start, end, f"{source.indent(node)}pass\n")
                yield Site("CKP415", node.lineno, f"{made} built between", (hole, (after, after, moved)))


def rebuilt_between(source: Source) -> Iterator[Site]:
    """415: build a OneCycleLR after the restore of the optimizer and before that of the scheduler."""
    for call in restores(source):
        statement = source.statement(call)
        if kind_of(receiver(call)) != "optimizer" or not isinstance(statement, ast.Expr):
            continue
        block = source.block(statement)
        later = [
            one
            for one in restores(source)
            if source.statement(one) in block and one.lineno > call.lineno and kind_of(receiver(one)) == "scheduler"
        ]
        if later and source.stands_alone(statement):
            made = f"torch.optim.lr_scheduler.OneCycleLR({receiver(call)}, max_lr=0.1, total_steps=1000)"
            reason = "" if re.search(r"(?m)^import torch[ \t]*$", source.text) else "torch is not imported"
            edits = (source.after(statement, f"{receiver(later[0])} = {made}"),)
            yield Site("CKP415", call.lineno, "OneCycleLR built between", edits, reason)


def assigned_late(source: Source) -> Iterator[Site]:
    """416: assign=True after the optimizer was built."""
    for call, _ in module_restores(source):
        scope = source.scope(call)
        built = [
            node
            for node in ast.walk(scope)
            if isinstance(node, ast.Assign)
            and source.scope(node) is scope
            and kind_of(dotted(node.targets[0])) == "optimizer"
            and isinstance(node.value, ast.Call)
            and re.search(rf"(?<![\w.]){re.escape(receiver(call))}(?:\.parameters\(\))?[,)]", source.part(node))
            and node.lineno < call.lineno
        ]
        if built and keyword(call, "assign") is None:
            yield Site("CKP416", call.lineno, "assign=True", (with_keyword(source, call, "assign=True"),))


def rng_on_device(source: Source) -> Iterator[Site]:
    """419: set an RNG state that lies on the device."""
    for call in source.calls:
        if dotted(call.func) != "torch.set_rng_state" or len(call.args) != 1:
            continue
        text = source.part(call.args[0])
        scope = source.scope(call)
        read = [one for one in loads(source) if source.scope(one) is scope and keyword(one, "map_location")]
        if text.endswith(".cpu()"):
            yield Site("CKP419", call.lineno, ".cpu() dropped", (source.replace(call.args[0], text[:-6]),))
        elif read and isinstance(scope, Function):
            given = keyword(read[0], "map_location")
            assert given is not None
            yield Site("CKP419", call.lineno, 'map_location="cuda:0"', (source.replace(given.value, '"cuda:0"'),))
    for call in loads(source):
        statement, given = source.statement(call), keyword(call, "map_location")
        if given is None or not isinstance(statement, ast.Assign) or not source.stands_alone(statement):
            continue
        name = dotted(statement.targets[0])
        if name and statement.value is call and f"{name}[" in source.part_of(source.scope(call)):
            line = f'torch.set_rng_state({name}["rng_state"])'
            edits = (source.replace(given.value, '"cuda:0"'), source.after(statement, line))
            yield Site("CKP419", call.lineno, 'rng_state of map_location="cuda:0"', edits)


def restored_early(source: Source) -> Iterator[Site]:
    """407: restore the optimizer after it was built, and move the model then; the right turn is the ground."""
    for move, name, device, stay in (*_moves(source), *_moved_at_once(source)):
        block = source.block(move)
        built = next((one for one in block if _builds_optimizer(source, one, name) and one.lineno > move.lineno), None)
        if built is None:
            continue
        assert isinstance(built, ast.Assign)
        optimizer, text = dotted(built.targets[0]), source.part(built.value)
        reason = "" if source.stands_alone(built) else "statements that cannot be moved"
        if re.search(r"SGD\(", text) and "momentum" not in text:
            reason = "an optimizer without state"
        out = cleared(source)
        if _PLACED.search(source.part_of(source.scope(move))):
            reason = "something else places the module here"
        if out is None:
            reason = "something else is restored here"
        if made_by_parameter(source, source.scope(move), name):
            reason = "the module, or what makes it, comes from the caller: it may lie on a device"
        if re.search(rf"(?<![\w.]){re.escape(name)} = torch\.jit\.", source.part_of(source.scope(move))):
            reason = "TorchScript"
        line = f'{optimizer}.load_state_dict(torch.load("optimizer.pt", map_location="cpu", weights_only=True))'
        late = source.after(built, line, f"{name}.{device}")
        ground = (*(out or ()), source.after(built, line))
        yield Site(
            "CKP407", move.lineno, f"{name}.{device} after the restore", (*(out or ()), stay, late), reason, ground
        )


def _moved_at_once(source: Source) -> Iterator[tuple[ast.stmt, str, str, Edit]]:
    """The like of `model = Net().to(device)`, and the edit that leaves the move out."""
    for node in ast.walk(source.tree):
        if not isinstance(node, ast.Assign) or len(node.targets) != 1 or not isinstance(node.value, ast.Call):
            continue
        name, func = dotted(node.targets[0]), node.value.func
        if not MODULE_NAME.search(name) or not source.stands_alone(node):
            continue
        if isinstance(func, ast.Attribute) and func.attr in ("to", "cuda") and isinstance(func.value, ast.Call):
            inner = source.part(func.value)
            device = source.part(node.value)[len(inner) + 1 :]
            if device.startswith(func.attr):
                yield node, name, device, source.replace(node.value, inner)


def _moves(source: Source) -> Iterator[tuple[ast.stmt, str, str, Edit]]:
    """Statements that move a module: where, its name, the call without the name, and the edit that leaves it out."""
    for call in source.calls:
        statement = source.statement(call)
        owner = dotted(call.func.value) if isinstance(call.func, ast.Attribute) else ""
        if not isinstance(call.func, ast.Attribute) or call.func.attr not in ("to", "cuda") or not owner:
            continue
        whole = isinstance(statement, (ast.Expr, ast.Assign)) and statement.value is call
        if isinstance(statement, ast.Assign) and [dotted(one) for one in statement.targets] != [owner]:
            continue
        if whole and statement is not None and MODULE_NAME.search(owner) and source.stands_alone(statement):
            yield statement, owner, source.part(call)[len(owner) + 1 :], source.replace(statement, "pass")


def _builds_optimizer(source: Source, statement: ast.stmt, name: str) -> bool:
    """Whether a statement builds an optimizer of torch over the parameters of a module."""
    if not isinstance(statement, ast.Assign) or not isinstance(statement.value, ast.Call):
        return False
    made = re.match(r"(?:torch\.)?(?:optim\.)?(?:AdamW?|SGD|RMSprop)\(", source.part(statement.value))
    owner = re.search(rf"\(\s*(?:params=)?{re.escape(name)}\.parameters\(\)", source.part(statement.value))
    return bool(made and owner and dotted(statement.targets[0]))


def left_behind(source: Source) -> Iterator[Site]:
    """406: do not move a module that was restored, where other things are moved."""
    for call, _ in module_restores(source):
        name, scope = receiver(call), source.scope(call)
        moves = [one for one, owner, *_ in _moves(source) if owner == name and source.scope(one) is scope]
        text = source.part_of(scope)
        if "." in name or not moves or not isinstance(scope, Function):
            continue
        used = re.search(rf"(?<![\w.]){re.escape(name)}\(", text)
        others = re.findall(r"(?<![\w.])(\w+)\.(?:to|cuda)\(", text)
        reason = "" if used and set(others) - {name} else "it is not used here, or nothing else is moved"
        if not re.search(rf"(?<![\w.]){re.escape(name)} = (?:\w+\.)*[A-Z]\w*\(", text):
            reason = "nothing here shows how the module was made"
        if re.search(rf"[(,]\s*{re.escape(name)}\s*[,)]", text.replace(f"load_state_dict({name})", "")):
            reason = "it is handed on"
        if name in {one.arg for one in ast.walk(scope.args) if isinstance(one, ast.arg)}:
            reason = "it comes from the caller"
        if (
            len(moves) > 1
            or re.search(rf"\b{re.escape(name)} = [^\n]*\.(?:to|cuda)\(", text)
            and not isinstance(moves[0], ast.Assign)
        ):
            reason = "moved more than once"
        edits = tuple(source.replace(move, "pass") for move in moves)
        yield Site("CKP406", call.lineno, f"{name} stays on the CPU", edits, reason)


MUTATORS = (before_move, restored_early, left_behind, built_between, rebuilt_between, assigned_late, rng_on_device)
