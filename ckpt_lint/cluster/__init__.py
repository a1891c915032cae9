"""Checking more than one machine can: units of files through any `concurrent.futures.Executor`, rows into one file."""

from __future__ import annotations

from ckpt_lint.cluster.engines import engine_of
from ckpt_lint.cluster.job import Job, check_unit, job_of
from ckpt_lint.cluster.rows import FileRows
from ckpt_lint.cluster.runner import Engine, EngineError, Run
from ckpt_lint.cluster.units import Item, Unit, find, units

__all__ = [
    "Engine",
    "EngineError",
    "FileRows",
    "Item",
    "Job",
    "Run",
    "Unit",
    "check_unit",
    "engine_of",
    "find",
    "job_of",
    "units",
]
