"""Loads from memory: streams that are no files, and round trips through them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ckpt_lint.facts.loads import Load
from ckpt_lint.facts.saves import is_buffer
from ckpt_lint.facts.values import Values
from ckpt_lint.source import tree as t
from ckpt_lint.source.module import ModuleFacts, last_name

if TYPE_CHECKING:
    from ckpt_lint.facts.view import Facts


def reads_buffer(values: Values, load: Load) -> bool:
    """Whether a load reads a stream in memory."""
    return load.path is not None and is_buffer(values, load.path_module, load.path)


def is_stream(values: Values, load: Load) -> bool:
    """Whether a load reads a stream that was opened: `open(...)`, `path.open(...)`, `with open(...) as file`."""
    if load.path is None:
        return False
    return any(
        isinstance(origin.node, t.Call) and last_name(origin.node.func) in ("open", "urlopen", "BlobFile")
        for origin in values.origins(load.path_module, load.path)
    )


def is_round_trip(facts: Facts, load: Load) -> bool:
    """Whether the same module saves into the stream that is loaded, or into one whose bytes the stream may be made of.

    Bytes of which nothing is known (an argument, an entry) may be any that the module itself wrote into memory.
    """
    if load.path is None:
        return False
    streams = _streams(facts.values, load.path_module, load.path)
    if _is_of_unknown_bytes(facts.values, load.path_module, load.path):
        return any(facts.saves.in_memory(save) for save in facts.saves.direct(load.path_module))
    for save in facts.saves.direct(load.path_module):
        if save.path is not None and save.path_module is load.path_module:
            variable = load.path_module.variable(save.path)
            if variable is not None and any(load.path_module.variable(s) == variable for s in streams):
                return True
    return False


def _streams(values: Values, module: ModuleFacts, path: t.Expr) -> list[t.Expr]:
    """The expressions that may name the stream: the loaded one, and those in what it is made of."""
    out: list[t.Expr] = [path]
    for origin in values.origins(module, path):
        if isinstance(origin.node, t.Call) and origin.module is module:
            for arg in origin.node.args:
                out.extend(n for n in t.walk(arg.value) if isinstance(n, (t.Name, t.Attribute)))
    return out


def _is_of_unknown_bytes(values: Values, module: ModuleFacts, path: t.Expr) -> bool:
    """`io.BytesIO(data)`, where `data` came in as an argument or out of a dict."""
    for origin in values.origins(module, path):
        if not isinstance(origin.node, t.Call) or len(origin.node.args) != 1:
            return False
        data = origin.node.args[0].value
        if not all(o.how in ("param", "unbound") or isinstance(o.node, t.Subscript) for o in values.origins(module, data)):
            return False
    return True
