"""What `weights_only=True` loads and what it refuses: the table behind CKP110, CKP311 and the messages of both."""

from __future__ import annotations

import argparse
import collections
import dataclasses
import datetime
import decimal
import enum
import functools
import math
import pathlib
import pickle
import random
import re
import types
import uuid
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn, optim
from torch.optim import lr_scheduler as lrs


class Colour(enum.Enum):
    RED = 1


class Level(enum.IntEnum):
    LOW = 1


class Point(collections.namedtuple("Point", "x y")):
    pass


class AttrDict(dict):  # type: ignore[type-arg]
    pass


@dataclasses.dataclass
class Config:
    lr: float = 0.1


class Sub(torch.Tensor):
    pass


def half(epoch: int) -> float:
    return 0.5**epoch


class Half:
    def __call__(self, epoch: int) -> float:
        return 0.5**epoch


def net() -> nn.Sequential:
    return nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 2))


def stepped(make: Callable[..., optim.Optimizer], **options: Any) -> optim.Optimizer:
    """An optimizer after one step, so that its state is filled."""
    model = nn.Linear(4, 4, bias=False)
    optimizer = make(model.parameters(), **options)

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss: torch.Tensor = model(torch.ones(2, 4)).pow(2).sum()
        loss.backward()
        return loss

    optimizer.step(closure)  # type: ignore[arg-type]
    return optimizer


def scheduled(make: Callable[[optim.Optimizer], Any], *, lr: Any = 0.1) -> Any:
    """A scheduler after one step."""
    optimizer = optim.SGD(nn.Linear(2, 2).parameters(), lr=lr, momentum=0.9)
    scheduler = make(optimizer)
    optimizer.step()
    if isinstance(scheduler, lrs.ReduceLROnPlateau):
        scheduler.step(1.0)
    else:
        scheduler.step()
    return scheduler


OPTIMIZERS: dict[str, Callable[[], optim.Optimizer]] = {
    "SGD": lambda: stepped(optim.SGD, lr=0.1),
    "SGD momentum": lambda: stepped(optim.SGD, lr=0.1, momentum=0.9),
    "Adam": lambda: stepped(optim.Adam),
    "Adam amsgrad": lambda: stepped(optim.Adam, amsgrad=True),
    "AdamW": lambda: stepped(optim.AdamW),
    "AdamW fused": lambda: stepped(optim.AdamW, fused=True),
    "AdamW foreach": lambda: stepped(optim.AdamW, foreach=True),
    "LBFGS": lambda: stepped(optim.LBFGS),
    "Adagrad": lambda: stepped(optim.Adagrad),
    "Adadelta": lambda: stepped(optim.Adadelta),
    "RMSprop": lambda: stepped(optim.RMSprop),
    "Rprop": lambda: stepped(optim.Rprop),
    "NAdam": lambda: stepped(optim.NAdam),
    "RAdam": lambda: stepped(optim.RAdam),
    "ASGD": lambda: stepped(optim.ASGD),
    "Adamax": lambda: stepped(optim.Adamax),
    "Adafactor": lambda: stepped(optim.Adafactor),
    "Muon": lambda: stepped(optim.Muon),
}

SCHEDULERS: dict[str, Callable[[optim.Optimizer], Any]] = {
    "StepLR": lambda o: lrs.StepLR(o, 5),
    "MultiStepLR": lambda o: lrs.MultiStepLR(o, [3, 6]),
    "ConstantLR": lambda o: lrs.ConstantLR(o),
    "LinearLR": lambda o: lrs.LinearLR(o),
    "ExponentialLR": lambda o: lrs.ExponentialLR(o, 0.9),
    "PolynomialLR": lambda o: lrs.PolynomialLR(o),
    "CosineAnnealingLR": lambda o: lrs.CosineAnnealingLR(o, 10),
    "LambdaLR lambda": lambda o: lrs.LambdaLR(o, lambda epoch: 0.5**epoch),
    "LambdaLR function": lambda o: lrs.LambdaLR(o, half),
    "LambdaLR object": lambda o: lrs.LambdaLR(o, Half()),
    "MultiplicativeLR": lambda o: lrs.MultiplicativeLR(o, half),
    "OneCycleLR": lambda o: lrs.OneCycleLR(o, 0.1, total_steps=10),
    "CyclicLR": lambda o: lrs.CyclicLR(o, 0.01, 0.1),
    "CyclicLR scale_fn": lambda o: lrs.CyclicLR(o, 0.01, 0.1, scale_fn=lambda x: 1.0),
    "ReduceLROnPlateau": lambda o: lrs.ReduceLROnPlateau(o),
    "CosineAnnealingWarmRestarts": lambda o: lrs.CosineAnnealingWarmRestarts(o, 5),
    "SequentialLR": lambda o: lrs.SequentialLR(o, [lrs.LinearLR(o), lrs.CosineAnnealingLR(o, 5)], [3]),
    "ChainedScheduler": lambda o: lrs.ChainedScheduler([lrs.ConstantLR(o), lrs.ExponentialLR(o, 0.9)], o),
    "SWALR": lambda o: optim.swa_utils.SWALR(o, 0.05),
}

