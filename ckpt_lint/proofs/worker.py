"""Run proofs in this process: needs only the standard library, torch, and `stage.py` beside it (Python 3.9, torch 2.0).

    python -I worker.py            reads {"proofs": [{"path", "code", "before", "after"}]} from stdin, writes JSON lines
    python -I worker.py --child F  runs the program F as __main__ (a rank, or a program that will be killed)

The lines: {"versions": {...}}, then per proof {"start": code} and {"code", "status", "before", "after", "seconds"}.
All proofs share one process; each program has a fresh scratch directory, seed, environment and module table. A proof
that raises ends the process, with its traceback on stderr: the parent reports it, and starts another for the rest.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import io
import json
import os
import platform
import random
import re
import runpy
import shutil
import site
import sys
import tempfile
import time
import types
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ckpt_lint.proofs.stage import Stage

FLOOR = "2.0"
STAGE = Path(__file__).with_name("stage.py")


def missing_need(needs: Mapping[str, str], versions: Mapping[str, str]) -> str | None:
    """Why a proof does not apply here, or None: `needs` maps torch, a module or `system` to a floor or a name."""
    for what, wanted in {"torch": FLOOR, **needs}.items():
        if what == "system":
            if not sys.platform.startswith(wanted):
                return f"needs {wanted}, this is {sys.platform}"
        elif what == "torch":
            if _numbers(versions["torch"]) < _numbers(wanted):
                return f"needs torch {wanted} or newer, found {versions['torch']}"
        elif importlib.util.find_spec(what) is None:
            return f"needs {what}, which is not installed"
    return None


def _numbers(version: str) -> tuple[int, ...]:
    found = re.match(r"\d+(\.\d+)*", version)
    return tuple(int(part) for part in found.group().split(".")) if found else ()


def _load(path: str | Path) -> types.ModuleType:
    """A module from its file; it stands in sys.modules, where dataclasses look for it."""
    spec = importlib.util.spec_from_file_location("ckpt_lint_proof_" + Path(path).stem, path)
    if spec is None or spec.loader is None:
        raise ImportError(path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@contextlib.contextmanager
def _fresh(stage: types.ModuleType) -> Iterator[Stage]:
    """A scratch directory as the working directory, seeds set, and everything a program may change put back."""
    import torch

    old_directory, old_environment = os.getcwd(), dict(os.environ)
    old_modules, old_path = set(sys.modules), list(sys.path)
    scratch = Path(tempfile.mkdtemp(prefix="ckpt-lint-proof-"))
    os.chdir(scratch)
    random.seed(0)
    torch.manual_seed(0)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield stage.Stage(scratch)
    finally:
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()
        os.chdir(old_directory)
        os.environ.clear()
        os.environ.update(old_environment)
        sys.path[:] = old_path
        for name in sorted(set(sys.modules) - old_modules):
            if getattr(sys.modules[name], "__file__", None) and str(scratch) in str(sys.modules[name].__file__):
                del sys.modules[name]
        shutil.rmtree(scratch, ignore_errors=True)


def _observe(module: types.ModuleType, program: str, stage: types.ModuleType) -> dict[str, object]:
    with _fresh(stage) as given:
        seen = module.observe(program, given)
    return asdict(seen)


def _prove(job: Mapping[str, str], versions: Mapping[str, str], stage: types.ModuleType) -> dict[str, object]:
    """Both programs of a proof, observed. An error of the proof itself ends the process: the parent starts another."""
    start = time.monotonic()
    answer: dict[str, object] = {"code": job["code"], "status": "ran"}
    module = _load(job["path"])
    reason = missing_need(getattr(module, "NEEDS", {}), versions)
    if reason:
        answer.update(status="not-applicable", reason=reason)
    else:
        answer["before"] = _observe(module, job["before"], stage)
        answer["after"] = _observe(module, job["after"], stage)
    answer["seconds"] = round(time.monotonic() - start, 3)
    return answer


def _versions() -> dict[str, str]:
    import torch

    found = {"python": platform.python_version(), "torch": str(torch.__version__), "system": platform.system()}
    for name in ("numpy", "safetensors"):
        with contextlib.suppress(ImportError):
            found[name] = str(importlib.import_module(name).__version__)
    return found


def _quiet_output() -> io.TextIOWrapper:
    """The real standard output, for us alone: what programs and libraries print goes to standard error."""
    ours = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return ours


def _allow_user_site() -> None:
    """An isolated interpreter leaves out the user's site-packages, where torch may well be."""
    folder = site.getusersitepackages()
    if os.path.isdir(folder) and folder not in sys.path:
        sys.path.append(folder)


def _be_a_child(script: str) -> None:
    import torch

    torch.set_num_threads(1)
    runpy.run_path(script, run_name="__main__")


def main(arguments: Sequence[str]) -> int:
    """Entry point: 0 when every job was answered, 4 when there is no torch."""
    _allow_user_site()
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    for name in ("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "TORCH_FORCE_WEIGHTS_ONLY_LOAD"):
        os.environ.pop(name, None)
    if arguments[:1] == ["--child"]:
        _be_a_child(arguments[1])
        return 0
    out = _quiet_output()

    def answer(line: Mapping[str, object]) -> None:
        print(json.dumps(line), file=out, flush=True)

    try:
        import torch
    except ImportError as error:
        answer({"unavailable": str(error)})
        return 4
    torch.set_num_threads(1)
    versions, stage = _versions(), _load(STAGE)
    answer({"versions": versions})
    for job in json.load(sys.stdin)["proofs"]:
        answer({"start": job["code"]})
        answer(_prove(job, versions, stage))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
