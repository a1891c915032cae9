"""What a constant `map_location` says: a CUDA device, or something that torch does not take (TORCH_FACTS 3)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ckpt_lint import apis
from ckpt_lint.facts.judged import Judged, judged
from ckpt_lint.source import flow
from ckpt_lint.source import tree as t
from ckpt_lint.source.module import ModuleFacts

if TYPE_CHECKING:
    from ckpt_lint.facts.view import View

_CUDA = re.compile(r"^cuda(:\d+)?$")
_NO_TAG = re.compile(r"^(cpu:\d+|gpu(:\d+)?|CPU|GPU|Cpu|CUDA(:\d+)?|cuda:|cpu:)$")


@dataclass(frozen=True, slots=True)
class Location:
    """A constant location: the words of it, and why it never works, if so."""

    text: str
    cuda: bool = False
    invalid: str | None = None


def constant_locations(view: View, code: str) -> Iterator[tuple[Judged, t.Expr, Location]]:
    """The constant `map_location`s that are written in a module, with the loads that they are for, for a rule."""
    for found in judged(view, "map_location", code=code):
        load = found.load
        value = load.value("map_location")
        if value is not None and load.home("map_location") is view.module and found.decides("map_location"):
            location = read_location(view.module, value, load.api)
            if location is not None:
                yield found, value, location


def read_location(module: ModuleFacts, value: t.Expr, api: str) -> Location | None:
    """What a `map_location` says, None where it is computed."""
    constant = module.constant(value)
    if constant is not None:
        return _of_constant(constant.value)
    binding = module.once_bound(value)
    if binding is not None and binding.how == "assign" and isinstance(binding.value, (t.Dict, t.Call)):
        return read_location(module, binding.value, api)
    if isinstance(value, t.Call) and module.names.is_a(value.func, "torch.device"):
        return _of_device(module, value)
    if isinstance(value, t.Dict):
        return _of_dict(module, value, api)
    if isinstance(value, t.Lambda):
        if api == apis.JIT_LOAD:
            return Location("a function", invalid="`torch.jit.load` takes a string or a `torch.device` only")
        return _of_lambda(value)
    return None


def _of_constant(value: object) -> Location | None:
    if isinstance(value, bool) or value is None:
        return None if value is None else Location(repr(value), invalid="a bool is no location: torch calls it")
    if isinstance(value, int):
        return Location(str(value), invalid="an int is no location: torch calls it (`TypeError`)")
    if isinstance(value, str):
        if _NO_TAG.match(value):
            why = "torch knows no such storage location: write `\"cpu\"`" if value[:1] in "cC" else "no such device"
            return Location(repr(value), invalid=why)
        return Location(repr(value), cuda=bool(_CUDA.match(value)))
    return None


def _of_device(module: ModuleFacts, call: t.Call) -> Location | None:
    args = [arg.value for arg in call.args]
    parts = [module.constant(arg) for arg in args]
    if not parts or any(part is None for part in parts):
        return None
    values = [part.value for part in parts if part is not None]
    if values[0] == "cpu" and len(values) > 1 or isinstance(values[0], str) and re.match(r"cpu:\d", values[0]):
        return Location("`torch.device('cpu', 0)`", invalid="torch knows no storage location cpu:0: write `\"cpu\"`")
    if isinstance(values[0], str) and values[0].startswith("cuda"):
        return Location("a CUDA device", cuda=True)
    return None


def _of_dict(module: ModuleFacts, value: t.Dict, api: str) -> Location | None:
    if api == apis.JIT_LOAD:
        return Location("a dict", invalid="`torch.jit.load` takes a string or a `torch.device` only")
    keys = [module.constant(key) for key in value.keys if key is not None]
    for key in keys:
        if key is not None and key.value == "cuda":
            return Location("a dict", invalid="keys match exactly, and storages are tagged `cuda:0`, never `cuda`")
        if key is not None and isinstance(key.value, int):
            return Location("a dict", invalid="keys are locations such as `cuda:0`; an int matches none")
    return None


def _of_lambda(value: t.Lambda) -> Location | None:
    body = value.body
    if isinstance(body, t.Call) and isinstance(body.func, t.Attribute) and body.func.attr == "cuda":
        if all(isinstance(arg.value, t.Constant) for arg in body.args):
            return Location("a function that moves everything to CUDA", cuda=True)
    return None


def needs_cuda(module: ModuleFacts, node: t.Node) -> bool:
    """Whether a place is reached only where CUDA is there: by a test on the way, or by an assertion of the file."""
    for parent in t.ancestors(node):
        if isinstance(parent, (t.If, t.IfExp)) and mentions_availability(parent.test):
            return True
        if isinstance(parent, t.BoolOp) and any(mentions_availability(v) for v in parent.values if v.end <= node.start):
            return True
        if isinstance(parent, t.Stmt) and any(_requires(s, returns=True) for s in _earlier(parent)):
            return True
    asked = module.calls_by_name.get("is_available", ())
    return any(_requires(flow.statement_of(call), returns=False) for call in asked)


def _earlier(statement: t.Stmt) -> Iterator[t.Stmt]:
    return (s for s in flow.block_of(statement) if s.start < statement.start)


def _requires(statement: t.Stmt, *, returns: bool) -> bool:
    """`assert torch.cuda.is_available()`, `if not torch.cuda.is_available(): raise ...`"""
    if isinstance(statement, t.Assert):
        return mentions_availability(statement.test)
    if isinstance(statement, t.If) and isinstance(statement.test, t.UnaryOp):
        ends = flow.leaves(statement.body) and (returns or not _only_returns(statement.body))
        return ends and mentions_availability(statement.test)
    return False


def _only_returns(block: Sequence[t.Stmt]) -> bool:
    return isinstance(block[-1], t.Return)


def mentions_availability(test: t.Node) -> bool:
    """Whether a test asks for CUDA: `torch.cuda.is_available()`, `args.cuda`, `use_gpu`."""
    for part in t.walk(test):
        name = part.attr if isinstance(part, t.Attribute) else part.id if isinstance(part, t.Name) else ""
        if re.search(r"is_available|cuda|gpu|device_count|device", name, re.IGNORECASE):
            return True
    return False