LOADS: dict[str, Callable[[], Any]] = {
    "state_dict": lambda: net().state_dict(),
    "training checkpoint": lambda: {"model": net().state_dict(), "epoch": 3, "loss": 0.5, "name": "x", "none": None},
    "AveragedModel state_dict": lambda: optim.swa_utils.AveragedModel(net()).state_dict(),
    "GradScaler state_dict": lambda: torch.amp.GradScaler("cpu").state_dict(),
    "torch RNG": torch.get_rng_state,
    "generator state": lambda: torch.Generator().get_state(),
    "random.getstate": random.getstate,
    "numpy bit generator state": lambda: np.random.default_rng(0).bit_generator.state,
    "int": lambda: [3, -3, 2**40, 2**100],
    "float": lambda: [0.5, math.inf, 1j],
    "0-d tensor": lambda: torch.tensor(1.0),
    "loss with grad_fn": lambda: net()(torch.ones(2, 4)).sum(),
    "vars(args)": lambda: vars(argparse.Namespace(lr=0.1)),
    "asdict": lambda: dataclasses.asdict(Config()),
    "dict(AttrDict)": lambda: dict(AttrDict(a=1)),
    "OrderedDict": lambda: collections.OrderedDict(a=1),
    "Counter": lambda: collections.Counter("aab"),
    "set": lambda: {1, 2},
    "tuple, list": lambda: ((1, 2), [3]),
    "bytes": lambda: b"abc",
    "bytearray": lambda: bytearray(b"abc"),
    "torch.Size": lambda: torch.Size([1, 2]),
    "dtype": lambda: [torch.float32, torch.bfloat16],
    "device": lambda: [torch.device("cpu"), torch.device("cuda:0")],
    "str(torch.__version__)": lambda: str(torch.__version__),
    "np.__version__": lambda: np.__version__,
    "torch.version.cuda": lambda: torch.version.cuda,
    "Parameter": lambda: nn.Parameter(torch.ones(2)),
    "list(parameters())": lambda: list(net().parameters()),
    "param_groups": lambda: stepped(optim.Adam).param_groups,
    "sparse": lambda: torch.eye(3).to_sparse(),
    "bf16": lambda: torch.ones(2, dtype=torch.bfloat16),
    "fp8": lambda: torch.ones(2).to(torch.float8_e4m3fn),
    "meta": lambda: torch.ones(2, device="meta"),
    "float(np.float64)": lambda: float(np.float64(1)),
    "torch.from_numpy": lambda: torch.from_numpy(np.ones(3)),
    "math.cos LambdaLR": lambda: scheduled(lambda o: lrs.LambdaLR(o, lambda e: math.cos(e))).state_dict(),
}

