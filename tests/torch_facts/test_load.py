"""torch.load and the other loaders: defaults, environment, devices, refusals. Behind CKP113, 114 and CKP3."""

from __future__ import annotations

import argparse
import contextlib
import inspect
import pickle
import sys
import types
import warnings
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn, serialization
from torch.utils import model_zoo

CUDA = "Attempting to deserialize object on a CUDA device"
UNKNOWN = "don't know how to restore data location"


@contextlib.contextmanager
def tagged(tag: str) -> Iterator[None]:
    real = serialization.location_tag
    serialization.location_tag = lambda storage: tag
    try:
        yield
    finally:
        serialization.location_tag = real


def outcome(**arguments: Any) -> str:
    """What becomes of a file with a class in it that no allow-list has."""
    torch.save(argparse.Namespace(lr=0.1), "class.pt")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            torch.load("class.pt", **arguments)
        except pickle.UnpicklingError:
            return "safe"
        except RuntimeError:
            return "RuntimeError"
    return "runs code"


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ((), ("safe", "safe", "runs code", "runs code")),
        (("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD",), ("runs code", "safe", "runs code", "runs code")),
        (("TORCH_FORCE_WEIGHTS_ONLY_LOAD",), ("safe", "safe", "safe", "RuntimeError")),
        (("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "TORCH_FORCE_WEIGHTS_ONLY_LOAD"), ("RuntimeError",) * 4),
    ],
)
def test_what_the_environment_and_the_arguments_decide(
    environment: tuple[str, ...], expected: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in environment:
        monkeypatch.setenv(name, "1")
    cases: tuple[dict[str, Any], ...] = ({}, {"weights_only": True}, {"weights_only": False}, {"pickle_module": pickle})
    assert tuple(outcome(**arguments) for arguments in cases) == expected


def test_trusting_loads_say_nothing() -> None:
    torch.save(argparse.Namespace(lr=0.1), "class.pt")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        torch.load("class.pt", weights_only=False)
        torch.load("class.pt", pickle_module=pickle)
        torch.load("class.pt", None, pickle)


def test_arguments_that_do_not_go_with_weights_only() -> None:
    torch.save(nn.Linear(2, 2).state_dict(), "w.pt")
    with pytest.raises(RuntimeError, match="explicit pickle_module"):
        torch.load("w.pt", pickle_module=pickle, weights_only=True)
    with pytest.raises(TypeError, match="positional arguments"):
        torch.load("w.pt", "cpu", None, True)  # type: ignore[call-arg]
    with pytest.raises(TypeError), pytest.warns(UserWarning, match="pickle_load_args only works"):
        torch.load("w.pt", weight_only=True)


@pytest.mark.parametrize("protocol", range(6))
def test_protocols_that_the_default_load_takes(protocol: int) -> None:
    torch.save({"model": nn.Linear(2, 2).state_dict(), "epoch": 3}, "w.pt", pickle_protocol=protocol)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if protocol in {2, 3}:
            assert torch.load("w.pt")["epoch"] == 3
        else:
            with pytest.raises(pickle.UnpicklingError, match="Unsupported operand"):
                torch.load("w.pt")


def test_the_path_suffix_safetensors_is_handed_to_safetensors() -> None:
    from safetensors.torch import save_file

    save_file({"w": torch.ones(2)}, "real.safetensors")
    assert torch.equal(torch.load("real.safetensors", map_location="cpu")["w"], torch.ones(2))
    with pytest.raises(RuntimeError):
        torch.load("real.safetensors", map_location={"cuda:0": "cpu"})
    torch.save({"w": torch.ones(2)}, "wrong.safetensors")
    with pytest.raises(Exception, match="header too large"):
        torch.load("wrong.safetensors")


def test_mmap_needs_a_path_and_the_zip_format() -> None:
    torch.save({"w": torch.ones(2)}, "w.pt")
    torch.save({"w": torch.ones(2)}, "old.pt", _use_new_zipfile_serialization=False)
    assert torch.equal(torch.load("w.pt", mmap=True)["w"], torch.ones(2))
    with open("w.pt", "rb") as file, pytest.raises(ValueError, match="must be a file path"):
        torch.load(file, mmap=True)
    with pytest.raises(RuntimeError, match="mmap can only be used"):
        torch.load("old.pt", mmap=True)


FORMS: dict[str, tuple[Any, str, str]] = {
    "None": (None, "cpu", CUDA),
    "'cpu'": ("cpu", "cpu", "cpu"),
    "device cpu": (torch.device("cpu"), "cpu", "cpu"),
    "lambda": (lambda storage, location: storage, "cpu", "cpu"),
    "lambda None": (lambda *_: None, "cpu", CUDA),
    "exact key": ({"cuda:0": "cpu"}, "cpu", "cpu"),
    "key without an index": ({"cuda": "cpu"}, "cpu", CUDA),
    "int key": ({0: "cpu"}, "cpu", CUDA),
    "other GPU": ({"cuda:0": "cuda:1"}, "cpu", CUDA),
    "'cuda'": ("cuda", CUDA, CUDA),
    "'cuda:0'": ("cuda:0", CUDA, CUDA),
    "int": (0, "'int' object is not callable", "'int' object is not callable"),
    "'cpu:0'": ("cpu:0", UNKNOWN, UNKNOWN),
    "device cpu 0": (torch.device("cpu", 0), UNKNOWN, UNKNOWN),
    "'gpu'": ("gpu", UNKNOWN, UNKNOWN),
    "'CPU'": ("CPU", UNKNOWN, UNKNOWN),
}


@pytest.mark.skipif(torch.cuda.is_available(), reason="the table is about hosts without a GPU")
@pytest.mark.parametrize("tag", ["cpu", "cuda:0"])
@pytest.mark.parametrize("form", FORMS)
def test_map_location(form: str, tag: str) -> None:
    value, for_cpu, for_cuda = FORMS[form]
    expected = for_cpu if tag == "cpu" else for_cuda
    with tagged(tag):
        torch.save({"w": torch.ones(2)}, "w.pt")
    if expected == "cpu":
        assert torch.load("w.pt", map_location=value)["w"].device.type == "cpu"
    else:
        with pytest.raises((RuntimeError, TypeError), match=expected):
            torch.load("w.pt", map_location=value)


@pytest.mark.skipif(torch.cuda.is_available(), reason="the table is about hosts without a GPU")
def test_a_key_fits_only_its_own_index_and_no_device_object() -> None:
    with tagged("cuda:3"):
        torch.save({"w": torch.ones(2), "device": torch.device("cuda:0")}, "w.pt")
    with pytest.raises(RuntimeError, match=CUDA):
        torch.load("w.pt", map_location={"cuda:0": "cpu"})
    assert torch.load("w.pt", map_location="cpu")["device"] == torch.device("cuda:0")


def test_the_random_state_must_lie_on_the_cpu() -> None:
    torch.save({"rng": torch.get_rng_state()}, "rng.pt")
    with pytest.raises(TypeError, match="RNG state must be a"):
        torch.set_rng_state(torch.load("rng.pt", map_location="meta")["rng"])
    torch.set_rng_state(torch.load("rng.pt", map_location="cpu")["rng"])


def test_hub_loader_trusts_by_default_and_model_zoo_is_the_same() -> None:
    parameters = inspect.signature(torch.hub.load_state_dict_from_url).parameters
    assert parameters["weights_only"].default is False and parameters["check_hash"].default is False
    torch.save(argparse.Namespace(lr=0.1), "class.pth")
    url = Path("class.pth").resolve().as_uri()
    assert vars(torch.hub.load_state_dict_from_url(url, "one", progress=False)) == {"lr": 0.1}
    with pytest.raises(pickle.UnpicklingError):
        torch.hub.load_state_dict_from_url(url, "two", progress=False, weights_only=True)
    assert vars(model_zoo)["load_url"] is torch.hub.load_state_dict_from_url


def test_check_hash_needs_a_name_with_a_hash_and_never_looks_again() -> None:
    torch.save({"w": torch.ones(1)}, "plain.pth")
    Path("named-deadbeef.pth").write_bytes(Path("plain.pth").read_bytes())
    load: Callable[..., Any] = torch.hub.load_state_dict_from_url
    load(Path("plain.pth").resolve().as_uri(), "cache", progress=False, check_hash=True)
    named = Path("named-deadbeef.pth").resolve().as_uri()
    with pytest.raises(RuntimeError, match="invalid hash value"):
        load(named, "cache", progress=False, check_hash=True)
    load(named, "cache", progress=False)
    load(named, "cache", progress=False, check_hash=True)


def test_jit_load_has_other_arguments() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.script(nn.Linear(2, 2)), "script.pt")
        load: Callable[..., Any] = torch.jit.load
        load("script.pt", map_location="cpu")
        for form in ({"cuda:0": "cpu"}, lambda storage, location: storage):
            with pytest.raises(ValueError, match="either None, string or"):
                load("script.pt", map_location=form)
        with pytest.raises(TypeError):
            load("script.pt", weights_only=True)
        with pytest.raises(RuntimeError, match="TorchScript archives"):
            torch.load("script.pt", weights_only=True)
        with pytest.raises(RuntimeError, match="__getstate__"):
            torch.save(torch.jit.script(nn.Linear(2, 2)), "script2.pt")


