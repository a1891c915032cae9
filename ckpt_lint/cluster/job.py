"""The worker's side: a unit is checked by the same `run` as anywhere else, and becomes rows."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import ckpt_lint
from ckpt_lint.cluster.rows import FileRows, rows_of
from ckpt_lint.cluster.units import Item, Unit
from ckpt_lint.config import ConfigError, Configs, Layer
from ckpt_lint.config.merge import installed_torch
from ckpt_lint.config.options import INSTALLED
from ckpt_lint.discover import is_url
from ckpt_lint.report.look import Look
from ckpt_lint.rules import ALL
from ckpt_lint.run import FileResult, Mode, Worker, run
from ckpt_lint.settings import Settings

REQUESTS = 8
"""URLs that a worker reads at once: most of the time of each is waiting."""

_one_at_a_time = threading.Lock()
"""A process checks one unit of code at a time: more threads would only take turns, and need more memory."""


class WrongVersion(ConfigError):
    """A worker has another ckpt-lint than the client."""


@dataclass(frozen=True, slots=True)
class Job:
    """What holds for all units of a run: the arguments of `Configs` (see there) without the rules, `deep`, `cache`.

    `cache` is the folder of a fact cache that the workers have, None for none.
    """

    overrides: tuple[Layer, ...] = ()
    config: str | None = None
    isolated: bool = False
    gate: bool = True
    checkpoints: bool = False
    folder: str = "/"
    deep: bool = False
    cache: str | None = None
    version: str = ckpt_lint.__version__

    @property
    def fingerprint(self) -> str:
        """A digest of what decides the findings, as far as the command line does."""
        said = [(layer.base, sorted(layer.options.items())) for layer in self.overrides]
        told = (said, self.config, self.isolated, self.gate, self.deep, self.version)
        return hashlib.blake2b(repr(told).encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def job_of(configs: Configs, *, deep: bool, cache: str | None) -> Job:
    """The job that the configurations of a client come to. Raises ConfigError."""
    overrides = tuple(_resolved(layer) for layer in configs.overrides)
    return Job(
        overrides,
        configs.config,
        configs.isolated,
        configs.gate,
        configs.checkpoints,
        configs.working_folder,
        deep,
        cache,
    )


def _resolved(layer: Layer) -> Layer:
    """`installed` means the torch that the client has, whatever the workers have."""
    if layer.options.get("torch-version") != INSTALLED:
        return layer
    return replace(layer, options={**layer.options, "torch-version": installed_torch()})


class _Configs(Configs):
    """The configurations of a client that stands in another folder, as far as URLs go: paths are absolute."""

    def settings_for(self, path: str) -> Settings:
        return self.settings_in(self.working_folder) if is_url(path) else super().settings_for(path)


def check_unit(job: Job, unit: Unit) -> list[FileRows]:
    """The rows of a unit, one entry a file, in their order. Raises ConfigError, WrongVersion."""
    if job.version != ckpt_lint.__version__:
        raise WrongVersion(f"a worker has ckpt-lint {ckpt_lint.__version__}, and not {job.version} as this client has")
    configs = _Configs(
        ALL,
        job.overrides,
        config=job.config,
        isolated=job.isolated,
        gate=job.gate,
        checkpoints=job.checkpoints,
        working_folder=job.folder,
    )
    mode = Mode(deep=job.deep, cache=job.cache)
    look = Look(rules=ALL, folder=os.getcwd())
    if not unit.code:
        return list(_check_headers(unit, configs, mode, look))
    with _one_at_a_time:
        results = run([item.target for item in unit.items], configs, mode, jobs=1)
        return [rows_of(item, result, look, hashed=True) for item, result in zip(unit.items, results)]


def _check_headers(unit: Unit, configs: Configs, mode: Mode, look: Look) -> Iterator[FileRows]:
    from ckpt_lint.checkpoint_file import forget_folders

    forget_folders()  # a worker lives longer than a run
    worker = Worker(configs, mode)

    def checked(item: Item) -> FileRows:
        result: FileResult = worker.check(item.target)
        return rows_of(item, result, look, hashed=mode.deep)

    if not any(is_url(item.target.path) for item in unit.items):
        yield from map(checked, unit.items)
        return
    with ThreadPoolExecutor(REQUESTS) as pool:
        yield from pool.map(checked, unit.items)
