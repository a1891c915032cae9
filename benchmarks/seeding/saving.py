"""Faults of the family CKP1: what is saved, and how."""

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
    handed_over,
    keyword,
    own_parameters,
    owner_of_state,
    saves,
    with_keyword,
)  # fmt: skip

_RANK_TEST = re.compile(r"rank|is_main_process|is_master|is_main|master_process", re.IGNORECASE)
_DISTRIBUTED = re.compile(
    r"init_process_group|DistributedDataParallel|Accelerator\(|Fabric\(|LOCAL_RANK|[\"']RANK[\"']"
)
_IN_MEMORY = re.compile(r"BytesIO|buffer|\bbuf\b|stream|\bf\b|\bfp\b|\bfh\b|file_obj", re.IGNORECASE)


def state_calls(source: Source) -> Iterator[tuple[ast.Call, ast.Call, str]]:
    """Yield save call, `.state_dict()` call and owner for each module's state in a save, alone or in a dict literal."""
    for save in handed_over(source):
        saved = save.args[0]
        values = saved.values if isinstance(saved, ast.Dict) else [saved]
        for value in values:
            owner = owner_of_state(value)
            if isinstance(value, ast.Call) and owner and MODULE_NAME.search(owner):
                yield save, value, owner


def in_loop(source: Source, node: ast.AST) -> bool:
    """Whether a node stands in a loop of its own function."""
    for one in source.above(node):
        if isinstance(one, (ast.For, ast.While)):
            return True
        if isinstance(one, Function):
            return False
    return False


def whole_module(source: Source) -> Iterator[Site]:
    """101: save the module itself."""
    for _, state, owner in state_calls(source):
        wraps = owner in own_parameters(source, state)
        reason = "the function would hand its parameter on: its calls are judged" if wraps else ""
        yield Site("CKP101", state.lineno, f"{owner}.state_dict() -> {owner}", (source.replace(state, owner),), reason)


def not_called(source: Source) -> Iterator[Site]:
    """102: remove the parentheses of state_dict."""
    for _, state, owner in state_calls(source):
        yield Site(
            "CKP102", state.lineno, "state_dict() -> state_dict", (source.replace(state, f"{owner}.state_dict"),)
        )


def wrapped(source: Source) -> Iterator[Site]:
    """103: wrap the model in DataParallel where it is built, in the function or module that saves it."""
    for _, state, owner in state_calls(source):
        built = [
            node
            for node in ast.walk(source.scope(state))
            if isinstance(node, ast.Assign)
            and len(node.targets) == 1
            and dotted(node.targets[0]) == owner
            and isinstance(node.value, ast.Call)
            and node.lineno < state.lineno
            and source.scope(node) is source.scope(state)
        ]
        what = f"{owner} = DataParallel({owner})"
        if len(built) != 1 or not source.stands_alone(built[0]) or "." in owner:
            yield Site("CKP103", state.lineno, what, reason="the model is not built once in the same function")
        elif re.search(r"DataParallel|\.module\b|torch\.compile|prepare\(|unwrap", source.text):
            yield Site("CKP103", state.lineno, what, reason="the file wraps or unwraps already")
        else:
            line = f"{owner} = torch.nn.DataParallel({owner})"
            yield Site("CKP103", state.lineno, what, (source.after(built[0], line),))


def unguarded(source: Source) -> Iterator[Site]:
    """104: unwrap the rank guard around a save."""
    for node in ast.walk(source.tree):
        if not isinstance(node, ast.If) or not _RANK_TEST.search(source.part(node.test)):
            continue
        held = [call for call in saves(source) if source.statement(call) in node.body]
        if not held:
            continue
        what = f"if {source.part(node.test)[:40]}: unwrapped"
        others = [
            one for one in source.above(node) if isinstance(one, ast.If) and _RANK_TEST.search(source.part(one.test))
        ]
        if node.orelse or others or not all(map(source.stands_alone, node.body)):
            yield Site("CKP104", held[0].lineno, what, reason="another branch or guard stands around")
        elif not _DISTRIBUTED.search(source.text):
            yield Site("CKP104", held[0].lineno, what, reason="nothing in the file is distributed")
        elif re.search(r"rank|collective", source.part(held[0].args[1])):
            yield Site("CKP104", held[0].lineno, what, reason="the rank is in the path")
        elif _early_return(source, node):
            yield Site("CKP104", held[0].lineno, what, reason="an early return stands before")
        else:
            yield Site("CKP104", held[0].lineno, what, (_unwrapping(source, node),))


