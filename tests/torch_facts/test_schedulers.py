"""The order of restores, and what is lost when one piece of a run is not restored. Behind CKP2, CKP408 and CKP415."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn, optim
from torch.optim import lr_scheduler as lrs

Make = Callable[[optim.Optimizer], Any]
SCHEDULERS: dict[str, Make] = {
    "OneCycleLR": lambda o: lrs.OneCycleLR(o, 0.05, total_steps=13),
    "LambdaLR": lambda o: lrs.LambdaLR(o, lambda epoch: min(1.0, (epoch + 1) / 20)),
    "CyclicLR": lambda o: lrs.CyclicLR(o, 0.001, 0.002, step_size_up=20),
    "LinearLR": lambda o: lrs.LinearLR(o, 1 / 3, total_iters=5),
    "ConstantLR": lambda o: lrs.ConstantLR(o, 1 / 3, total_iters=5),
    "SequentialLR": lambda o: lrs.SequentialLR(o, [lrs.LinearLR(o, 1 / 3, total_iters=3), lrs.StepLR(o, 2)], [3]),
    "CosineAnnealingWarmRestarts": lambda o: lrs.CosineAnnealingWarmRestarts(o, 7),
    "StepLR": lambda o: lrs.StepLR(o, 3, 0.5),
    "MultiStepLR": lambda o: lrs.MultiStepLR(o, [2, 8], 0.5),
    "ExponentialLR": lambda o: lrs.ExponentialLR(o, 0.9),
    "CosineAnnealingLR": lambda o: lrs.CosineAnnealingLR(o, 12),
    "PolynomialLR": lambda o: lrs.PolynomialLR(o, 12),
    "MultiplicativeLR": lambda o: lrs.MultiplicativeLR(o, lambda epoch: 0.9),
    "ReduceLROnPlateau": lambda o: lrs.ReduceLROnPlateau(o, patience=1),
}
FIRST_STEP = {"OneCycleLR", "LambdaLR", "CyclicLR", "CosineAnnealingWarmRestarts"}
FOR_GOOD = {"LinearLR", "ConstantLR", "SequentialLR"}


def optimizer() -> optim.SGD:
    return optim.SGD(nn.Linear(2, 2).parameters(), lr=0.02, momentum=0.9)


def rates(scheduler: Any, steps: int) -> list[float]:
    """The learning rates of the next epochs."""
    found = []
    for _ in range(steps):
        found.append(scheduler.optimizer.param_groups[0]["lr"])
        scheduler.optimizer.step()
        if isinstance(scheduler, lrs.ReduceLROnPlateau):
            scheduler.step(1.0)
        else:
            scheduler.step()
    return found


def after(epochs: int, make: Make) -> tuple[dict[str, Any], dict[str, Any], list[float]]:
    """The states of optimizer and scheduler after so many epochs, and the rates of the four that follow."""
    first = optimizer()
    scheduler = make(first)
    rates(scheduler, epochs)
    states = first.state_dict(), dict(scheduler.state_dict())
    return *states, rates(scheduler, 4)


@pytest.fixture(autouse=True)
def _quiet() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@pytest.mark.parametrize("name", SCHEDULERS)
def test_built_first_then_all_restored_is_exact(name: str) -> None:
    make = SCHEDULERS[name]
    saved, schedule, truth = after(5, make)
    resumed = optimizer()
    scheduler = make(resumed)
    resumed.load_state_dict(saved)
    scheduler.load_state_dict(schedule)
    assert rates(scheduler, 4) == truth


@pytest.mark.parametrize("name", SCHEDULERS)
def test_built_between_the_restores(name: str) -> None:
    make = SCHEDULERS[name]
    saved, schedule, truth = after(5, make)
    resumed = optimizer()
    resumed.load_state_dict(saved)
    scheduler = make(resumed)
    scheduler.load_state_dict(schedule)
    wrong = [abs(one - other) > 1e-12 for one, other in zip(rates(scheduler, 4), truth)]
    expected = [True] * 4 if name in FOR_GOOD else [name in FIRST_STEP, False, False, False]
    assert wrong == expected


@pytest.mark.parametrize("name", ["StepLR", "MultiStepLR", "CosineAnnealingLR", "OneCycleLR", "LinearLR", "LambdaLR"])
def test_without_its_state_the_schedule_starts_again(name: str) -> None:
    make = SCHEDULERS[name]
    saved, _, truth = after(5, make)
    resumed = optimizer()
    scheduler = make(resumed)
    resumed.load_state_dict(saved)
    assert rates(scheduler, 4) != pytest.approx(truth)


@pytest.mark.parametrize("name", ["StepLR", "CosineAnnealingLR", "ExponentialLR", "OneCycleLR", "LinearLR"])
def test_the_scheduler_alone_does_not_bring_the_rate_back(name: str) -> None:
    make = SCHEDULERS[name]
    _, schedule, truth = after(5, make)
    scheduler = make(optimizer())
    scheduler.load_state_dict(schedule)
    assert rates(scheduler, 4) != truth


REBUILT: dict[str, tuple[Callable[[optim.Optimizer, int], Any], list[int]]] = {
    "CosineAnnealingLR": (lambda o, last: lrs.CosineAnnealingLR(o, 12, last_epoch=last), []),
    "LambdaLR": (lambda o, last: lrs.LambdaLR(o, lambda epoch: 0.9**epoch, last_epoch=last), []),
    "OneCycleLR": (lambda o, last: lrs.OneCycleLR(o, 0.05, total_steps=30, last_epoch=last), []),
    "LinearLR": (lambda o, last: lrs.LinearLR(o, 1 / 3, total_iters=5, last_epoch=last), []),
    "ExponentialLR": (lambda o, last: lrs.ExponentialLR(o, 0.9, last_epoch=last), []),
    "ConstantLR": (lambda o, last: lrs.ConstantLR(o, 1 / 3, total_iters=5, last_epoch=last), [5]),
    "StepLR": (lambda o, last: lrs.StepLR(o, 3, 0.5, last_epoch=last), [3, 6, 9, 12]),
    "MultiStepLR": (lambda o, last: lrs.MultiStepLR(o, [2, 7], 0.5, last_epoch=last), [2, 7]),
}


def test_last_epoch_needs_a_restored_optimizer() -> None:
    with pytest.raises(KeyError, match="initial_lr"):
        lrs.StepLR(optimizer(), 3, last_epoch=4)


@pytest.mark.parametrize("name", REBUILT)
def test_rebuilt_with_last_epoch_after_the_optimizer(name: str) -> None:
    """Exact, save where a step of the schedule falls on the epoch of the resume: there it is taken twice."""
    make, expected = REBUILT[name]
    wrong = []
    for epochs in range(1, 13):
        saved, _, truth = after(epochs, lambda o: make(o, -1))
        resumed = optimizer()
        resumed.load_state_dict(saved)
        if rates(make(resumed, epochs - 1), 4) != pytest.approx(truth):
            wrong.append(epochs)
    assert wrong == expected


def test_a_scheduler_takes_any_dict_and_an_optimizer_any_shapes() -> None:
    scheduler = lrs.StepLR(optimizer(), 99)
    scheduler.load_state_dict({"nonsense": 1, "step_size": 5})
    assert scheduler.step_size == 5
    adam = optim.Adam(nn.Linear(2, 2).parameters(), lr=0.5)
    adam.load_state_dict(optim.Adam(nn.Linear(7, 3).parameters(), lr=0.1).state_dict())
    assert adam.param_groups[0]["lr"] == 0.1
    with pytest.raises(ValueError, match="doesn't match the size of optimizer's group"):
        adam.load_state_dict(optim.Adam(nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)).parameters()).state_dict())


def test_an_optimizer_before_its_first_step_has_no_state() -> None:
    assert optim.Adam(nn.Linear(2, 2).parameters()).state_dict()["state"] == {}


def test_a_disabled_dropout_needs_no_random_state_but_a_running_one_does() -> None:
    torch.manual_seed(0)
    first = nn.Dropout()(torch.ones(100))
    torch.manual_seed(0)
    assert torch.equal(nn.Dropout()(torch.ones(100)), first)
    assert not torch.equal(nn.Dropout()(torch.ones(100)), first)
