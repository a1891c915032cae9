"""Faults of the family CKP4: how what was read is put back."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from seeding.source import (
    MODULE_NAME,
    Function,
    Site,
    Source,
    dotted,
    keyword,
    kind_of,
    loads,
    receiver,
    restores,
    with_keyword,
)  # fmt: skip
from seeding.state import checkpoints

_REBUILT = (
    "OneCycleLR",
    "LambdaLR",
    "CyclicLR",
    "CosineAnnealingWarmRestarts",
    "LinearLR",
    "ConstantLR",
    "SequentialLR",
)
_HF_SCHEDULE = re.compile(r"get_\w*schedule\w*$")


def module_restores(source: Source) -> Iterator[tuple[ast.Call, ast.Expr]]:
    """Yield the statements that restore a module and drop the result."""
    for call in restores(source):
        statement = source.statement(call)
        name = receiver(call)
        if not isinstance(statement, ast.Expr) or statement.value is not call or not MODULE_NAME.search(name):
            continue
        if kind_of(name) in ("", "model"):
            yield call, statement


def result_as_module(source: Source) -> Iterator[Site]:
    """401: take the result of load_state_dict for the module."""
    for call, statement in module_restores(source):
        if source.stands_alone(statement):
            start = source.span(statement)[0]
            yield Site("CKP401", call.lineno, f"{receiver(call)} = ...", ((start, start, f"{receiver(call)} = "),))


def from_path(source: Source) -> Iterator[Site]:
    """402: hand the path to load_state_dict."""
    for call, _ in module_restores(source):
        loaded = call.args[0]
        if isinstance(loaded, ast.Call) and loaded in loads(source):
            path = loaded.args[0]
            seen = isinstance(path, (ast.Constant, ast.JoinedStr)) or dotted(getattr(path, "func", path)) in (
                "os.path.join", "osp.join", "Path", "pathlib.Path",
            )  # fmt: skip
            seen = seen or (isinstance(path, ast.Name) and _bound_to_path(source, call, path.id))
            reason = "" if seen else "nothing says that it is a path"
            yield Site("CKP402", call.lineno, "a path", (source.replace(loaded, source.part(path)),), reason)


def _bound_to_path(source: Source, call: ast.Call, name: str) -> bool:
    """Whether a name is bound once in its function, to what is a path at sight."""
    bound = [
        node.value
        for node in ast.walk(source.scope(call))
        if isinstance(node, ast.Assign) and any(dotted(target) == name for target in node.targets)
    ]
    if len(bound) != 1:
        return False
    joined = isinstance(bound[0], ast.Call) and dotted(bound[0].func) in ("os.path.join", "osp.join", "Path")
    return joined or isinstance(bound[0], (ast.Constant, ast.JoinedStr))


def not_strict(source: Source) -> Iterator[Site]:
    """403: strict=False, and the result dropped."""
    for call, _ in module_restores(source):
        if len(call.args) == 1 and keyword(call, "strict") is None:
            yield Site("CKP403", call.lineno, "strict=False", (with_keyword(source, call, "strict=False"),))
        elif (given := keyword(call, "strict")) and isinstance(given.value, ast.Constant) and given.value.value is True:
            yield Site("CKP403", call.lineno, "strict=False", (source.replace(given.value, "False"),))


def prefix_strip(source: Source) -> Iterator[Site]:
    """404: strip a prefix wherever it stands in the key."""
    for call, _ in module_restores(source):
        if isinstance(call.args[0], ast.Name):
            name = call.args[0].id
            text = f'{{key.replace("module.", ""): value for key, value in {name}.items()}}'
            yield Site("CKP404", call.lineno, 'key.replace("module.", "")', (source.replace(call.args[0], text),))


def no_eval(source: Source) -> Iterator[Site]:
    """405: remove the only eval() of a module that was restored and is run without gradients."""
    for call, _ in module_restores(source):
        scope, name = source.scope(call), receiver(call)
        inside = [node for node in ast.walk(scope) if isinstance(node, ast.stmt) and source.scope(node) is scope]
        evals = [node for node in inside if isinstance(node, ast.Expr) and source.part(node) == f"{name}.eval()"]
        quiet = [
            node
            for node in inside
            if isinstance(node, ast.With)
            and node.lineno > call.lineno
            and re.search(r"no_grad|inference_mode", source.part(node.items[0].context_expr))
            and re.search(rf"(?<![\w.]){re.escape(name)}\(", source.part(node))
        ]
        if quiet:
            reason = (
                "" if len(evals) == 1 and source.stands_alone(evals[0]) else "not exactly one eval() in the function"
            )
            if ".train(" in source.part_of(scope) or ".backward(" in source.part_of(scope):
                reason = "the function trains"
            edits = (source.replace(evals[0], "pass"),) if evals else ()
            yield Site("CKP405", quiet[0].lineno, f"{name}.eval() removed", edits, reason)


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
        if not fits or not (source.stands_alone(only) and source.stands_alone(statement)):
            yield Site("CKP407", call.lineno, what, reason="not one move earlier in the same block")
        else:
            yield Site("CKP407", call.lineno, what, _moved(source, only, statement))


def _moved(source: Source, what: ast.stmt, behind: ast.stmt) -> tuple[tuple[int, int, str], ...]:
    """The edits that move whole statements behind another."""
    start, end = source.lines_of(what)
    after = source.lines_of(behind)[1]
    return (start, end, ""), (after, after, source.text[start:end])


def not_restored(source: Source) -> Iterator[Site]:
    """408: do not restore a state that the same file saves."""
    saved = {
        key.value for one in checkpoints(source) for key in one.node.keys if isinstance(key, ast.Constant)
    }  # fmt: skip
    for call in restores(source):
        statement, kind = source.statement(call), kind_of(receiver(call))
        key = _subscript_key(call.args[0])
        if kind not in ("optimizer", "scheduler", "scaler") or key is None or not isinstance(statement, ast.Expr):
            continue
        scope = source.scope(call)
        others = {kind_of(receiver(one)) for one in restores(source) if source.scope(one) is scope and one is not call}
        what = f"{receiver(call)} is not restored"
        if key not in saved:
            yield Site("CKP408", call.lineno, what, reason="the file does not save it")
        elif "model" not in others or len(others - {""}) < 2:
            yield Site("CKP408", call.lineno, what, reason="no model and other state are restored beside it")
        elif source.text.count(f'"{key}"') + source.text.count(f"'{key}'") > 2:
            yield Site("CKP408", call.lineno, what, reason="the key is read elsewhere")
        else:
            yield Site("CKP408", call.lineno, what, (source.replace(statement, "pass"),))


def _subscript_key(node: ast.expr) -> str | None:
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, str):
        return node.slice.value
    return None


def misspelt(source: Source) -> Iterator[Site]:
    """409: misspell a key where it is read."""
    found = list(checkpoints(source))
    saved = {key.value for one in found for key in one.node.keys if isinstance(key, ast.Constant)}
    for call in restores(source):
        kind, key = kind_of(receiver(call)), _subscript_key(call.args[0])
        scope = source.scope(call)
        beside = {kind_of(receiver(one)) for one in restores(source) if source.scope(one) is scope}
        if (
            not kind
            or "optimizer" not in beside
            or key is None
            or not isinstance(call.args[0], ast.Subscript)
            or len(key) < 4
        ):
            continue
        what = f"{key} -> {key[:-2] + key[-1]}"
        tests = [one for one in source.above(call) if isinstance(one, ast.If) and key in source.part(one.test)]
        if key not in saved or any(one.changed for one in found):
            yield Site("CKP409", call.lineno, what, reason="no closed save of the file has the key")
        elif tests:
            yield Site("CKP409", call.lineno, what, reason="the key is tested before")
        else:
            edit = source.replace(call.args[0].slice, repr(key[:-2] + key[-1]))
            yield Site("CKP409", call.lineno, what, (edit,))


def swallowed(source: Source) -> Iterator[Site]:
    """410: swallow the error of a restore."""
    for call, statement in module_restores(source):
        if not source.stands_alone(statement):
            continue
        held = [one for one in source.above(statement) if isinstance(one, ast.Try)]
        reason = "in a try already" if held else ""
        yield Site("CKP410", call.lineno, "try: ... except Exception: pass", (_in_try(source, statement),), reason)


def _in_try(source: Source, statement: ast.stmt) -> tuple[int, int, str]:
    start, end = source.lines_of(statement)
    pad = source.indent(statement)
    return start, end, f"{pad}try:\n{source.indented(statement)}{pad}except Exception:\n{pad}    pass\n"


def missing_ignored(source: Source) -> Iterator[Site]:
    """411: only print where the checkpoint that was asked for does not exist."""
    for node in ast.walk(source.tree):
        if (
            not isinstance(node, ast.If)
            or node.orelse
            or not re.search(r"resume|checkpoint|ckpt", source.part(node.test))
        ):
            continue
        name = dotted(node.test)
        if not name and isinstance(node.test, ast.Compare) and isinstance(node.test.ops[0], ast.IsNot):
            name = dotted(node.test.left)
        loaded = [
            call for call in loads(source) if dotted(call.args[0]) == name and source.statement(call) in node.body
        ]
        if not name or not loaded:
            continue
        if not all(map(source.stands_alone, node.body)) or '"""' in source.part(node):
            yield Site("CKP411", node.lineno, "else: print", reason="statements that cannot be moved")
            continue
        start, end = source.lines_of(node.body[0])[0], source.lines_of(node.body[-1])[1]
        pad = source.indent(node.body[0])
        inner = re.sub(r"(?m)^(?=[^\r\n])", "    ", source.text[start:end])
        inner = inner if inner.endswith("\n") else inner + "\n"
        text = f'{pad}if os.path.isfile({name}):\n{inner}{pad}else:\n{pad}    print("no checkpoint found")\n'
        edits = ((start, end, text), *source.importing("os"))
        yield Site("CKP411", node.lineno, "else: print", edits)


