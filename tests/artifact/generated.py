"""Random checkpoints for Hypothesis, everything torch's savers write, and how a loaded object is described."""

from __future__ import annotations

import argparse
import collections
import datetime
import decimal
import functools
import io
import pathlib
import random
import types
import uuid
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy
import torch
from hypothesis import strategies as st

DTYPES = (
    torch.float32,
    torch.float64,
    torch.float16,
    torch.bfloat16,
    torch.int8,
    torch.int16,
    torch.int32,
    torch.int64,
    torch.uint8,
    torch.bool,
    torch.complex64,
    torch.float8_e4m3fn,
    torch.uint16,
)


def saved(value: Any, **options: Any) -> bytes:
    """The bytes of torch.save."""
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.save(value, buffer, **options)
    return buffer.getvalue()


@st.composite
def tensors(draw: st.DrawFn) -> torch.Tensor:
    """Contiguous tensors, views with offsets and strides, transposes, parameters, empty and scalar ones."""
    shape = draw(st.lists(st.integers(0, 4), max_size=3))
    dtype = draw(st.sampled_from(DTYPES))
    base = torch.zeros(shape, dtype=dtype)
    form = draw(st.sampled_from(["plain", "view", "transposed", "expanded", "parameter", "flat"]))
    if form == "view" and shape and shape[0] > 1:
        return base[1:]
    if form == "transposed" and len(shape) >= 2:
        return base.transpose(0, 1)
    if form == "expanded":
        return torch.zeros([1, *shape], dtype=dtype).expand(3, *shape)
    if form == "parameter" and dtype.is_floating_point:
        return torch.nn.Parameter(base, requires_grad=draw(st.booleans()))
    return torch.arange(20)[2:11:3] if form == "flat" else base


def scalars() -> st.SearchStrategy[Any]:
    plain = st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.integers(-(2**2100), 2**2100),
        st.floats(),
        st.text(max_size=8),
        st.binary(max_size=8),
        st.complex_numbers(),
        st.binary(max_size=6).map(bytearray),
    )
    odd = st.sampled_from(
        [
            torch.float32,
            torch.bfloat16,
            torch.device("cpu"),
            torch.device("cuda:3"),
            torch.Size([1, 2]),
            torch.strided,
            argparse.Namespace(a=1),
            pathlib.PurePosixPath("a"),
            numpy.float64(1.0),
            numpy.int64(2),
            range(3),
            collections.Counter("aab"),
            collections.OrderedDict(a=1),
            collections.deque([1]),
            frozenset([1]),
            b"",
            collections.defaultdict(list),
            collections.defaultdict(list, a=[1]),
            decimal.Decimal("1.5"),
            slice(1, 2),
            datetime.date(2020, 1, 1),
            uuid.UUID(int=1),
            torch.__version__,
            types.SimpleNamespace(x=2),
            float,
            len,
            torch.per_tensor_affine,
        ]
    )
    return st.one_of(plain, plain, plain, odd)


def values() -> st.SearchStrategy[Any]:
    """Nested structures over tensors and scalars."""
    keys = st.one_of(st.text(max_size=6), st.integers(-5, 300), st.tuples(st.integers(), st.text(max_size=2)))
    return st.recursive(
        st.one_of(scalars(), tensors()),
        lambda inner: st.one_of(
            st.lists(inner, max_size=4),
            st.lists(inner, max_size=3).map(tuple),
            st.dictionaries(keys, inner, max_size=4),
            st.dictionaries(st.text(max_size=4), inner, max_size=3).map(collections.OrderedDict),
            st.sets(st.integers(0, 9), max_size=3),
        ),
        max_leaves=12,
    )


@st.composite
def checkpoints(draw: st.DrawFn) -> tuple[Any, dict[str, Any]]:
    """An object, and how it is saved. Some hold one tensor twice, or a whole optimizer's state."""
    value = draw(values())
    if draw(st.integers(0, 4)) == 0:
        shared = draw(tensors())
        value = {"a": shared, "b": [shared, shared.detach()], "rest": value}
    if draw(st.integers(0, 5)) == 0:
        value = {"optimizer": optimizer(draw(st.sampled_from(OPTIMIZERS))).state_dict(), "rest": value}
    options: dict[str, Any] = {}
    if draw(st.integers(0, 3)) == 0:
        options["_use_new_zipfile_serialization"] = False
    if draw(st.integers(0, 5)) == 0:
        options["pickle_protocol"] = draw(st.integers(0, 5))
    return value, options


OPTIMIZERS = (
    torch.optim.Adam,
    torch.optim.AdamW,
    torch.optim.SGD,
    torch.optim.RMSprop,
    torch.optim.Adagrad,
    torch.optim.NAdam,
    torch.optim.LBFGS,
)


def optimizer(kind: type[torch.optim.Optimizer]) -> torch.optim.Optimizer:
    """One step old."""
    model = torch.nn.Linear(2, 2)
    made = kind(model.parameters(), lr=0.1)  # type: ignore[call-arg]

    def closure() -> torch.Tensor:
        loss = model(torch.ones(1, 2)).sum()
        loss.backward()
        return loss

    made.step(closure)
    return made


