"""Loops that train: which module, by which optimizer, and what else steps in them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from seeding.source import EMA_NAME, MODULE_NAME, Source, dotted, kind_of

_ELSEWHERE = re.compile(r"Accelerator\(|Fabric\(|deepspeed|LightningModule|FullyShardedDataParallel|horovod|torch_xla")
_TURN = re.compile(r"epoch|step|iter|^i$|^t$|^e$")
_METRIC = re.compile(r"(?:^|_)(?:loss|acc\w*|metric|error|score)(?:_|$)", re.IGNORECASE)


@dataclass(frozen=True)
class Training:
    """An outermost loop of a function, what is trained in it, and what else has state: names by their kind."""

    loop: ast.For
    scope: ast.AST
    turn: str
    model: str
    optimizer: str
    others: tuple[tuple[str, str], ...]
    metric: str
    built: bool
    """Whether the optimizer is seen to be built over the module, in the same function or class."""

    def entries(self, *, without: tuple[str, ...] = (), plus: tuple[tuple[str, str], ...] = ()) -> str:
        """The dict of a whole training checkpoint, without some kinds of state."""
        pairs = [("model", f"{self.model}.state_dict()"), ("optimizer", f"{self.optimizer}.state_dict()")]
        pairs += [(kind, f"{name}.state_dict()") for kind, name in self.others]
        pairs += [("epoch", f"{self.turn} + 1"), ("rng_state", "torch.get_rng_state()")]
        pairs += [("torch_version", "str(torch.__version__)"), ("cuda_version", "torch.version.cuda"), *plus]
        return "{" + ", ".join(f'"{kind}": {text}' for kind, text in pairs if kind not in without) + "}"


def trainings(source: Source) -> Iterator[Training]:
    """Yield the plain training loops of a file: one device, no framework around, nothing that is saved elsewhere."""
    if _ELSEWHERE.search(source.text) or not re.search(r"(?m)^import torch[ \t]*$", source.text):
        return
    for loop in ast.walk(source.tree):
        if not isinstance(loop, ast.For) or not isinstance(loop.target, ast.Name) or loop.orelse:
            continue
        scope = source.scope(loop)
        inner = any(isinstance(one, (ast.For, ast.While)) and source.scope(one) is scope for one in source.above(loop))
        if inner or not _TURN.search(loop.target.id) or not source.stands_alone(loop):
            continue
        found = _training(source, loop, scope)
        if found is not None and all(map(source.stands_alone, loop.body)):
            yield found


def _training(source: Source, loop: ast.For, scope: ast.AST) -> Training | None:
    names = _stepped(loop) | _handed_on(loop) | _of_class(source, loop)
    by_kind: dict[str, list[str]] = {}
    for name in sorted(names):
        by_kind.setdefault(kind_of(name), []).append(name)
    optimizers = by_kind.pop("optimizer", [])
    models = _optimized(_home(source, loop, optimizers[0]), optimizers[0]) if len(optimizers) == 1 else set()
    built = bool(models)
    if models is None:
        return None  # what is optimized has no name that says so
    models = models or _run(loop)
    if len(models) != 1 or len(optimizers) != 1 or any(len(names) > 1 for names in by_kind.values()):
        return None
    others = tuple((kind, names[0]) for kind, names in sorted(by_kind.items()) if kind in ("scheduler", "scaler"))
    text = source.part_of(scope)
    if re.search(rf"(?<![\w.]){re.escape(min(models))} = torch\.jit\.", text):
        return None  # TorchScript, of which the rules say nothing
    if any(kind == "scheduler" and not _shown(source, name) for kind, name in others):
        return None  # an array of learning rates, or what has no name that says so
    if "requires_grad" in text or not re.search(r"(?:optim\w*|opt\w*|scaler\w*)\.step\(", source.text):
        return None  # a part is frozen, or the step is taken where we do not look
    if EMA_NAME.search(text) or ("scaler" not in by_kind and "GradScaler" in source.text):
        return None
    assert isinstance(loop.target, ast.Name)
    return Training(loop, scope, loop.target.id, min(models), optimizers[0], others, _metric(loop), built)


def _shown(source: Source, name: str) -> bool:
    """Whether something in the file shows that a name is a scheduler: how it is made, or that it steps."""
    made = rf"(?<![\w.]){re.escape(name)}\b[^=\n]*=[^\n]*(?:lr_scheduler|LR\(|[sS]chedul\w*\()"
    return bool(re.search(rf"{made}|(?<![\w.]){re.escape(name)}\.step\(", source.text))


def _calls(node: ast.AST) -> Iterator[ast.Call]:
    return (one for one in ast.walk(node) if isinstance(one, ast.Call))


def _stepped(loop: ast.For) -> set[str]:
    """What steps or is updated in a loop."""
    found = set()
    for call in _calls(loop):
        owner, _, method = dotted(call.func).rpartition(".")
        if owner and (method == "step" or (method == "update" and kind_of(owner) in ("scaler", "ema"))):
            found.add(owner)
    return found


def _handed_on(loop: ast.For) -> set[str]:
    """The optimizer, scheduler and scaler that a loop hands to the function that trains: `train(model, optimizer)`."""
    found = set()
    for call in _calls(loop):
        given = {dotted(one) for one in [*call.args, *(given.value for given in call.keywords)]} - {""}
        if "train" in dotted(call.func) and any(kind_of(name) == "optimizer" for name in given):
            found |= {name for name in given if kind_of(name) in ("optimizer", "scheduler", "scaler")}
    return found


def _of_class(source: Source, loop: ast.For) -> set[str]:
    """The optimizer and the like of a class whose loop calls another method of it."""
    calls = [dotted(call.func) for call in _calls(loop)]
    holder = next((one for one in source.above(loop) if isinstance(one, ast.ClassDef)), None)
    if holder is None or not any(re.match(r"self\.\w*(?:train|step|epoch)\w*$", name) for name in calls):
        return set()
    bound = {dotted(target) for node in ast.walk(holder) if isinstance(node, ast.Assign) for target in node.targets}
    stepped = {dotted(call.func).rpartition(".")[0] for call in _calls(holder) if dotted(call.func).endswith(".step")}
    return {name for name in bound & stepped if name.startswith("self.") and kind_of(name) not in ("", "model")}


def _home(source: Source, loop: ast.For, name: str) -> ast.AST:
    """Where a name is bound: the class for an attribute of `self`, else the function."""
    if name.startswith("self."):
        return next((one for one in source.above(loop) if isinstance(one, ast.ClassDef)), source.tree)
    return source.scope(loop)


def _run(loop: ast.For) -> set[str]:
    """The modules that are called, or put into training, in a loop, or handed to what trains."""
    found = set()
    for call in _calls(loop):
        name = dotted(call.func)
        found |= {name, name.removesuffix(".train")}
        if "train" in name:
            found |= {dotted(one) for one in [*call.args, *(given.value for given in call.keywords)]}
    return {name for name in found if MODULE_NAME.search(name)}


def _optimized(scope: ast.AST, optimizer: str) -> set[str] | None:
    """The modules over whose parameters the optimizer is built here; none where it is not, None where it is not clear."""
    found = set()
    for node in ast.walk(scope):
        if isinstance(node, ast.Assign) and any(dotted(target) == optimizer for target in node.targets):
            for call in _calls(node.value):
                owner, _, method = dotted(call.func).rpartition(".")
                if method == "parameters":
                    found.add(owner)
    return None if len(found) > 1 or any(not MODULE_NAME.search(name) for name in found) else found


def _metric(loop: ast.For) -> str:
    """A number that says how good a turn was, bound in the loop's own body; "" where there is none."""
    names = [
        name.id
        for node in loop.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call)
        for target in node.targets
        for name in (target.elts if isinstance(target, ast.Tuple) else [target])
        if isinstance(name, ast.Name) and _METRIC.search(name.id)
    ]
    return names[-1] if names else ""