def repeated_epoch(source: Source) -> Iterator[Site]:
    """412: save the epoch that was finished instead of the next one."""
    for checkpoint in checkpoints(source):
        for key, value in zip(checkpoint.node.keys, checkpoint.node.values):
            if not (isinstance(key, ast.Constant) and key.value in ("epoch", "start_epoch")):
                continue
            if not (isinstance(value, ast.BinOp) and isinstance(value.op, ast.Add) and source.part(value.right) == "1"):
                continue
            name = dotted(value.left)
            loops = [
                one for one in source.above(checkpoint.save) if isinstance(one, ast.For) and dotted(one.target) == name
            ]
            restored = re.search(rf"\[[\"']{key.value}[\"']\](?!\s*\+)", source.text)
            reason = "" if loops and restored else "not in its loop, or not restored in the same file"
            yield Site(
                "CKP412", checkpoint.save.lineno, f"{name} + 1 -> {name}", (source.replace(value, name),), reason
            )


def collective_guarded(source: Source) -> Iterator[Site]:
    """413: put a collective save under a rank guard."""
    for call in source.calls:
        name, statement = dotted(call.func), source.statement(call)
        collective = name in (
            "dcp.save",
            "dist_cp.save",
            "dist_cp.save_state_dict",
            "torch.distributed.checkpoint.save",
        )
        collective |= bool(re.search(r"(?:^|\.)(?:model_engine|engine|trainer)\.save_checkpoint$", name))
        if not collective or not isinstance(statement, ast.Expr) or not source.stands_alone(statement):
            continue
        start, end = source.lines_of(statement)
        pad = source.indent(statement)
        text = f"{pad}if torch.distributed.get_rank() == 0:\n{source.indented(statement)}"
        reason = "" if re.search(r"(?m)^import torch\b", source.text) else "torch is not imported"
        if any(isinstance(one, ast.If) and "rank" in source.part(one.test) for one in source.above(statement)):
            reason = "under a guard already"
        yield Site("CKP413", call.lineno, "if torch.distributed.get_rank() == 0:", ((start, end, text),), reason)