REFUSED: dict[str, Callable[[], Any]] = {
    "module": net,
    "Parameter list": lambda: nn.ParameterList([nn.Parameter(torch.ones(1))]),
    "AveragedModel": lambda: optim.swa_utils.AveragedModel(net()),
    "loss module": lambda: nn.CrossEntropyLoss(),
    "optimizer": lambda: stepped(optim.Adam),
    "optimizer.state": lambda: stepped(optim.Adam).state,
    "scheduler": lambda: scheduled(SCHEDULERS["StepLR"]),
    "GradScaler": lambda: torch.amp.GradScaler("cpu"),
    "torch.Generator": torch.Generator,
    "np.random.get_state": lambda: np.random.get_state(),
    "np Generator": lambda: np.random.default_rng(0),
    "np.float64": lambda: np.float64(1),
    "np.float32": lambda: np.float32(1),
    "np.int64": lambda: np.int64(1),
    "np.bool_": lambda: np.bool_(True),
    "np.str_": lambda: np.str_("a"),
    "np.dtype": lambda: np.dtype("float32"),
    "np.mean": lambda: np.mean([1.0, 2.0]),
    "np.ndarray": lambda: np.ones(3),
    "Namespace": lambda: argparse.Namespace(lr=0.1),
    "vars(args) with a Path": lambda: vars(argparse.Namespace(path=pathlib.Path("x"))),
    "vars(args) with a Namespace": lambda: vars(argparse.Namespace(inner=argparse.Namespace(a=1))),
    "dataclass": Config,
    "SimpleNamespace": lambda: types.SimpleNamespace(a=1),
    "AttrDict": lambda: AttrDict(a=1),
    "UserDict": lambda: collections.UserDict(a=1),
    "Path": lambda: pathlib.Path("x"),
    "PurePosixPath": lambda: pathlib.PurePosixPath("x"),
    "datetime": lambda: datetime.datetime(2020, 1, 1),
    "date": lambda: datetime.date(2020, 1, 1),
    "timedelta": lambda: datetime.timedelta(1),
    "uuid": lambda: uuid.UUID(int=1),
    "Decimal": lambda: decimal.Decimal("1.5"),
    "Pattern": lambda: re.compile("a"),
    "Enum": lambda: Colour.RED,
    "IntEnum": lambda: Level.LOW,
    "defaultdict": lambda: collections.defaultdict(list, a=[1]),
    "empty defaultdict": lambda: collections.defaultdict(list),
    "deque": lambda: collections.deque([1]),
    "frozenset": lambda: frozenset({1}),
    "namedtuple": lambda: Point(1, 2),
    "range": lambda: range(3),
    "slice": lambda: slice(1, 2),
    "Ellipsis": lambda: ...,
    "empty bytes": lambda: b"",
    "class": lambda: Config,
    "function": lambda: half,
    "builtin": lambda: len,
    "partial": lambda: functools.partial(int, "3"),
    "torch.__version__": lambda: torch.__version__,
    "tensor subclass": lambda: torch.ones(2).as_subclass(Sub),
    "bound state_dict": lambda: net().state_dict,
    "numpy LambdaLR": lambda: scheduled(lambda o: lrs.LambdaLR(o, lambda e: np.cos(e))).state_dict(),
    "numpy LambdaLR's optimizer": lambda: scheduled(lambda o: lrs.LambdaLR(o, np.cos)).optimizer.state_dict(),
    "numpy lr": lambda: stepped(optim.SGD, lr=np.float64(0.1)).state_dict(),
    "numpy milestones": lambda: scheduled(lambda o: lrs.MultiStepLR(o, list(np.array([3, 6])))).state_dict(),
    "numpy T_max": lambda: scheduled(lambda o: lrs.CosineAnnealingLR(o, np.int64(10))).state_dict(),
    "uninitialized parameter": lambda: nn.LazyLinear(3).state_dict(),
}

UNSAVEABLE: dict[str, Callable[[], Any]] = {
    "parameters()": lambda: net().parameters(),
    "named_parameters()": lambda: net().named_parameters(),
    "lambda": lambda: lambda: None,
    "defaultdict(lambda)": lambda: collections.defaultdict(lambda: 0),
    "module object": lambda: math,
    "dict.keys()": lambda: {}.keys(),
    "items()": lambda: net().state_dict().items(),
    "generator": lambda: (x for x in "ab"),
}

ALLOWED: dict[str, tuple[Callable[[], Any], list[Any], bool]] = {
    "Namespace": (REFUSED["Namespace"], [argparse.Namespace], True),
    "dataclass": (REFUSED["dataclass"], [Config], True),
    "Enum": (REFUSED["Enum"], [Colour], True),
    "Path": (REFUSED["Path"], [type(pathlib.Path("x"))], True),
    "TorchVersion": (REFUSED["torch.__version__"], [type(torch.__version__)], True),
    "empty defaultdict": (REFUSED["empty defaultdict"], [collections.defaultdict, list], True),
    "defaultdict": (REFUSED["defaultdict"], [collections.defaultdict, list], False),
    "deque": (REFUSED["deque"], [collections.deque], False),
    "AttrDict": (REFUSED["AttrDict"], [AttrDict], False),
    "np.float64 as its file names it": (REFUSED["np.float64"], [np._core.multiarray.scalar, np.dtype], False),  # type: ignore[attr-defined]
    "np.float64 with its dtype class": (
        REFUSED["np.float64"],
        [np._core.multiarray.scalar, np.dtype, np.dtypes.Float64DType],  # type: ignore[attr-defined]
        True,
    ),
}