def _early_return(source: Source, node: ast.If) -> bool:
    scope = source.scope(node)
    return any(
        isinstance(one, ast.If)
        and one.lineno < node.lineno
        and _RANK_TEST.search(source.part(one.test))
        and any(isinstance(inner, ast.Return) for inner in one.body)
        for one in ast.walk(scope)
    )


def _unwrapping(source: Source, node: ast.If) -> tuple[int, int, str]:
    start, end = source.lines_of(node)
    first, _ = source.lines_of(node.body[0])
    deeper, outer = source.indent(node.body[0]), source.indent(node)
    return start, end, re.sub(rf"(?m)^{re.escape(deeper)}", outer, source.text[first:end])


def training_loop(source: Source, node: ast.AST) -> ast.For | None:
    """The outermost loop over epochs or steps of the same function in which something is trained."""
    found = None
    for one in source.above(node):
        if isinstance(one, ast.For) and re.search(r"epoch|step|iter", source.part(one.target)):
            text = source.part(one)
            found = one if re.search(r"\.backward\(|\.step\(|train", text) else found
        if isinstance(one, Function):
            break
    return found


def kept_reference(source: Source) -> Iterator[Site]:
    """106: keep the state dict of the best epoch, and write it after the loop."""
    for save in saves(source):
        owner, loop, statement = owner_of_state(save.args[0]), training_loop(source, save), source.statement(save)
        if not owner or loop is None or statement is None or not MODULE_NAME.search(owner):
            continue
        what = f"kept_state = {owner}.state_dict()"
        guarded = any(isinstance(one, ast.If) and loop in source.above(one) for one in source.above(statement))
        if not source.stands_alone(statement) or not source.stands_alone(loop) or loop.orelse:
            yield Site("CKP106", save.lineno, what, reason="statements that cannot be moved")
        elif not guarded and (not isinstance(loop.target, ast.Name) or statement is not source.statement(save)):
            yield Site("CKP106", save.lineno, what, reason="saved in every turn of the loop")
        elif _under_rank_guard(source, statement, loop):
            yield Site("CKP106", save.lineno, what, reason="behind the loop it would have left its rank guard")
        elif not guarded and isinstance(loop.target, ast.Name):
            start, end = source.lines_of(statement)
            pad, target = source.indent(statement), source.part(save.args[1])
            kept_lines = f"{pad}if {loop.target.id} % 10 == 0:\n{pad}    {what}\n"
            after = f"{source.indent(loop)}torch.save(kept_state, {target})\n"
            place = source.lines_of(loop)[1]
            edits = ((start, end, kept_lines), (place, place, after))
            if place == end:
                edits = ((start, end, kept_lines + after),)
            yield Site("CKP106", save.lineno, what, edits)
        else:
            kept = source.replace(save, what)
            text = f"{source.indent(loop)}torch.save(kept_state, {source.part(save.args[1])})\n"
            end = source.lines_of(loop)[1]
            yield Site("CKP106", save.lineno, what, (kept, (end, end, text)))


def _under_rank_guard(source: Source, statement: ast.stmt, loop: ast.For) -> bool:
    """Whether a test of the rank stands around a statement, inside the loop."""
    inside = [one for one in source.above(statement) if isinstance(one, ast.If) and loop in source.above(one)]
    return any(re.search(r"rank|master|main_process|is_main|gpu == 0", source.part(one.test)) for one in inside)