def changed_while_iterated(source: Source) -> Iterator[Site]:
    """414: delete keys of the state dict in a loop over it."""
    for call, statement in module_restores(source):
        if isinstance(call.args[0], ast.Name) and source.stands_alone(statement):
            name = call.args[0].id
            lines = (f"for key in {name}:", '    if key.startswith("head."):', f"        del {name}[key]")
            yield Site("CKP414", call.lineno, "del in the loop", (source.before(statement, *lines),))


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
            if node.lineno > call.lineno or not (made in _REBUILT or _HF_SCHEDULE.match(made)):
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
            reason = "" if re.search(r"(?m)^import torch\b", source.text) else "torch is not imported"
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


def dcp_result(source: Source) -> Iterator[Site]:
    """417: use the result of dcp.load."""
    for call in source.calls:
        statement = source.statement(call)
        if dotted(call.func) not in ("dcp.load", "dist_cp.load", "torch.distributed.checkpoint.load"):
            continue
        state = call.args[0] if call.args else getattr(keyword(call, "state_dict"), "value", None)
        if isinstance(statement, ast.Expr) and statement.value is call and isinstance(state, ast.Name):
            start = source.span(statement)[0]
            reason = "a planner is given" if keyword(call, "planner") else ""
            yield Site("CKP417", call.lineno, f"{state.id} = dcp.load", ((start, start, f"{state.id} = "),), reason)


def wrong_layout(source: Source) -> Iterator[Site]:
    """418: restore the whole checkpoint instead of its entry."""
    found = list(checkpoints(source))
    saved = {key.value for one in found for key in one.node.keys if isinstance(key, ast.Constant)}
    for call, _ in module_restores(source):
        key = _subscript_key(call.args[0])
        if key is None or not isinstance(call.args[0], ast.Subscript):
            continue
        reason = (
            "" if key in saved and not any(one.changed for one in found) else "no closed save of the file has the key"
        )
        edit = source.replace(call.args[0], source.part(call.args[0].value))
        yield Site("CKP418", call.lineno, f"[{key!r}] dropped", (edit,), reason)


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


MUTATORS = (
    result_as_module, from_path, not_strict, prefix_strip, no_eval, before_move, not_restored, misspelt, swallowed,
    missing_ignored, repeated_epoch, collective_guarded, changed_while_iterated, built_between, rebuilt_between,
    assigned_late, dcp_result, wrong_layout, rng_on_device,
)  # fmt: skip
