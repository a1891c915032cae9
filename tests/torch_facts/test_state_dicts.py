"""state_dict and load_state_dict: references, prefixes, sizes, what a restore changes. Behind CKP1 and CKP4."""

from __future__ import annotations

import contextlib
import copy
import io
import re
import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import nn, optim
from torch.nn.modules.utils import consume_prefix_in_state_dict_if_present as consume

State = dict[str, Any]
IDIOMS: dict[str, tuple[Callable[[nn.Module], Any], bool]] = {
    "state_dict()": (lambda m: m.state_dict(), True),
    ".copy()": (lambda m: m.state_dict().copy(), True),
    "dict()": (lambda m: dict(m.state_dict()), True),
    "OrderedDict()": (lambda m: OrderedDict(m.state_dict()), True),
    "comprehension": (lambda m: {k: v for k, v in m.state_dict().items() if k}, True),
    "unpacked": (lambda m: {**m.state_dict()}, True),
    "copy.copy": (lambda m: copy.copy(m.state_dict()), True),
    "detach": (lambda m: {k: v.detach() for k, v in m.state_dict().items()}, True),
    "data": (lambda m: {k: v.data for k, v in m.state_dict().items()}, True),
    "cpu": (lambda m: {k: v.cpu() for k, v in m.state_dict().items()}, True),
    "detach cpu": (lambda m: {k: v.detach().cpu() for k, v in m.state_dict().items()}, True),
    "to cpu": (lambda m: {k: v.to("cpu") for k, v in m.state_dict().items()}, True),
    "contiguous": (lambda m: {k: v.contiguous() for k, v in m.state_dict().items()}, True),
    "numpy": (lambda m: {k: v.cpu().numpy() for k, v in m.state_dict().items()}, True),
    "as_tensor": (lambda m: {k: torch.as_tensor(v) for k, v in m.state_dict().items()}, True),
    "keep_vars": (lambda m: m.state_dict(keep_vars=True), True),
    "to copy=True": (lambda m: {k: v.to("cpu", copy=True) for k, v in m.state_dict().items()}, False),
    "half": (lambda m: {k: v.half() for k, v in m.state_dict().items()}, False),
    "tolist": (lambda m: {k: v.tolist() for k, v in m.state_dict().items()}, False),
    "clone": (lambda m: {k: v.clone() for k, v in m.state_dict().items()}, False),
    "cpu clone": (lambda m: {k: v.cpu().clone() for k, v in m.state_dict().items()}, False),
    "deepcopy": (lambda m: copy.deepcopy(m.state_dict()), False),
    "deepcopy of the model": (lambda m: copy.deepcopy(m).state_dict(), False),
    "through a buffer": (lambda m: through_a_buffer(m.state_dict()), False),
}


def through_a_buffer(state: Any) -> Any:
    buffer = io.BytesIO()
    torch.save(state, buffer)
    buffer.seek(0)
    return torch.load(buffer)


def net() -> nn.Sequential:
    return nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))


def train(model: nn.Module, optimizer: optim.Optimizer) -> None:
    optimizer.zero_grad()
    model(torch.randn(8, 4)).pow(2).sum().backward()
    optimizer.step()


@pytest.mark.parametrize("idiom", IDIOMS)
def test_what_goes_on_changing(idiom: str) -> None:
    keep, changes = IDIOMS[idiom]
    model = net()
    kept = keep(model)
    before = {key: str(value) for key, value in kept.items()}
    train(model, optim.SGD(model.parameters(), lr=0.1))
    changed = sum(str(value) != before[key] for key, value in kept.items())
    assert (changed >= len(kept) - 1) if changes else changed == 0


def test_copies_keep_or_lose_metadata() -> None:
    state = net().state_dict()
    assert hasattr(copy.deepcopy(state), "_metadata")
    assert not hasattr(dict(state), "_metadata") and not hasattr(state.copy(), "_metadata")


def test_optimizer_state_is_a_reference_on_the_way_out_and_in() -> None:
    model = net()
    optimizer = optim.Adam(model.parameters())
    train(model, optimizer)
    state = optimizer.state_dict()
    other = optim.Adam(model.parameters())
    other.load_state_dict(state)
    train(model, other)
    assert state["state"][0]["step"] == 2.0
    assert optimizer.state_dict()["state"][0]["exp_avg"].data_ptr() == state["state"][0]["exp_avg"].data_ptr()


@contextlib.contextmanager
def group() -> Iterator[None]:
    dist.init_process_group("gloo", init_method=Path("rendezvous").resolve().as_uri(), rank=0, world_size=1)
    try:
        yield
    finally:
        dist.destroy_process_group()