def reference(source: Source) -> Iterator[Site]:
    """106: remove the deepcopy around a state dict that is kept."""
    for call in source.calls:
        if dotted(call.func) not in ("copy.deepcopy", "deepcopy") or len(call.args) != 1:
            continue
        owner = owner_of_state(call.args[0])
        if not owner:
            continue
        statement = source.statement(call)
        edit = source.replace(call, source.part(call.args[0]))
        kept = isinstance(statement, ast.Assign) and statement.value is call
        reason = "" if kept and in_loop(source, call) else "not kept in a loop"
        if re.search(r"\.load_state_dict\(", source.part(statement)) if statement else True:
            reason = "restored at once"
        yield Site("CKP106", call.lineno, f"deepcopy of {owner}.state_dict() removed", (edit,), reason)


def device_bound(source: Source) -> Iterator[Site]:
    """107: save the state dict instead of its copy on the CPU."""
    for save in saves(source):
        for node in ast.walk(save.args[0]):
            if isinstance(node, ast.DictComp) and ".cpu()" in source.part(node):
                items = node.generators[0].iter
                state = (
                    items.func.value if isinstance(items, ast.Call) and isinstance(items.func, ast.Attribute) else None
                )
                if state is not None and owner_of_state(state):
                    edit = source.replace(node, source.part(state))
                    yield Site("CKP107", node.lineno, "comprehension with .cpu() removed", (edit,))


def on_device(source: Source) -> Iterator[Site]:
    """107: write the weights of a module where it lies, on a device."""
    if re.search(r"DataParallel|init_process_group|torch\.compile|Accelerator|deepspeed|Fabric", source.text):
        return
    for call in source.calls:
        statement, scope = source.statement(call), source.scope(call)
        name = dotted(call.func.value) if isinstance(call.func, ast.Attribute) else ""
        moved = isinstance(call.func, ast.Attribute) and call.func.attr in ("to", "cuda") and MODULE_NAME.search(name)
        if not moved or not isinstance(statement, (ast.Expr, ast.Assign)) or statement.value is not call:
            continue
        last = source.block(statement)[-1]
        if isinstance(statement, ast.Assign) and [dotted(one) for one in statement.targets] != [name]:
            continue
        reason = "" if isinstance(scope, Function) and scope.body is source.block(statement) else "moved in a branch"
        if not re.search(r"(?m)^import torch[ \t]*$", source.text):
            reason = "torch is not imported"
        if not source.stands_alone(last) or len(source.block(statement)) < 2:
            reason = "statements that cannot be moved"
        if re.search(rf"(?<![\w.]){re.escape(name)} = torch\.jit\.", source.part_of(scope)):
            reason = "TorchScript"
        save, copies = (
            f'{name}.state_dict(), "weights.pt")',
            f"{{key: value.cpu() for key, value in {name}.state_dict()",
        )
        at = source.before if isinstance(last, ast.Return) else source.after
        ground = at(last, f'torch.save({copies}.items()}}, "weights.pt")')
        yield Site("CKP107", call.lineno, "saved on the device", (at(last, f"torch.save({save}"),), reason, (ground,))


def legacy_format(source: Source) -> Iterator[Site]:
    """108: write the format from before torch 1.6."""
    for save in to_files(source):
        edit = with_keyword(source, save, "_use_new_zipfile_serialization=False")
        yield Site("CKP108", save.lineno, "_use_new_zipfile_serialization=False", (edit,))


def to_files(source: Source) -> Iterator[ast.Call]:
    """Yield the saves whose target is no buffer and no open file, as far as the text says."""
    for save in saves(source):
        target = source.part(save.args[1])
        buffer = _IN_MEMORY.search(target) or re.search(rf"\b{re.escape(target)} = [^\n]*BytesIO", source.text)
        if not save.keywords and not buffer and not _hands_on(source, save):
            yield save