class Tagged(torch.Tensor):
    """A subclass of Tensor."""


def savers() -> Iterator[tuple[str, Any]]:
    """What torch's own save functions know to write; optimizers are made where they are asked for: they import much."""
    yield "sparse coo", torch.eye(3).to_sparse()
    yield "sparse coo, coalesced", torch.eye(3).to_sparse().coalesce()
    yield "sparse csr", torch.eye(3).to_sparse_csr()
    yield "sparse csc", torch.eye(4).to_sparse_csc()
    yield "sparse bsr", torch.eye(4).to_sparse_bsr((2, 2))
    yield "sparse bsc", torch.eye(4).to_sparse_bsc((2, 2))
    yield "quantized", torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.quint8)
    scales, zeros = torch.ones(2), torch.zeros(2)
    yield "quantized channels", torch.quantize_per_channel(torch.ones(2, 3), scales, zeros, 0, torch.qint8)
    yield "quantized float", torch.quantize_per_channel(torch.ones(2, 3), scales, zeros, 0, torch.quint4x2)
    yield "nested", torch.nested.nested_tensor([torch.ones(2), torch.ones(3)])
    yield "meta", torch.empty(2, 3, device="meta")
    yield "conj", torch.ones(2, dtype=torch.complex64).conj()
    yield "negative", torch.ones(2, dtype=torch.complex64).conj().imag
    yield "parameter", torch.nn.Parameter(torch.ones(2))
    yield "buffer", torch.nn.Buffer(torch.ones(2))
    attribute = torch.ones(2)
    attribute.note = "x"  # type: ignore[attr-defined]
    yield "attribute", attribute
    parameter = torch.nn.Parameter(torch.ones(2))
    parameter.tag = 3  # type: ignore[attr-defined]
    yield "parameter with attribute", parameter
    yield "subclass", torch.ones(2).as_subclass(Tagged)
    yield "storage", torch.ones(3).untyped_storage()
    yield "typed storage", torch.ones(3).storage()
    yield "generator", torch.Generator()
    yield "rng", torch.get_rng_state()
    yield "python rng", random.getstate()
    yield "module", torch.nn.Linear(2, 2)
    yield "uninitialized", torch.nn.LazyLinear(2).state_dict()
    yield "packed sequence", torch.nn.utils.rnn.pack_sequence([torch.ones(2)])
    yield "zero elements", torch.empty(0, 3)
    yield "scalar", torch.tensor(1.5)
    yield "wide stride", torch.arange(30).as_strided((2, 3), (7, 2), 3)
    yield "overlap", torch.arange(6).as_strided((4, 3), (1, 1))
    for kind in (*OPTIMIZERS, torch.optim.Adadelta, torch.optim.Adamax, torch.optim.ASGD, torch.optim.RAdam):
        yield f"state of {kind.__name__}", Later(lambda kind=kind: optimizer(kind).state_dict())
        yield f"whole {kind.__name__}", Later(lambda kind=kind: optimizer(kind))
    kinds = torch.optim.lr_scheduler
    for scheduler, arguments in (
        (kinds.StepLR, (2,)),
        (kinds.MultiStepLR, ([2],)),
        (kinds.OneCycleLR, (0.1, 9)),
        (kinds.LambdaLR, (lambda epoch: 1.0,)),
        (kinds.CyclicLR, (0.1, 0.2)),
    ):
        yield f"state of {scheduler.__name__}", Later(functools.partial(_scheduled, scheduler, arguments))


def _scheduled(kind: Any, arguments: tuple[Any, ...]) -> dict[str, Any]:
    state: dict[str, Any] = kind(optimizer(torch.optim.SGD), *arguments).state_dict()
    return state


@dataclass(frozen=True)
class Later:
    """A value that is made when a test runs."""

    make: Callable[[], Any]


def described(value: Any, path: str = "", seen: frozenset[int] = frozenset()) -> list[tuple[Any, ...]]:
    """Key path, shape, dtype, stride and storage bytes of every strided tensor. A container that was met is skipped."""
    found: list[tuple[Any, ...]] = []
    met: set[int] = set()

    def visit(item: Any, where: str) -> None:
        if isinstance(item, torch.Tensor):
            if item.layout is torch.strided and not item.is_nested and not item.is_meta:
                dtype = str(item.dtype).removeprefix("torch.")
                size = item.untyped_storage().nbytes()
                found.append((where, tuple(item.shape), dtype, item.stride(), size))
            return
        if not isinstance(item, (dict, list, tuple)) or isinstance(item, torch.Size) or id(item) in met or not item:
            return
        met.add(id(item))
        pairs = item.items() if isinstance(item, dict) else enumerate(item)
        for key, part in pairs:
            text = key if isinstance(key, str) and isinstance(item, dict) else f"[{shown(key)}]"
            text = text if len(text) <= 200 else text[:199] + "…"
            joined = where + text if not where or text.startswith("[") else f"{where}.{text}"
            visit(part, joined)

    visit(value, path)
    return found


def shown(key: Any) -> str:
    """A key that is no text, as the tree of `inspect` shows it."""
    from ckpt_lint.artifact.tree import describe

    return describe(key)
