"""Derive, from the torch that is installed, the tables that the reader of checkpoint files rests on.

    python benchmarks/derive_weights_only.py            print what would change
    python benchmarks/derive_weights_only.py --write    write the two tables into ckpt_lint/artifact
    python benchmarks/derive_weights_only.py --check    exit 1 where a table differs from the installed torch

`weights_only.json`: what the weights-only unpickler accepts, one row a torch version. Rows of other versions are kept.
`torch_classes.json`: the classes of torch.nn, torch.optim and torch.amp that hold data and run nothing when unpickled.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import json
import pkgutil
import sys
from pathlib import Path
from typing import Any

DATA = Path(__file__).resolve().parent.parent / "ckpt_lint" / "artifact"


def kind_of(value: Any) -> str:
    """The table's word for one allowed global: what the unpickler can do with it."""
    import torch

    if isinstance(value, torch.serialization.StorageType):
        return "storage:" + str(value.dtype).removeprefix("torch.")
    if isinstance(value, torch.dtype):
        return "dtype"
    if isinstance(value, torch.qscheme):
        return "qscheme"
    if type(value).__name__ == "tensortype":
        return "tensortype"
    return "class" if isinstance(value, type) else "function"


def weights_only_row() -> dict[str, Any]:
    """The row of the installed torch, from its own unpickler; the operands by asking it for each byte."""
    import torch
    from torch import _weights_only_unpickler as unpickler
    from torch._utils import IMPORT_MAPPING, NAME_MAPPING

    allowed = unpickler._get_allowed_globals()
    return {
        "globals": {name: kind_of(value) for name, value in sorted(allowed.items())},
        "blocked_modules": list(unpickler._blocklisted_modules),
        "operands": [code for code in range(256) if supported(code)],
        "import_mapping": dict(sorted(IMPORT_MAPPING.items())),
        "name_mapping": {" ".join(old): " ".join(new) for old, new in sorted(NAME_MAPPING.items())},
        "item_sizes": item_sizes(torch),
    }


def supported(code: int) -> bool:
    """Whether the unpickler knows an operand at all: anything but "Unsupported operand" counts."""
    import io
    import pickle
    import warnings

    from torch import _weights_only_unpickler as unpickler

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            unpickler.load(io.BytesIO(bytes([code]) + b"\0" * 8))
        except pickle.UnpicklingError as error:
            return not str(error).startswith("Unsupported operand " + str(code))
        except (
            EOFError,
            IndexError,
            KeyError,
            UnicodeDecodeError,
            ValueError,
            OverflowError,
            AssertionError,
            TypeError,
        ):
            return True
    return True


def item_sizes(torch: Any) -> dict[str, int]:
    """Bytes of one element, by dtype."""
    found = {name: value for name, value in vars(torch).items() if isinstance(value, torch.dtype)}
    return {str(value).removeprefix("torch."): value.itemsize for value in sorted(found.values(), key=str)}


def data_classes() -> dict[str, list[str]]:
    """Classes that torch itself defines, by the module that a pickle names; functions are listed apart."""
    import torch

    modules = sorted(
        {
            name
            for package in (
                torch.nn.modules,
                torch.optim,
                torch.ao.nn.quantized.modules,
                torch.ao.nn.quantizable.modules,
            )
            for _, name, _ in pkgutil.walk_packages(package.__path__, package.__name__ + ".")
        }
        | {"torch.nn.parameter", "torch.nn.parallel.data_parallel", "torch.nn.parallel.distributed"}
        | {"torch.amp.grad_scaler", "torch.cuda.amp.grad_scaler", "torch.optim.swa_utils"}
        | {"torch.nn.utils.parametrize", "torch.nn.utils.parametrizations", "torch.nn.utils.weight_norm"}
        | {"torch.nn.utils.spectral_norm", "torch.nn.utils.prune", "torch.ao.quantization.stubs"}
        | {"torch.optim", "torch.masked.maskedtensor.core"}
    )
    kinds = (torch.nn.Module, torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler, torch.Tensor)
    kinds += (importlib.import_module("torch.nn.utils.prune").BasePruningMethod,)
    more = {"GradScaler", "_RequiredParameter", "WeightNorm", "SpectralNorm", "AveragedModel", "ReduceLROnPlateau"}
    more |= {"SpectralNormStateDictHook", "SpectralNormLoadStateDictPreHook", "_WrappedHook"}
    classes: list[str] = []
    for name in modules:
        try:
            module = importlib.import_module(name)
        except ImportError:
            continue
        for key, value in sorted(vars(module).items()):
            if not inspect.isclass(value) or value.__module__ != name or value.__qualname__ != key:
                continue
            if issubclass(value, kinds) or key in more:
                classes.append(f"{name}.{key}")
    return {"classes": sorted(classes), "functions": plain_functions()}


def plain_functions() -> list[str]:
    """Activations and losses that whole modules keep as attributes: harmless when named, never known when called."""
    names = (
        "relu relu6 elu selu celu gelu silu mish leaky_relu softplus softsign hardtanh hardswish sigmoid tanh softmax"
    )
    found = [f"torch.nn.functional.{name}" for name in names.split()]
    return sorted(
        [*found, "torch.relu", "torch.sigmoid", "torch.tanh", "torch._C._nn.gelu", "torch._VariableFunctions.relu"]
    )


def tables() -> dict[Path, dict[str, Any]]:
    """What both files should hold."""
    import torch

    path = DATA / "weights_only.json"
    table = json.loads(path.read_text()) if path.exists() else {"measured": {}}
    version = torch.__version__.split("+")[0]
    table["measured"] = {**table["measured"], version: weights_only_row()}
    return {path: table, DATA / "torch_classes.json": {"torch": version, **data_classes()}}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    different = 0
    for path, table in tables().items():
        text = json.dumps(table, indent=1, sort_keys=False) + "\n"
        if path.exists() and path.read_text() == text:
            print(f"{path.name}: as the installed torch says")
            continue
        different += 1
        print(f"{path.name}: differs from the installed torch")
        if options.write:
            path.write_text(text)
    return 1 if different and options.check else 0


if __name__ == "__main__":
    sys.exit(main())
