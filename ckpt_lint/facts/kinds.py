"""The kinds of values that matter to checkpoints, and what makes them: tables for `ckpt_lint.facts.values`."""

from __future__ import annotations

from ckpt_lint import apis
from ckpt_lint.source import tree as t

STATE_DICT = "state-dict"
LOADED = "loaded"
SCRIPT = "script-module"
DICT = "dict"
PATH = "path"
STRING = "string"
NUMBER = "number"
NUMPY = "numpy"
TENSOR = "tensor"
FOREIGN = "foreign"
FUNCTION = "function"
CLASS = "class"
OBJECT = "object"
SEQUENCE = "sequence"


def kinds_of_name(name: str) -> set[str]:
    """The kinds that calling a dotted name makes."""
    kind = apis.constructs(name)
    if kind is not None:
        return {kind}
    if name in (apis.DATA_PARALLEL, apis.DDP):
        return {apis.MODULE}
    if name in (apis.TORCH_LOAD, apis.HUB_LOAD, apis.ULTRALYTICS_LOAD):
        return {LOADED}
    if name in _KIND_OF_NAME:
        return {_KIND_OF_NAME[name]}
    if name.startswith(("torch.jit.load", "torch.jit.script", "torch.jit.trace", "torch.jit.freeze")):
        return {SCRIPT}
    if apis.FOREIGN.match(name):
        return {FOREIGN}
    if name.startswith("numpy.") and name.split(".")[-1][0].islower() and not name.startswith("numpy.random.seed"):
        return {NUMPY}
    if name.startswith("torch.") and name.count(".") == 1 and name[6].islower():
        return {TENSOR} if name not in _NO_TENSOR else set()
    return set()


ARRAY_METHODS = frozenset({
    "astype", "reshape", "mean", "sum", "copy", "transpose", "flatten", "max", "min", "std", "squeeze", "ravel", "dot",
})  # fmt: skip
_NO_TENSOR = frozenset({"torch.device", "torch.no_grad", "torch.compile", "torch.manual_seed", "torch.typename"})
_KIND_OF_NAME = {
    "builtins.dict": DICT, "collections.OrderedDict": STATE_DICT, "collections.defaultdict": DICT,
    "builtins.vars": DICT, "dataclasses.asdict": DICT, "builtins.list": SEQUENCE, "builtins.tuple": SEQUENCE,
    "builtins.str": STRING, "builtins.int": NUMBER, "builtins.float": NUMBER, "builtins.len": NUMBER,
    "builtins.bool": NUMBER, "os.path.join": PATH, "pathlib.Path": PATH, "os.path.abspath": PATH, "builtins.range": SEQUENCE,
    "os.path.dirname": PATH, "builtins.sum": NUMBER, "time.time": NUMBER, "builtins.round": NUMBER,
    "builtins.set": SEQUENCE, "builtins.sorted": SEQUENCE, "json.load": DICT, "yaml.safe_load": DICT,
    "safetensors.torch.load_file": STATE_DICT, "os.path.expanduser": PATH, "os.getcwd": PATH,
    "torch.distributed.checkpoint.state_dict.get_model_state_dict": STATE_DICT,
}  # fmt: skip


def kinds_of_item(name: str, at: tuple[int, ...]) -> set[str]:
    """The kind of one item of what a call gives."""
    if name == "deepspeed.initialize" and at:
        made = (apis.MODULE, apis.OPTIMIZER, OBJECT, apis.SCHEDULER)
        return {made[at[0]]} if 0 <= at[0] < len(made) else set()
    return set()


def kinds_of_literal(node: t.Node) -> set[str]:
    """The kinds of a display, a string, a number, a lambda."""
    if isinstance(node, t.Dict) or (isinstance(node, t.Comprehension) and node.kind == "dict"):
        return {DICT}
    if isinstance(node, (t.Sequence, t.Comprehension)):
        return {SEQUENCE}
    if isinstance(node, t.JoinedStr):
        return {STRING}
    if isinstance(node, t.Lambda):
        return {FUNCTION}
    if isinstance(node, t.Constant):
        if isinstance(node.value, str):
            return {STRING}
        if isinstance(node.value, (bool, int, float)):
            return {NUMBER}
    if isinstance(node, (t.Compare, t.UnaryOp)):
        return {NUMBER}
    return set()
