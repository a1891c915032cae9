"""The stage on which proofs run: what `observe` may use. Needs only the standard library and torch (Python 3.9)."""

from __future__ import annotations

import contextlib
import io
import os
import pickle
import re
import shutil
import subprocess
import sys
import time
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CHILD_SECONDS = 60.0
WORKER = Path(__file__).with_name("worker.py")


@dataclass(frozen=True)
class Seen:
    """What one run of a program showed.

    `hazard`: the hazard was seen to happen. `right`: the program was seen to do what its author meant; a proof needs
    the first before the fix and the second after it, so a program that merely dies of something else proves nothing.
    `saw` is one line for people; `series` are curves, one value an epoch.
    """

    hazard: bool
    right: bool
    saw: str
    figures: dict[str, object] = field(default_factory=dict)
    series: dict[str, list[float]] = field(default_factory=dict)


@dataclass(frozen=True)
class Ran:
    """The names that a program left behind, what it printed, and the expected exception that ended it, if any."""

    names: dict[str, Any]
    printed: str
    error: BaseException | None

    @property
    def said(self) -> str:
        """The exception as one line without colours or paths of this machine, or an empty string."""
        return one_line(self.error)


@dataclass(frozen=True)
class Child:
    """How a program ended that ran in a process of its own."""

    returncode: int
    stdout: str
    stderr: str
    seconds: float


