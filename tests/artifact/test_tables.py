"""The tables beside the reader are what the installed torch says, and nothing dangerous is on them."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from ckpt_lint.artifact.tables import REFERENCE, accepted, known_data, torch_data_classes, torch_plain_functions
from ckpt_lint.artifact.trust import allowable, trust

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "derive_weights_only.py"


def test_the_weights_only_table_is_that_of_the_installed_torch() -> None:
    import torch

    assert torch.__version__.startswith(REFERENCE)
    row = runpy.run_path(str(SCRIPT))["weights_only_row"]()
    table = accepted()
    assert dict(table.globals) == row["globals"]
    assert sorted(table.operands) == row["operands"]
    assert dict(table.imports) == row["import_mapping"]
    assert dict(table.item_sizes) == row["item_sizes"]
    assert sorted(table.blocked_modules) == sorted(row["blocked_modules"])


def test_the_classes_are_those_of_the_installed_torch() -> None:
    found = runpy.run_path(str(SCRIPT))["data_classes"]()
    assert set(found["classes"]) == torch_data_classes()
    assert set(found["functions"]) == torch_plain_functions()


def test_only_classes_may_be_allow_listed() -> None:
    import importlib

    for path in sorted(known_data("allowable")):
        module, _, name = path.rpartition(".")
        value = getattr(importlib.import_module(module), name, None)
        assert value is None or isinstance(value, type), path


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("os", "system"), ("builtins", "getattr"), ("torch", "load"), ("torch.nn.modules.linear", "Linear.forward"),
        ("torch.nn.modules.linear", "F"), ("collections", "OrderedDict.fromkeys"), ("pathlib", "Path.touch"),
        ("numpy", "load"), ("functools", "partial"), ("torch.optim.sgd", "torch"), ("argparse", "_sys"),
        ("", "OrderedDict"), ("collections", ""), ("collections ", "OrderedDict"), ("Collections", "OrderedDict"),
    ],
)  # fmt: skip
def test_unknown_is_never_safe(module: str, name: str) -> None:
    assert trust(module, name, (), accepted()) == "unknown"
    assert not allowable(f"{module}.{name}")


def test_functions_are_harmless_only_as_names() -> None:
    assert trust("torch.nn.functional", "relu", (), accepted()) == "data"
    assert trust("torch.nn.functional", "relu", ("REDUCE",), accepted()) == "unknown"
    assert trust("collections", "OrderedDict", ("BUILD of a class",), accepted()) == "unknown"