def prefix(model: nn.Module) -> str:
    keys = [key for key in model.state_dict() if key.endswith("weight")]
    assert len(keys) == 1
    return keys[0].removesuffix("weight")


def test_prefixes() -> None:
    linear = nn.Linear(2, 2)
    compiled: Any = torch.compile(linear)
    assert prefix(linear) == "" and prefix(nn.DataParallel(linear)) == "module."
    assert prefix(compiled) == "_orig_mod." and compiled._orig_mod is linear
    assert "n_averaged" in optim.swa_utils.AveragedModel(linear).state_dict()
    assert prefix(optim.swa_utils.AveragedModel(linear)) == "module."
    with group():
        ddp = nn.parallel.DistributedDataParallel
        assert prefix(ddp(linear)) == "module."
        assert prefix(ddp(torch.compile(nn.Linear(2, 2)))) == "module._orig_mod."
        assert prefix(torch.compile(ddp(nn.Linear(2, 2)))) == "_orig_mod.module."  # type: ignore[arg-type]
    in_place = nn.Linear(2, 2)
    in_place.compile()
    assert prefix(in_place) == ""


def test_a_prefix_that_does_not_fit_loads_nothing_without_strict() -> None:
    state = nn.DataParallel(nn.Linear(2, 2)).state_dict()
    result = nn.Linear(2, 2).load_state_dict(state, strict=False)
    assert (len(result.missing_keys), len(result.unexpected_keys)) == (2, 2)


def test_consume_prefix_works_in_place_and_returns_none() -> None:
    state: State = {"module.a": 1, "b": 2, "other.module.c": 3}
    assert consume(state, "module.") is None  # type: ignore[func-returns-value]
    assert state == {"a": 1, "b": 2, "other.module.c": 3}


NAMES = ("module.weight", "submodule.weight", "encoder.weight", "lm_head.weight", "mlp.weight")
STRIPS: dict[str, tuple[Callable[[str], str], bool, bool]] = {
    "replace": (lambda k: k.replace("module.", ""), False, False),
    "replace once": (lambda k: k.replace("module.", "", 1), True, False),
    "[7:]": (lambda k: k[7:], True, False),
    "lstrip": (lambda k: k.lstrip("module."), False, False),
    "split": (lambda k: k.split("module.")[1], False, False),
    "join": (lambda k: ".".join(k.split(".")[1:]), True, False),
    "removeprefix": (lambda k: k.removeprefix("module."), True, True),
    "startswith": (lambda k: k[len("module.") :] if k.startswith("module.") else k, True, True),
    "re.sub": (lambda k: re.sub(r"^module\.", "", k), True, True),
}


@pytest.mark.parametrize("idiom", STRIPS)
def test_strips_of_a_prefix(idiom: str) -> None:
    strip, on_wrapped, on_plain = STRIPS[idiom]

    def right(keys: tuple[str, ...], wanted: tuple[str, ...]) -> bool:
        try:
            return tuple(strip(key) for key in keys) == wanted
        except IndexError:
            return False

    plain = tuple(name for name in NAMES if not name.startswith("module."))
    assert right(tuple(f"module.{name}" for name in NAMES), NAMES) is on_wrapped
    assert right(plain, plain) is on_plain


def test_what_load_state_dict_returns() -> None:
    model = net()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    scheduler = optim.lr_scheduler.StepLR(optimizer, 1)
    assert type(model.load_state_dict(model.state_dict())).__name__ == "_IncompatibleKeys"
    for thing in (optimizer, scheduler):
        assert thing.load_state_dict(thing.state_dict()) is None


def test_strict_false_still_raises_for_sizes_and_a_failed_restore_has_begun() -> None:
    model, other = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 2)), nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 3))
    with pytest.raises(RuntimeError, match=r"size mismatch for 1\.weight"):
        model.load_state_dict(other.state_dict(), strict=False)
    assert torch.equal(model.state_dict()["0.weight"], other.state_dict()["0.weight"])


def test_assign_replaces_the_parameters() -> None:
    model = nn.Linear(4, 2)
    before = model.weight
    model.load_state_dict({key: value.double() for key, value in nn.Linear(4, 2).state_dict().items()}, assign=True)
    assert model.weight is not before and model.weight.dtype == torch.float64


def test_moving_a_module_keeps_its_parameters_and_leaves_restored_state_behind() -> None:
    model = nn.Linear(4, 2)
    optimizer = optim.Adam(model.parameters())
    train(model, optimizer)
    weight = model.weight
    model.to(torch.float64)
    assert model.weight is weight and optimizer.state[weight]["exp_avg"].dtype == torch.float32
    moved = optim.Adam(model.parameters())
    moved.load_state_dict(optimizer.state_dict())
    assert moved.state[weight]["exp_avg"].dtype == torch.float64


