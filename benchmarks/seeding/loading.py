"""Faults of the family CKP3: how a checkpoint is read."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from seeding.source import (
    MODULE_NAME,
    Site,
    Source,
    dotted,
    has_unpacking,
    keyword,
    loads,
    owner_of_state,
    receiver,
    restores,
    with_keyword,
    without_argument,
)  # fmt: skip
from seeding.state import checkpoints

_HUB = ("load_state_dict_from_url", "load_url")
_NOT_A_PATH = re.compile(r"BytesIO|buffer|\bbuf\b|stream|\bf\b|\bfp\b|\bfh\b", re.IGNORECASE)


def _is_false(call: ast.Call) -> bool:
    given = keyword(call, "weights_only")
    return given is not None and not (isinstance(given.value, ast.Constant) and given.value.value is True)


def no_map_location(source: Source) -> Iterator[Site]:
    """301: drop map_location."""
    for call in [*loads(source), *_hub_loads(source)]:
        given = keyword(call, "map_location")
        if given is not None:
            removed: ast.keyword | ast.expr = given
        elif len(call.args) == 2 and dotted(call.func) == "torch.load":
            removed = call.args[1]
        else:
            continue
        yield Site("CKP301", call.lineno, "map_location dropped", (without_argument(source, call, removed),))


def _hub_loads(source: Source) -> list[ast.Call]:
    return [
        call
        for call in source.calls
        if dotted(call.func).rpartition(".")[2] in _HUB and call.args and not has_unpacking(call)
    ]


def no_weights_only(source: Source) -> Iterator[Site]:
    """302: drop weights_only=True."""
    for call in loads(source):
        given = keyword(call, "weights_only")
        if given is not None and isinstance(given.value, ast.Constant) and given.value.value is True:
            yield Site("CKP302", call.lineno, "weights_only=True dropped", (without_argument(source, call, given),))


def unsafe(source: Source) -> Iterator[Site]:
    """303: weights_only=False."""
    for call in loads(source):
        given = keyword(call, "weights_only")
        if given is None:
            edit = with_keyword(source, call, "weights_only=False")
        elif isinstance(given.value, ast.Constant) and given.value.value is True:
            edit = source.replace(given.value, "False")
        else:
            continue
        yield Site("CKP303", call.lineno, "weights_only=False", (edit,))


def from_network(source: Source) -> Iterator[Site]:
    """304: download the file in the line before it is loaded."""
    for call in loads(source):
        statement = source.statement(call)
        path = dotted(call.args[0])
        if not path or statement is None or not isinstance(statement, (ast.Assign, ast.Expr)):
            continue
        if keyword(call, "weights_only") is not None or _NOT_A_PATH.search(path):
            yield Site("CKP304", call.lineno, "download before", reason="weights_only is said, or no path is loaded")
        elif re.search(rf"\b{re.escape(path)} = (?:\w+\.)*\w*(?:ckpt|download|cache|url|pretrained)\w*\(", source.text):
            yield Site(
                "CKP304", call.lineno, "download before", reason="the file is fetched, and may be checked, already"
            )
        elif source.stands_alone(statement):
            line = f'torch.hub.download_url_to_file("https://example.org/weights.pth", {path})'
            yield Site("CKP304", call.lineno, "download before", (source.before(statement, line),))


def by_pickle(source: Source) -> Iterator[Site]:
    """305: read the weights that are restored with pickle.load."""
    for call in restores(source):
        loaded = call.args[0]
        if isinstance(loaded, ast.Call) and loaded in loads(source) and MODULE_NAME.search(receiver(call)):
            text = f'pickle.load(open({source.part(loaded.args[0])}, "rb"))'
            edits = (source.replace(loaded, text), *source.importing("pickle"))
            yield Site("CKP305", loaded.lineno, "pickle.load", edits)


def hard_coded(source: Source) -> Iterator[Site]:
    """306: map_location="cuda:0"."""
    for call, value in _locations(source):
        asked = any(isinstance(one, ast.If) and "cuda" in source.part(one.test) for one in source.above(call))
        reason = (
            "the file tests or demands CUDA"
            if asked or re.search(r"is_available\(\)|assert .*cuda", source.text)
            else ""
        )
        yield Site("CKP306", call.lineno, 'map_location="cuda:0"', (source.replace(value, '"cuda:0"'),), reason)


def invalid(source: Source) -> Iterator[Site]:
    """310: map_location=0."""
    for call, value in _locations(source):
        yield Site("CKP310", call.lineno, "map_location=0", (source.replace(value, "0"),))


def _locations(source: Source) -> Iterator[tuple[ast.Call, ast.expr]]:
    for call in loads(source):
        given = keyword(call, "map_location")
        if given is not None:
            yield call, given.value
        elif len(call.args) == 2:
            yield call, call.args[1]


def whole_module(source: Source) -> Iterator[Site]:
    """307: take what was loaded for the module."""
    for call in restores(source):
        loaded, statement = call.args[0], source.statement(call)
        name = receiver(call)
        if not (isinstance(loaded, ast.Call) and loaded in loads(source) and MODULE_NAME.search(name)):
            continue
        if call.keywords or len(call.args) != 1 or not isinstance(statement, ast.Expr) or statement.value is not call:
            continue
        if source.stands_alone(statement):
            edits = (
                source.replace(call, f"{name} = {source.part(loaded)}"),
                source.after(statement, f"{name}.eval()"),
            )
            yield Site("CKP307", loaded.lineno, f"{name} = torch.load(...); {name}.eval()", edits)


def unverified(source: Source) -> Iterator[Site]:
    """308: drop check_hash=True."""
    for call in _hub_loads(source):
        given = keyword(call, "check_hash")
        if given is not None and isinstance(given.value, ast.Constant) and given.value.value is True:
            yield Site("CKP308", call.lineno, "check_hash dropped", (without_argument(source, call, given),))


def hub_instead(source: Source) -> Iterator[Site]:
    """308: take the weights from a server, and check nothing."""
    text = 'torch.hub.load_state_dict_from_url("https://example.org/weights-0a1b2c3d.pth", map_location="cpu"'
    for call in restores(source):
        loaded = call.args[0]
        if isinstance(loaded, ast.Call) and loaded in loads(source) and MODULE_NAME.search(receiver(call)):
            edit = source.replace(loaded, f"{text}, weights_only=True)")
            ground = source.replace(loaded, f"{text}, weights_only=True, check_hash=True)")
            yield Site("CKP308", loaded.lineno, "load_state_dict_from_url", (edit,), ground=(ground,))


def whole_file(source: Source) -> Iterator[Site]:
    """309: restore a module that was just built, and read the whole file for it."""
    for node in ast.walk(source.tree):
        name = dotted(node.targets[0]) if isinstance(node, ast.Assign) and len(node.targets) == 1 else ""
        built = isinstance(node, ast.Assign) and isinstance(node.value, ast.Call)
        if not built or not MODULE_NAME.search(name) or not isinstance(node, ast.Assign):
            continue
        made = dotted(node.value.func).rpartition(".")[2] if isinstance(node.value, ast.Call) else ""
        scope = source.part_of(source.scope(node))
        if not re.match(r"[A-Z]\w*(?:Net|Model|UNet|Encoder|Decoder|Former)\w*$", made) or not source.stands_alone(
            node
        ):
            continue
        reason = "" if re.search(r"(?m)^import torch[ \t]*$", source.text) else "torch is not imported"
        if re.search(r"load_state_dict|DataParallel|deepspeed|torch\.load", scope):
            reason = "something is loaded here already"
        line = f'{name}.load_state_dict(torch.load("weights.pt", map_location="cpu", weights_only=True'
        ground = (source.after(node, f"{line}, mmap=True))"),)
        yield Site("CKP309", node.lineno, "no mmap", (source.after(node, f"{line}))"),), reason, ground)


def refused(source: Source) -> Iterator[Site]:
    """311: save torch.__version__ beside what the same file loads."""
    read = {
        node.slice.value
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant) and isinstance(node.ctx, ast.Load)
    }
    reading = loads(source)
    for checkpoint in checkpoints(source):
        keys = {key.value for key in checkpoint.node.keys if isinstance(key, ast.Constant)}
        shared = keys & read
        if len(shared) < 2 or not reading:
            continue
        reason = "" if all(not _is_false(call) for call in reading) else "a load of the file has weights_only=False"
        if len(list(checkpoints(source))) > 1 or checkpoint.changed:
            reason = "several saves, or keys added later"
        if not any(_reads_of(source, call, keys) >= 2 for call in reading):
            reason = "no load of the file reads enough of its keys"
        if not any(owner_of_state(value) for value in checkpoint.node.values):
            reason = "no weights in the checkpoint"
        start = source.span(checkpoint.node)[0] + 1
        edit = (start, start, '"torch_version": torch.__version__, ')
        yield Site("CKP311", reading[0].lineno, "torch.__version__ saved", (edit,), reason)


def _reads_of(source: Source, call: ast.Call, keys: set[object]) -> float:
    """How many of the keys are read of what a load gives, in its function; common ones count half."""
    statement = source.statement(call)
    name = dotted(statement.targets[0]) if isinstance(statement, ast.Assign) and statement.value is call else ""
    found = {
        node.slice.value
        for node in ast.walk(source.scope(call))
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant) and dotted(node.value) == name
    }
    return sum(0.5 if key in ("model", "state_dict", "epoch") else 1.0 for key in found & keys) if name else 0


def fallback(source: Source) -> Iterator[Site]:
    """312: load again without weights_only where the safe load fails."""
    for call in loads(source):
        statement = source.statement(call)
        if statement is None or not isinstance(statement, (ast.Assign, ast.Expr)) or not source.stands_alone(statement):
            continue
        given = keyword(call, "weights_only")
        if given is not None and not (isinstance(given.value, ast.Constant) and given.value.value is True):
            continue
        if "\n" in source.part(statement) or any(isinstance(one, ast.IfExp) for one in ast.walk(statement)):
            yield Site("CKP312", call.lineno, "except: load again", reason="several lines, or a load under a condition")
            continue
        start, end = source.span(statement)
        text, at = source.part(statement), source.span(call)[1] - start - 1
        safe = text if given is not None else f"{text[:at]}, weights_only=True{text[at:]}"
        old = re.sub(r"weights_only=True", "weights_only=False", safe)
        pad = source.indent(statement)
        new = f"try:\n{pad}    {safe}\n{pad}except Exception:\n{pad}    {old}"
        yield Site("CKP312", call.lineno, "except Exception: weights_only=False", ((start, end, new),))


def no_mmap(source: Source) -> Iterator[Site]:
    """309: drop mmap=True."""
    for call in loads(source):
        given = keyword(call, "mmap")
        if given is not None and isinstance(given.value, ast.Constant) and given.value.value is True:
            copied = re.search(r"load_state_dict\(", source.part_of(source.scope(call)))
            reason = "" if copied else "what is read goes elsewhere"
            statement = source.statement(call)
            name = dotted(statement.targets[0]) if isinstance(statement, ast.Assign) else ""
            handed = rf"(?<!load_state_dict)\([^()]*(?<![\w.]){re.escape(name)}\s*[,)]|={re.escape(name)}\s*[,)]"
            if name and re.search(handed, source.part_of(source.scope(call))):
                reason = "what is read goes into functions that may do more than copy it"
            yield Site("CKP309", call.lineno, "mmap=True dropped", (without_argument(source, call, given),), reason)


MUTATORS = (
    no_map_location, no_weights_only, unsafe, from_network, by_pickle, hard_coded, whole_module, unverified, no_mmap,
    hub_instead, whole_file, invalid, refused, fallback,
)  # fmt: skip
