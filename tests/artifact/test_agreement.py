"""What we predict against what torch does: generated objects, everything torch's savers write, flipped bytes."""

from __future__ import annotations

import collections
import io
import random
import warnings
import zipfile
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings

from ckpt_lint.artifact import ArtifactFacts
from ckpt_lint.artifact.access import BytesAccess
from ckpt_lint.artifact.reader import read_access
from tests.artifact.generated import Later, checkpoints, described, saved, savers

warnings.simplefilter("ignore")


def told(data: bytes) -> ArtifactFacts:
    return read_access(BytesAccess(data), "model.pt")


def loaded(data: bytes) -> tuple[bool, Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return True, torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
        except Exception as error:  # every way in which torch refuses
            return False, error


def agree(data: bytes) -> None:
    facts = told(data)
    loads, value = loaded(data)
    assert facts.verdict.loads is loads, (facts.verdict, value)
    if loads:
        assert sorted(described(value)) == sorted(
            (fact.key, fact.shape, fact.dtype, fact.stride, fact.storage_size)
            for fact in facts.tensors
            if fact.layout in ("strided", "quantized") and fact.device != "meta"
        )


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(checkpoints())
def test_generated_checkpoints(case: tuple[Any, dict[str, Any]]) -> None:
    value, options = case
    agree(saved(value, **options))


@pytest.mark.parametrize(("name", "value"), list(savers()), ids=[name for name, _ in savers()])
@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
def test_what_torch_saves(name: str, value: Any, legacy: bool) -> None:
    value = value.make() if isinstance(value, Later) else value
    try:
        data = saved(value, _use_new_zipfile_serialization=not legacy)
    except (NotImplementedError, RuntimeError) as error:
        assert legacy, error
        return
    facts, (loads, _) = told(data), loaded(data)
    assert facts.verdict.loads in (loads, None), facts.verdict
    assert facts.verdict.loads is not None or (legacy and name == "nested")


def test_flipped_bytes_of_the_pickle() -> None:
    chance = random.Random(7)
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))
    rich = {
        "model": model.state_dict(), "epoch": 3, "loss": 0.5, "raw": b"abc", "c": 1 + 2j, "s": {1, 2},
        "b": bytearray(b"x"), "size": torch.Size([1, 2]), "device": torch.device("cuda:1"), "dtype": torch.float16,
        "count": collections.Counter("aab"), "big": 2**80, "p": torch.nn.Parameter(torch.randn(2)),
        "view": torch.arange(10)[2:5],
    }  # fmt: skip
    sources = [saved(model.state_dict()), saved(rich)]
    answers: collections.Counter[bool] = collections.Counter()
    for _ in range(500):
        data = chance.choice(sources)
        pickled = bytearray(zipfile.ZipFile(io.BytesIO(data)).read("archive/data.pkl"))
        pickled[chance.randrange(len(pickled))] ^= chance.randrange(1, 256)
        changed = swapped(data, bytes(pickled))
        facts, (loads, error) = told(changed), loaded(changed)
        answers[loads] += 1
        if facts.verdict.loads is not None:
            assert facts.verdict.loads is loads, (facts.verdict, error)
    assert min(answers.values()) > 50


def swapped(data: bytes, pickled: bytes) -> bytes:
    source, target = zipfile.ZipFile(io.BytesIO(data)), io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for entry in source.infolist():
            archive.writestr(entry.filename, pickled if entry.filename.endswith("data.pkl") else source.read(entry))
    return target.getvalue()


def test_the_reason_is_torchs_own() -> None:
    """The first line of our message stands in torch's."""
    import argparse
    import datetime

    for value in (argparse.Namespace(a=1), datetime.datetime(2020, 1, 1), collections.deque([1]), 10**700):
        data = saved({"x": value})
        _, error = loaded(data)
        assert told(data).verdict.message.split(" was not")[0] in str(error)