def of_optimizer(name: str) -> dict[str, Any]:
    return OPTIMIZERS[name]().state_dict()


def of_scheduler(name: str) -> dict[str, Any]:
    state: dict[str, Any] = scheduled(SCHEDULERS[name]).state_dict()
    return state


LOADS.update({f"{name} state_dict": functools.partial(of_optimizer, name) for name in OPTIMIZERS})
LOADS.update({f"{name} state_dict": functools.partial(of_scheduler, name) for name in SCHEDULERS})


def saved(make: Callable[[], Any]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.save({"value": make()}, "x.pt")


@pytest.mark.parametrize("name", LOADS)
def test_loads_as_it_is(name: str) -> None:
    saved(LOADS[name])
    assert "value" in torch.load("x.pt", weights_only=True)


@pytest.mark.parametrize("name", REFUSED)
def test_is_refused(name: str) -> None:
    saved(REFUSED[name])
    with pytest.raises(pickle.UnpicklingError, match="Weights only load failed"):
        torch.load("x.pt", weights_only=True)


@pytest.mark.parametrize("name", UNSAVEABLE)
def test_cannot_be_saved_and_the_old_file_is_gone(name: str) -> None:
    torch.save(net().state_dict(), "x.pt")
    with pytest.raises((TypeError, AttributeError, pickle.PicklingError)):
        saved(UNSAVEABLE[name])
    with pytest.raises(RuntimeError, match=r"failed locating file data\.pkl"):
        torch.load("x.pt", weights_only=True)


@pytest.mark.parametrize("name", ALLOWED)
def test_whether_an_allow_list_helps(name: str) -> None:
    make, classes, helps = ALLOWED[name]
    saved(make)
    with torch.serialization.safe_globals(classes):
        if helps:
            assert "value" in torch.load("x.pt", weights_only=True)
        else:
            with pytest.raises(pickle.UnpicklingError):
                torch.load("x.pt", weights_only=True)


def test_the_numpy_random_state_loads_as_a_list_and_is_accepted_back() -> None:
    state: Any = np.random.get_state()
    torch.save((state[0], state[1].tolist(), *state[2:]), "x.pt")
    np.random.set_state(torch.load("x.pt", weights_only=True))
    assert (np.random.get_state()[1] == state[1]).all()  # type: ignore[index]


@pytest.mark.parametrize("name", ["SGD momentum", "Adam", "LBFGS"])
def test_safe_and_trusting_load_give_the_same(name: str) -> None:
    torch.save({"model": net().state_dict(), "optimizer": OPTIMIZERS[name]().state_dict(), "epoch": 3}, "x.pt")
    safe, trusting = (torch.load("x.pt", weights_only=flag) for flag in (True, False))
    assert list(safe["model"]) == list(trusting["model"]) and type(safe["model"]) is type(trusting["model"])
    assert safe["model"]._metadata == trusting["model"]._metadata
    assert str(safe["optimizer"]) == str(trusting["optimizer"])
    assert all(torch.equal(safe["model"][key], value) for key, value in trusting["model"].items())


def test_a_disabled_scaler_saves_nothing_that_an_enabled_one_takes() -> None:
    assert torch.amp.GradScaler("cpu", enabled=False).state_dict() == {}
    with pytest.raises(RuntimeError, match="The source state dict is empty"):
        torch.amp.GradScaler("cpu").load_state_dict({})


def test_torch_version_is_a_str_that_compares_like_a_version() -> None:
    assert isinstance(torch.__version__, str) and type(torch.__version__) is not str
    assert torch.__version__ >= (2, 6) and torch.__version__ >= "2.6"  # type: ignore[operator]
    assert not str(torch.__version__) >= "2.6"