def test_a_flipped_bit_loads_without_a_word() -> None:
    torch.save({"w": torch.zeros(64)}, "w.pt")
    content = bytearray(Path("w.pt").read_bytes())
    with zipfile.ZipFile("w.pt") as archive:
        info = next(info for info in archive.infolist() if info.filename.endswith("data/0"))
    lengths = content[info.header_offset + 26 : info.header_offset + 30]
    start = info.header_offset + 30 + int.from_bytes(lengths[:2], "little") + int.from_bytes(lengths[2:], "little")
    content[start + 3] ^= 0x40
    Path("w.pt").write_bytes(content)
    assert torch.load("w.pt")["w"][0] != 0
    with zipfile.ZipFile("w.pt") as archive:
        assert archive.testzip() == info.filename


def test_a_failed_save_leaves_a_wreck_and_a_mapped_file_changes_under_its_reader() -> None:
    torch.save({"w": torch.zeros(2**20)}, "w.pt")
    mapped = torch.load("w.pt", mmap=True)
    torch.save({"w": torch.ones(2**20)}, "w.pt")
    assert mapped["w"].max() == 1.0
    with pytest.raises(AttributeError):
        torch.save({"f": lambda: None}, "w.pt")
    assert Path("w.pt").stat().st_size < 1000 and zipfile.is_zipfile("w.pt")


def test_a_trusting_load_of_a_module_needs_its_class(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("old_models")
    exec("import torch\nclass Net(torch.nn.Linear): pass", vars(module))
    monkeypatch.setitem(sys.modules, "old_models", module)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        torch.save(module.Net(2, 2), "net.pt")
    del module.Net
    with pytest.raises(AttributeError, match="Can't get attribute 'Net'"):
        torch.load("net.pt", weights_only=False)
    monkeypatch.delitem(sys.modules, "old_models")
    with pytest.raises(ModuleNotFoundError):
        torch.load("net.pt", weights_only=False)
