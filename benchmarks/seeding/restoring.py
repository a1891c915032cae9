"""Faults of the family CKP4: how what was read is put back."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from seeding.source import (
    MODULE_NAME,
    Site,
    Source,
    built_over_another,
    dotted,
    keyword,
    kind_of,
    loads,
    receiver,
    restores,
    with_keyword,
)  # fmt: skip
from seeding.state import checkpoints

_ELSEWHERE = "the file is loaded elsewhere, or too few of its keys are read to know it by"


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
        elif isinstance(loaded, (ast.Name, ast.Subscript)) and len(call.args) == 1:
            edits = (source.replace(loaded, 'os.path.join("checkpoints", "model.pth")'), *source.importing("os"))
            yield Site("CKP402", call.lineno, "a joined path", edits)


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
            made = rf"(?<![\w.]){re.escape(name)} = (?:\w+\.)*[A-Z]\w*\("
            reason = (
                "" if len(evals) == 1 and source.stands_alone(evals[0]) else "not exactly one eval() in the function"
            )
            if ".train(" in source.part_of(scope) or ".backward(" in source.part_of(scope):
                reason = "the function trains"
            if not re.search(made, source.part_of(scope)):
                reason = "nothing here shows how the module was made"
            before = source.part_of(scope).partition(source.part(quiet[0]))[0]
            if re.search(rf"[(,]\s*{re.escape(name)}\s*[,)]", before):
                reason = "it is handed on before it runs"
            built = [one.value for one in _inside(source, scope, ast.Assign) if dotted(one.targets[0]) == name]
            if any(built_over_another(source, scope, one) for one in built if isinstance(one, ast.Call)):
                reason = "it is built over a module that may be in eval"
            edits = (source.replace(evals[0], "pass"),) if evals else ()
            yield Site("CKP405", quiet[0].lineno, f"{name}.eval() removed", edits, reason)


def no_eval_after(source: Source) -> Iterator[Site]:
    """405: restore a module that was just built and is run without gradients, and do not put it in eval()."""
    for node in ast.walk(source.tree):
        name = dotted(node.targets[0]) if isinstance(node, ast.Assign) and len(node.targets) == 1 else ""
        if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.Call) or not MODULE_NAME.search(name):
            continue
        scope = source.scope(node)
        text = source.part_of(scope)
        evals = [one for one in _inside(source, scope, ast.Expr) if source.part(one) == f"{name}.eval()"]
        quiet = [
            one
            for one in _inside(source, scope, ast.With)
            if re.search(r"no_grad|inference_mode", source.part(one).partition(":")[0])
            and re.search(rf"(?<![\w.]){re.escape(name)}\(", source.part(one))
        ]
        made = dotted(node.value.func).rpartition(".")[2]
        if (
            not made[:1].isupper()
            or len(evals) != 1
            or not quiet
            or not source.stands_alone(node)
            or not source.stands_alone(evals[0])
        ):
            continue
        reason = "the function trains or loads" if re.search(r"\.train\(|\.backward\(|load_state", text) else ""
        between = text.partition(source.part(quiet[0]))[0].partition(source.part(node))[2]
        if re.search(rf"[(,]\s*{re.escape(name)}\s*[,)]", between):
            reason = "it is handed on before it runs"
        if built_over_another(source, scope, node.value):
            reason = "it is built over a module that may be in eval"
        line = f'{name}.load_state_dict(torch.load("weights.pt", map_location="cpu", weights_only=True))'
        ground = (source.after(node, line),)
        edits = (*ground, source.replace(evals[0], "pass"))
        yield Site("CKP405", quiet[0].lineno, f"{name}.eval() removed", edits, reason, ground)


def _inside(source: Source, scope: ast.AST, kind: type[ast.stmt]) -> list[ast.stmt]:
    return [node for node in ast.walk(scope) if isinstance(node, kind) and source.scope(node) is scope]


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
        if not _loaded_here(source, call):
            yield Site("CKP408", call.lineno, what, reason=_ELSEWHERE)
        elif key not in saved:
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


def _loaded_here(source: Source, call: ast.Call) -> bool:
    """Whether a restore takes an entry of what torch.load gives in the same function."""
    base, scope = getattr(call.args[0], "value", None), source.scope(call)
    given = {
        dotted(target)
        for load in loads(source)
        if source.scope(load) is scope
        for target in getattr(source.statement(load), "targets", [])
    }
    return base is not None and (base in loads(source) or dotted(base) in given - {""})


def _shared(source: Source, call: ast.Call, saved: set[object]) -> float:
    """How many keys that are saved are read of the same value but for that of a restore; common ones count half."""
    base = getattr(call.args[0], "value", None)
    keys = {
        _subscript_key(node)
        for node in ast.walk(source.scope(call))
        if isinstance(node, ast.Subscript)
        and node is not call.args[0]
        and base is not None
        and source.part(node.value) == source.part(base)
    }
    return sum(0.5 if key in ("model", "state_dict", "epoch") else 1.0 for key in keys & saved)


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
        if not _loaded_here(source, call) or _shared(source, call, saved) < 2:
            yield Site("CKP409", call.lineno, what, reason=_ELSEWHERE)
        elif key not in saved or any(one.changed for one in found):
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
            restored = _starts_with(source, str(key.value), loops[0]) if loops else False
            reason = "" if restored else "not in its loop, or not restored as its start in the same file"
            if re.search(r"[\"'](?:global_)?(?:step|iteration|iter|it)\w*[\"']:", source.part(checkpoint.node)):
                reason = "a step counter is saved with it"
            yield Site(
                "CKP412", checkpoint.save.lineno, f"{name} + 1 -> {name}", (source.replace(value, name),), reason
            )


def _starts_with(source: Source, key: str, loop: ast.For) -> bool:
    """Whether a loop starts with what is read of a loaded file under a key."""
    start = source.part(loop.iter)
    read = {dotted(target) for call in loads(source) for target in getattr(source.statement(call), "targets", [])}
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Subscript) and dotted(node.value.value) in read:
            here = source.scope(node) is source.scope(loop)
            targets = [dotted(target) for target in node.targets]
            targets = [target for target in targets if here or target.startswith("self.")]
            if _subscript_key(node.value) == key and any(re.search(rf"\({re.escape(t)},", start) for t in targets if t):
                return True
    return False


def changed_while_iterated(source: Source) -> Iterator[Site]:
    """414: delete keys of the state dict in a loop over it."""
    for call, statement in module_restores(source):
        if isinstance(call.args[0], ast.Name) and source.stands_alone(statement):
            name = call.args[0].id
            lines = (f"for key in {name}:", '    if key.startswith("head."):', f"        del {name}[key]")
            yield Site("CKP414", call.lineno, "del in the loop", (source.before(statement, *lines),))


def wrong_layout(source: Source) -> Iterator[Site]:
    """418: restore the whole checkpoint instead of its entry."""
    found = list(checkpoints(source))
    saved = {key.value for one in found for key in one.node.keys if isinstance(key, ast.Constant)}
    for call, _ in module_restores(source):
        key = _subscript_key(call.args[0])
        if key is None or not isinstance(call.args[0], ast.Subscript):
            continue
        closed = key in saved and not any(one.changed for one in found)
        reason = "" if closed else "no closed save of the file has the key"
        if not _loaded_here(source, call) or _shared(source, call, saved) < 2:
            reason = _ELSEWHERE
        edit = source.replace(call.args[0], source.part(call.args[0].value))
        yield Site("CKP418", call.lineno, f"[{key!r}] dropped", (edit,), reason)


MUTATORS = (
    result_as_module, from_path, not_strict, prefix_strip, no_eval, no_eval_after, not_restored, misspelt, swallowed,
    missing_ignored, repeated_epoch, changed_while_iterated, wrong_layout,
)  # fmt: skip