def _hands_on(source: Source, save: ast.Call) -> bool:
    """Whether a save writes a parameter itself: then the calls of the function are judged."""
    return dotted(save.args[0]) in own_parameters(source, save)


def pickled(source: Source) -> Iterator[Site]:
    """109: pickle.dump a state dict."""
    for save in to_files(source):
        if owner_of_state(save.args[0]):
            text = f'pickle.dump({source.part(save.args[0])}, open({source.part(save.args[1])}, "wb"))'
            edits = (source.replace(save, text), *source.importing("pickle"))
            yield Site("CKP109", save.lineno, "pickle.dump", edits)


def blocker(source: Source) -> Iterator[Site]:
    """110: put torch.__version__, which is no plain string, among the entries."""
    for save in handed_over(source):
        saved = save.args[0]
        if isinstance(saved, ast.Dict) and any(owner_of_state(value) for value in saved.values) and all(saved.keys):
            start = source.span(saved)[0] + 1
            edit = (start, start, '"torch_version": torch.__version__, ')
            yield Site("CKP110", save.lineno, "torch.__version__ among the entries", (edit,))


def parameters(source: Source) -> Iterator[Site]:
    """111: save the parameters instead of the state dict."""
    for _, state, owner in state_calls(source):
        edit = source.replace(state, f"list({owner}.parameters())")
        yield Site("CKP111", state.lineno, f"list({owner}.parameters())", (edit,))


def view(source: Source) -> Iterator[Site]:
    """112: put a view of a large tensor among the entries."""
    for save in saves(source):
        saved = save.args[0]
        statement = source.statement(save)
        if isinstance(saved, ast.Dict) and all(saved.keys) and statement is not None and source.stands_alone(statement):
            start = source.span(saved)[0] + 1
            edits = (
                source.before(statement, "history = torch.zeros(100000)"),
                (start, start, '"tail": history[-10:], '),
            )
            yield Site("CKP112", save.lineno, "a slice among the entries", edits)


def misnamed(source: Source) -> Iterator[Site]:
    """113: give the file the suffix of another format."""
    for save in saves(source):
        for node in ast.walk(save.args[1]):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                text = source.part(node)
                new = re.sub(r"\.(pth\.tar|pth|pt|ckpt|bin|tar)(?=[\"']$)", ".safetensors", text)
                if new != text and "'" + '"' not in new and not isinstance(source.parents[node], ast.JoinedStr):
                    yield Site("CKP113", save.lineno, new[-30:], (source.replace(node, new),))


def protocol(source: Source) -> Iterator[Site]:
    """114: a protocol that the default load refuses."""
    for save in saves(source):
        if _hands_on(source, save):
            continue
        if keyword(save, "pickle_protocol") is None and keyword(save, "pickle_module") is None:
            yield Site("CKP114", save.lineno, "pickle_protocol=4", (with_keyword(source, save, "pickle_protocol=4"),))


def pickle_export(source: Source) -> Iterator[Site]:
    """115: write bare weights to an export path by torch.save."""
    for save in to_files(source):
        weights = MODULE_NAME.search(owner_of_state(save.args[0]))
        if weights and not re.search("best|final|export|deploy", source.part(save.args[1])):
            yield Site(
                "CKP115", save.lineno, "final_model.pt", (source.replace(save.args[1], '"export/final_model.pt"'),)
            )


def live_cast(source: Source) -> Iterator[Site]:
    """116: cast the live model to save it, in a training loop."""
    for save, state, owner in state_calls(source):
        what = f"{owner}.half().state_dict()"
        reason = "" if training_loop(source, save) is not None else "no training loop around"
        yield Site("CKP116", state.lineno, what, (source.replace(state, what),), reason)


MUTATORS = (
    whole_module,
    not_called,
    wrapped,
    unguarded,
    reference,
    kept_reference,
    device_bound,
    on_device,
    legacy_format,
    pickled,
    blocker,
    parameters,
    view,
    misnamed,
    protocol,
    pickle_export,
    live_cast,
)
