"""A Dask cluster that is running already, as an engine. `distributed` is imported only here (`ckpt-lint[dask]`)."""

from __future__ import annotations

import asyncio
import logging
import pkgutil
import platform
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import ckpt_lint
from ckpt_lint.cluster.engines import EXPECTED, IN_FLIGHT
from ckpt_lint.cluster.runner import Engine, EngineError, Lane
from ckpt_lint.config import ConfigError

CONNECT_SECONDS = 10
WORKER_SECONDS = 30
"""How long the first worker is waited for, and how long a run goes on without any."""

DEFAULT_PORT = 8786


def connect(name: str) -> Engine:
    """The cluster behind `dask://HOST:PORT`. Raises ConfigError: no `distributed`, nobody there, other versions."""
    address = _address(name)
    client_of = _client_class()
    for logger in ("distributed", "distributed.client", "distributed.core"):
        logging.getLogger(logger).setLevel(logging.CRITICAL + 1)  # what it has to say is said in one line
    with _no_asyncio_noise():
        try:
            client = client_of(address, timeout=CONNECT_SECONDS, set_as_default=False)
        except (OSError, ValueError, asyncio.TimeoutError) as error:
            raise ConfigError(f"--engine {name}: no Dask scheduler answers there: {_reason(error)}") from None
    try:
        _check_workers(client, name)
    except ConfigError:
        client.close()
        raise
    return _engine(client, name)


def _client_class() -> Any:
    try:
        from distributed import Client
    except ImportError:
        raise ConfigError('--engine dask:// needs distributed: pip install "ckpt-lint[dask]"') from None
    return Client


def _address(name: str) -> str:
    try:
        parts = urlsplit(name)
        port = parts.port or DEFAULT_PORT
    except ValueError as error:
        raise ConfigError(f"--engine {name}: {error}") from None
    if not parts.hostname or parts.path.strip("/") or parts.query or parts.username:
        raise ConfigError(f"--engine {name}: {EXPECTED}")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"tcp://{host}:{port}"


def _engine(client: Any, name: str) -> Engine:
    executor = client.get_executor(pure=False)
    lane = Lane(lambda: executor)
    watch = _Watch(client, name)
    window = IN_FLIGHT * max(1, sum(client.nthreads().values()))

    def close() -> None:
        lane.close()
        client.close()

    return Engine(lane, lane, window, watch.alive, close)


class _Watch:
    """Says when nobody is left: a Dask task waits for ever for a worker that never comes."""

    def __init__(self, client: Any, name: str) -> None:
        self._client, self._name = client, name
        self._alone_since: float | None = None

    def alive(self) -> None:
        """Raise EngineError where the scheduler is gone, or there was no worker for `WORKER_SECONDS`."""
        try:
            workers = self._client.nthreads() if self._client.status == "running" else None
        except (OSError, ValueError, asyncio.TimeoutError):
            workers = None
        if workers is None:
            raise EngineError(f"the scheduler of {self._name} is gone")
        if workers:
            self._alone_since = None
            return
        self._alone_since = self._alone_since or time.monotonic()
        if time.monotonic() - self._alone_since > WORKER_SECONDS:
            raise EngineError(f"{self._name} has had no worker for {WORKER_SECONDS} seconds")


def _check_workers(client: Any, name: str) -> None:
    """Every worker has ckpt-lint, in this version. Raises ConfigError."""
    try:
        client.wait_for_workers(1, timeout=WORKER_SECONDS)
    except asyncio.TimeoutError:
        raise ConfigError(f"--engine {name}: it has no workers") from None
    # asked with functions of the standard library, which every worker has
    found: Mapping[str, object] = client.run(pkgutil.resolve_name, "ckpt_lint:__version__", on_error="return")
    absent = sorted(worker for worker, version in found.items() if isinstance(version, ImportError))
    if absent:
        raise ConfigError(f"--engine {name}: ckpt-lint is not installed on {_some(absent)}")
    other = sorted(f"{worker} ({version})" for worker, version in found.items() if version != ckpt_lint.__version__)
    if other:
        raise ConfigError(
            f"--engine {name}: workers have another ckpt-lint than this client ({ckpt_lint.__version__}): {_some(other)}"
        )
    pythons = client.run(platform.python_version, on_error="return")
    own = platform.python_version_tuple()[:2]
    odd = sorted(f"{worker} ({said})" for worker, said in pythons.items() if tuple(str(said).split(".")[:2]) != own)
    if odd:
        warning = "another Python than this client's decides there which syntax is valid"
        print(f"ckpt-lint: warning: {warning}: {_some(odd)}", file=sys.stderr)


def _some(names: list[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


@contextmanager
def _no_asyncio_noise() -> Iterator[None]:
    """asyncio tells of connections that were given up; the one line of ours says it better."""
    logger = logging.getLogger("asyncio")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)


def _reason(error: BaseException) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