class Stage:
    """What a proof may use: a scratch directory (the working directory), and ways to run a program in it."""

    def __init__(self, scratch: Path) -> None:
        self.scratch = scratch

    def seen(
        self,
        saw: str,
        *,
        hazard: bool,
        right: bool,
        figures: Mapping[str, object] | None = None,
        series: Mapping[str, Sequence[float]] | None = None,
    ) -> Seen:
        """What a proof hands back; see `Seen`."""
        curves = {name: [float(value) for value in values] for name, values in (series or {}).items()}
        return Seen(bool(hazard), bool(right), saw, dict(figures or {}), curves)

    def run(
        self,
        program: str,
        *,
        expect: tuple[type[BaseException], ...] = (),
        settings: Mapping[str, object] | None = None,
    ) -> Ran:
        """Run a program as the module `train`; exceptions other than the expected ones are the proof's own failure.

        The module is gone afterwards, as it is for whoever reads a checkpoint elsewhere. `settings` is what
        `from settings import ...` gives: the place where a stand-in device comes from.
        """
        module = types.ModuleType("train")
        given = types.ModuleType("settings")
        vars(given).update(settings or {})
        sys.modules.update({"train": module, "settings": given})
        error: BaseException | None = None
        printed = io.StringIO()
        try:
            with contextlib.redirect_stdout(printed):
                exec(compile(program, "train.py", "exec"), vars(module))
        except expect as caught:
            error = caught
        finally:
            del sys.modules["train"], sys.modules["settings"]
        return Ran(vars(module), printed.getvalue(), error)

    def call(
        self, function: Callable[..., Any], *arguments: object, expect: tuple[type[BaseException], ...] = ()
    ) -> tuple[Any, BaseException | None]:
        """Call a function of a program: its result, or the expected exception."""
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                return function(*arguments), None
        except expect as caught:
            return None, caught

    def line(self, error: BaseException | None) -> str:
        """An exception as one line, or an empty string."""
        return one_line(error)

    def size(self, path: str) -> int:
        """The bytes of a file."""
        return Path(path).stat().st_size

    def resumed(
        self, train: Callable[..., list[float]], *, epochs: int = 12, stop: int = 6
    ) -> tuple[list[float], list[float]]:
        """The curve of an uninterrupted run, and that of a run stopped after `stop` epochs and resumed from last.pt."""
        whole = self.call(train, epochs)[0]
        first = self.call(train, stop)[0]
        rest = self.call(train, epochs, "last.pt")[0]
        return [float(value) for value in whole], [float(value) for value in [*first, *rest]]

    def judge_resume(self, program: str, *, what: str = "loss", epochs: int = 12, stop: int = 6) -> Seen:
        """Compare the curves that `train(epochs, resume=None)` of a program returns: right means equal to the bit."""
        whole, resumed = self.resumed(self.run(program).names["train"], epochs=epochs, stop=stop)
        apart = largest_difference(whole, resumed)
        return self.seen(
            f"resumed after epoch {stop}, the {what} differs from an uninterrupted run by up to {apart:.3g}",
            hazard=apart > 1e-4,
            right=whole == resumed,
            figures={f"largest difference of {what}": apart},
            series={"uninterrupted": whole, "resumed": resumed},
        )

    def judge_unpickling(self, restore: Callable[[str], Any], *, raw: bool = False, honest_raw: bool = False) -> Seen:
        """Let a program restore a Linear(4, 2) from honest and from poisoned weights.

        Right means: the honest weights arrive, the poisoned file is refused, and no code has run. `raw` poisons a
        plain pickle, `honest_raw` gives the honest weights as one.
        """
        import torch

        shutil.rmtree("canary", ignore_errors=True)
        saved = torch.nn.Linear(4, 2)
        if honest_raw:
            Path("honest.pt").write_bytes(pickle.dumps(saved.state_dict()))
        else:
            torch.save(saved.state_dict(), "honest.pt")
        self.poison("poisoned.pt", saved.state_dict(), raw=raw)
        model = self.call(restore, "honest.pt")[0]
        poisoned, error = self.call(restore, "poisoned.pt", expect=(pickle.UnpicklingError,))
        ran = self.canary_sang()
        arrived = torch.equal(model.weight, saved.weight)
        if ran:
            told = "the code in the file ran" + (", and its weights loaded without a word" if poisoned else "")
        else:
            told = f"no code ran; {one_line(error)}"
        return self.seen(
            told,
            hazard=ran,
            right=arrived and not ran and error is not None,
            figures={"code in the file ran": ran, "honest weights arrived": arrived},
        )

    def poison(self, path: str, state: Any, *, raw: bool = False) -> None:
        """Write a state dict whose file also makes the directory `canary` when its code is allowed to run.

        `raw` is a plain pickle, else the file is one of torch.save. The payload hangs on `_metadata`, which
        `load_state_dict` only peeks at: the weights load as if nothing had happened.
        """
        import torch

        state._metadata = _Canary()
        if raw:
            Path(path).write_bytes(pickle.dumps(state, protocol=2))
        else:
            torch.save(state, path)

    def canary_sang(self) -> bool:
        """Whether the code inside a poisoned file has run."""
        return Path("canary").is_dir()

    @contextlib.contextmanager
    def tagged(self, tag: str = "cuda:0", only: set[int] | None = None) -> Iterator[None]:
        """While open, torch.save writes `tag` as the device of every storage, or of those at the given addresses."""
        from torch import serialization

        real = serialization.location_tag

        def stand_in(storage: Any) -> str:
            return tag if only is None or storage.data_ptr() in only else str(real(storage))

        serialization.location_tag = stand_in
        try:
            yield
        finally:
            serialization.location_tag = real

    def children(self, program: str, *, count: int = 1, before: str = "") -> list[Child]:
        """Run a program in `count` processes at once, each with its RANK; `before` is code of the proof's own.

        `RENDEZVOUS` is an `init_method` for `torch.distributed.init_process_group`.
        """
        script = self.scratch / "child.py"
        script.write_text("\n".join([before, program]), encoding="utf-8")
        shared = {"WORLD_SIZE": str(count), "RENDEZVOUS": (self.scratch / "rendezvous").as_uri()}
        if sys.platform == "linux":
            shared["GLOO_SOCKET_IFNAME"] = "lo"
        start = time.monotonic()
        running = [
            subprocess.Popen(
                [sys.executable, "-I", "-B", str(WORKER), "--child", str(script)],
                env={**os.environ, **shared, "RANK": str(rank), "LOCAL_RANK": str(rank)},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for rank in range(count)
        ]
        try:
            return [_wait(child, start) for child in running]
        finally:
            for child in running:
                if child.poll() is None:
                    child.kill()
                    child.wait()


class _Canary:
    """Pickles to a call of os.mkdir("canary"): visible, and harmless."""

    def __reduce__(self) -> tuple[Callable[..., None], tuple[str]]:
        return os.mkdir, ("canary",)


def _wait(child: subprocess.Popen[str], start: float) -> Child:
    stdout, stderr = child.communicate(timeout=CHILD_SECONDS)
    return Child(child.returncode, stdout, stderr, time.monotonic() - start)


def one_line(error: BaseException | None, width: int = 160) -> str:
    """An exception as one line: its type and the start of its text, without colours and scratch paths."""
    if error is None:
        return ""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", str(error))
    plain = re.sub(r"(/[^\s:'\"]*/)(?=[^/\s:'\"]*)", "", plain)
    text = " ".join(plain.split())
    found = re.search(r"WeightsUnpickler error: (.*)|(Trying to load unsupported GLOBAL .* is blocked)", text)
    text = next(part for part in found.groups() if part) if found else text
    text = re.split(r" (?:was not an allowed global|Check the documentation|[Pp]lease use)\b", text)[0].rstrip(" ,;")
    named = f"{type(error).__name__}: {text}".rstrip(": ")
    return named if len(named) <= width else named[: width - 3] + "..."


def largest_difference(one: Sequence[float], other: Sequence[float]) -> float:
    """The largest absolute difference of two curves; infinite where they differ in length."""
    if len(one) != len(other):
        return float("inf")
    return max((abs(a - b) for a, b in zip(one, other)), default=0.0)
