"""What is known of a global that a pickle names. Default-deny: what is on no list is unknown, and never safe.

Three answers: "allowed" (on torch's weights-only list), "data" (a class, or a constructor, known to do nothing but
hold data), "unknown". A name with a dot, or text that is no identifier, is unknown whatever it begins with.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from ckpt_lint.artifact.tables import Accepted, known_data, torch_data_classes, torch_plain_functions

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_MODULE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*\Z")

# Classes that `add_safe_globals` may be given: each was loaded so under torch 2.13.
ALLOWABLE = known_data("allowable")

# Data, but no allow-list helps, or it would take a function: the value must be saved in another form.
_DATA = known_data("data")

# Old names under which classes of torch are pickled.
_ALIASES = known_data("old_names")
_NUMPY_DTYPES = re.compile(r"numpy\.dtypes\.[A-Z][A-Za-z0-9]*DType\Z")
# Calls that only make an instance; a plain name of one of `torch_plain_functions` is never called.
# Uses that nothing makes harmless: bytes for another unpickler that could not be read, and state for a class itself.
UNREAD_CALL, CLASS_CHANGED = "unread nested pickle", "BUILD of a class"
_AVERAGED = "torch.optim.swa_utils.AveragedModel"
# What modules keep among their hooks, and is none.
_BESIDE_MODULES = tuple(
    f"torch.nn.{name}" for name in ("utils.prune.", "utils.spectral_norm.", "utils.weight_norm.", "modules.module._W")
)
_CONSTRUCTED = ("NEWOBJ", "NEWOBJ_EX", "REDUCE", "INST", "OBJ", "BUILD")


def trust(module: str, name: str, calls: Iterable[str], table: Accepted) -> str:
    """ "allowed", "data" or "unknown", for a global and the opcodes that call it."""
    path = f"{module}.{name}"
    if any(call in (UNREAD_CALL, CLASS_CHANGED) for call in calls):
        return "unknown"
    if not _IDENTIFIER.match(name) or not _MODULE.match(module):
        return "unknown"
    if path in table.globals:
        return "allowed"
    if path in torch_plain_functions():
        return "unknown" if any(call in _CONSTRUCTED for call in calls) else "data"
    if path in ALLOWABLE or path in _DATA or path in torch_data_classes() or path in _ALIASES:
        return "data"
    return "data" if _NUMPY_DTYPES.match(path) else "unknown"


def allowable(path: str) -> bool:
    """Whether `add_safe_globals` may be given this class: never a function, never a dotted name."""
    return path in ALLOWABLE or (path in torch_data_classes() and not path.endswith("parameter.Parameter"))


def is_module_class(path: str) -> bool:
    """Whether a class is one of torch's modules, which are saved whole (CKP101)."""
    if path == _AVERAGED:
        return True
    inside = path.startswith(("torch.nn.", "torch.ao.nn.")) and not path.startswith(_BESIDE_MODULES)
    return path in torch_data_classes() and inside and ".parameter." not in path


def is_optimizer_class(path: str) -> bool:
    """Whether a class is one of torch's optimizers, schedulers or scalers."""
    optimizer = path.startswith(("torch.optim.", "torch.amp.", "torch.cuda.amp.")) and path != _AVERAGED
    return optimizer and path in torch_data_classes()