def test_plain_sgd_survives_a_move_after_its_restore() -> None:
    model = nn.Linear(4, 2)
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    optimizer.load_state_dict(optimizer.state_dict())
    model.to(torch.float64)
    model(torch.ones(2, 4, dtype=torch.float64)).sum().backward()
    optimizer.step()


def test_eval_is_not_restored_and_not_in_a_state_dict() -> None:
    model = net().eval()
    other = net()
    other.load_state_dict(model.state_dict())
    assert other.training and "training" not in other.state_dict()


READS_TRAINING = (
    nn.Dropout(),
    nn.Dropout2d(),
    nn.AlphaDropout(),
    nn.FeatureAlphaDropout(),
    nn.BatchNorm1d(2),
    nn.InstanceNorm1d(2, track_running_stats=True),
    nn.RReLU(),
)
DOES_NOT = (nn.Linear(2, 2), nn.ReLU(), nn.LayerNorm(2), nn.GroupNorm(1, 2), nn.Softmax(1), nn.GELU())


@pytest.mark.parametrize("module", [*READS_TRAINING, *DOES_NOT], ids=lambda module: type(module).__name__)
def test_modules_that_read_training(module: nn.Module) -> None:
    inputs = torch.randn(64, 2, 2) if "Instance" in type(module).__name__ else torch.randn(64, 2)
    inputs = torch.randn(64, 2, 2, 2) if isinstance(module, nn.Dropout2d) else inputs
    with torch.no_grad():
        trained, evaluated = module.train()(inputs), module.eval()(inputs)
    assert torch.equal(trained, evaluated) is any(module is one for one in DOES_NOT)


SIZES: dict[str, tuple[Callable[[torch.Tensor], torch.Tensor], bool]] = {
    "row": (lambda t: t[0], True),
    "slice": (lambda t: t[:10], True),
    "column": (lambda t: t[:, 0], True),
    "detach": (lambda t: t[0].detach(), True),
    "cpu": (lambda t: t[0].cpu(), True),
    "chunk": (lambda t: t.chunk(10)[0], True),
    "view": (lambda t: t.view(-1)[:10], True),
    "contiguous row": (lambda t: t[0].contiguous(), True),
    "deepcopy": (lambda t: copy.deepcopy(t[0]), True),
    "one element": (lambda t: t[0, 0], True),
    "clone": (lambda t: t[0].clone(), False),
    "index list": (lambda t: t[[0]], False),
    "contiguous column": (lambda t: t[:, 0].contiguous(), False),
}


@pytest.mark.parametrize("idiom", SIZES)
def test_what_a_view_writes(idiom: str) -> None:
    take, whole = SIZES[idiom]
    torch.save(take(torch.zeros(500, 500)), "view.pt")
    assert (Path("view.pt").stat().st_size > 1_000_000) is whole


def test_a_list_of_parameters_has_no_buffers_and_no_names() -> None:
    model = net()
    assert len(list(model.parameters())) == 6 and len(model.state_dict()) == 9
    with pytest.raises(TypeError, match="dict-like"):
        model.load_state_dict(list(model.parameters()))  # type: ignore[arg-type]


def test_dcp_loads_in_place_and_an_empty_dict_loads_nothing() -> None:
    import torch.distributed.checkpoint as dcp

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dcp.save({"w": torch.ones(2), "epoch": 3}, checkpoint_id="dcp")  # type: ignore[attr-defined]
        state: State = {"w": torch.zeros(2), "epoch": 0}
        assert dcp.load(state, checkpoint_id="dcp") is None  # type: ignore[attr-defined]
        assert state["w"].tolist() == [1.0, 1.0] and state["epoch"] == 3
        nothing: State = {}
        dcp.load(nothing, checkpoint_id="dcp")  # type: ignore[attr-defined]
    assert nothing == {}


def test_safetensors_takes_neither_tied_nor_nested_values() -> None:
    from safetensors.torch import load_model, save_file, save_model

    tied = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False))
    tied[1].weight = tied[0].weight
    with pytest.raises(RuntimeError, match="share memory"):
        save_file(tied.state_dict(), "tied.safetensors")
    save_model(tied, "tied.safetensors")
    load_model(tied, "tied.safetensors")
    with pytest.raises(ValueError):
        save_file({"epoch": 3}, "epoch.safetensors")  # type: ignore[dict-item]
    with pytest.raises(ValueError):
        save_file({"t": torch.ones(2, 3).t()}, "t.safetensors")
