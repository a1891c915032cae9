"""The gate: whether a file can matter at all, told from its bytes before anything is parsed.

Plain `in` on bytes is far faster than a regular expression; the one expression there is looks only at what is left.
The gate may let too much pass, never too little: the tests and the benchmarks hold its findings against `--no-gate`.
"""

from __future__ import annotations

import re

_STATE = b"state_dict"
_TORCH = b"torch"
_ACTIONS = (b"load", b"save")
_DIRECT = (
    b"torch_load", b"torch_save", b"load_url", b"serialization.", b"distributed.checkpoint", b"dist_cp",
    b"WEIGHTS_ONLY_LOAD",
)  # fmt: skip
_LOADS = (b"torch.load", b"jit.load", b"hub.load", b"model_zoo.load")
_SAVES = (b"torch.save", b"accelerator.save", b"fabric.save", b"xm.save", b"xla_model.save")
_FROM_TORCH = b"from torch"
_TAKEN = (b"load", b"save", b"jit", b"hub", b"serialization", b"*")
_WITHOUT_TORCH = (b"lightning", b"accelerate")
_SAVERS = (b"Accelerator", b"Fabric", b"xla")
_ALIASED = (
    b"import torch as", b"importorskip", b"import_module", b"__import__",
    b"= torch\n", b"=torch\n", b"= torch\r", b"= torch #", b"= torch  #", b"= torch;", b"= (torch,", b"= torch,",
)  # fmt: skip
_ACTION = re.compile(rb"\.\s*(?:load|save)\b")
_SAVE = re.compile(rb"\.\s*save(?:_checkpoint)?\b")
_SAVER = re.compile(rb"Accelerator|Fabric|xla_model[ \t]+as[ \t]+(?!xm\b)|from[ \t]+torch_xla")
_PICKLES = (b"pickle", b"joblib", b"dill")
_PICKLE = re.compile(
    rb"(?:pickle|joblib|dill)(?:\s*\.\s*(?:load|dump|Unpickler|Pickler)|\s+as\s|\s+import\s|[ \t]*=[ \t]|[ \t]*,)"
)
_HINTS = (b".pt", b".ckpt", b".bin", b".metadata", b"safetensors", _TORCH)


def may_matter(data: bytes) -> bool:
    """Whether some rule may fire in a file with these bytes for what stands in it (see `world` for what it calls)."""
    return _STATE in data or b"WEIGHTS_ONLY_LOAD" in data or may_act(data)


def may_act(data: bytes) -> bool:
    """Whether something may be saved or loaded in a file with these bytes, by what stands in it."""
    if _TORCH in data and any(action in data for action in _ACTIONS):
        if _is_direct(data) or _imports(data):
            return True
        if any(word in data for word in _ALIASED) and _ACTION.search(data) is not None:
            return True
        if _saves(data):
            return True
    elif b"save" in data and any(word in data for word in _WITHOUT_TORCH) and _saves(data):
        return True
    return _unpickles(data)


def _is_direct(data: bytes) -> bool:
    """Whether something of torch's own that saves or loads is named with its module."""
    if b".load" in data and any(word in data for word in _LOADS):
        return True
    if b".save" in data and any(word in data for word in _SAVES):
        return True
    return any(word in data for word in _DIRECT)


def _unpickles(data: bytes) -> bool:
    if b"allow_pickle" not in data and not (
        any(word in data for word in _PICKLES) and _PICKLE.search(data) is not None
    ):
        return False
    return any(word in data for word in _HINTS)


def _saves(data: bytes) -> bool:
    """Whether an object may save: `engine.save_checkpoint(...)`, or `x.save(...)` beside a library whose objects do."""
    if b"save_checkpoint" in data or (any(word in data for word in _SAVERS) and _SAVER.search(data) is not None):
        return _SAVE.search(data) is not None
    return False


def _imports(data: bytes) -> bool:
    """Whether a `from torch... import` takes something that loads or saves."""
    start = data.find(_FROM_TORCH)
    while start >= 0:
        end = data.find(b"\n", start)
        if b"(" in data[start:end]:
            end = data.find(b")", start)
        statement = data[start : end if end > 0 else len(data)]
        module, _, names = statement.partition(b"import")
        if any(word in names for word in _TAKEN) or (b"distributed" in module and b"checkpoint" in names):
            return True
        start = data.find(_FROM_TORCH, start + 1)
    return False
