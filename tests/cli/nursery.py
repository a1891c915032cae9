"""Processes without the start of an interpreter: a nursery has everything imported, and forks one for each command.

A new interpreter spends half a second of processor time on imports before it does anything, and two seconds where it
needs torch; the tests run hundreds of commands. A child of the nursery is a process like another one: it has its own
folder, environment, streams, limits and exit code. Whatever an interpreter decides while it starts is asked of a new
one: see `same_start`. `tests/cli/test_nursery.py` holds both ways side by side.

As a program (`python -m tests.cli.nursery FD MODULE...`) this is the nursery: it takes orders on a socket.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import gc
import importlib
import io
import json
import os
import pkgutil
import runpy
import socket
import subprocess
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NoReturn

ROOT = Path(__file__).parents[2]
AT_START = ("PYTHON", "LC_", "LANG", "LD_", "DYLD_", "TORCH_FORCE", "OMP_", "MKL_")
PLAIN = ("ckpt_lint", "flake8")
"""What is imported for every command; what has commands of its own, or asks for an extra, is left out."""
LEFT_OUT = ("flake8", "server", "watch", "proofs", "scaffold", "catalog", "cluster", "completion", "worker", "remote",
            "parquet", "prove_docs", "prove_plot", "__main__")  # fmt: skip
STREAMS = [(stream.encoding, stream.errors or "strict") for stream in (sys.stdin, sys.stdout, sys.stderr)]
"""As this interpreter was started with them."""


# -- the side of the tests --------------------------------------------------------------------------------------------


def same_start(environment: Mapping[str, str]) -> bool:
    """Whether an interpreter that starts in this environment is like those of the nurseries."""
    return _at_start(environment) == _at_start(own_environment())


def _at_start(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name.startswith(AT_START)}


def own_environment() -> dict[str, str]:
    """That of the tests, in which this checkout is what is imported."""
    return {**os.environ, "PYTHONPATH": str(ROOT)}


class Nursery:
    """A process that waits for orders; it ends with this one."""

    def __init__(self, *modules: str) -> None:
        """Start it; `modules` are imported beside what every command needs."""
        self.start = _at_start(own_environment())
        self._socket, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.cli.nursery", str(theirs.fileno()), *modules],
                cwd=ROOT, env=own_environment(), pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL,
            )  # fmt: skip
        self._answers = self._socket.makefile("r")
        atexit.register(self.close)

    def close(self) -> None:
        """End it: it sees that nobody orders any more."""
        self._answers.close()
        self._socket.close()
        self._process.wait()

    def run(
        self, module: str, arguments: Iterable[str], *, cwd: Path, stdin: bytes, environment: Mapping[str, str]
    ) -> subprocess.CompletedProcess[bytes]:
        """The same as `python -m module arguments`."""
        order = {"module": module, "arguments": list(arguments), "cwd": str(cwd), "environment": dict(environment)}
        stdin_end, given = os.pipe()
        (out, out_end), (err, err_end) = os.pipe(), os.pipe()
        with tempfile.TemporaryFile() as file:
            file.write(json.dumps(order).encode())
            file.seek(0)
            theirs = (stdin_end, out_end, err_end)
            socket.send_fds(self._socket, [b"."], [file.fileno(), *theirs])
            for end in theirs:
                os.close(end)
        with ThreadPoolExecutor(3) as threads:
            threads.submit(_write, given, stdin)
            read = [threads.submit(_read, end) for end in (out, err)]
            code = int(self._answers.readline())
            return subprocess.CompletedProcess([module, *order["arguments"]], code, *(one.result() for one in read))


def _write(descriptor: int, data: bytes) -> None:
    with contextlib.suppress(BrokenPipeError), os.fdopen(descriptor, "wb") as stream:
        stream.write(data)


def _read(descriptor: int) -> bytes:
    with os.fdopen(descriptor, "rb") as stream:
        return stream.read()


_NURSERIES: dict[tuple[str, ...], Nursery] = {}


def run(
    module: str, *arguments: str, cwd: Path, stdin: bytes = b"", environment: Mapping[str, str], anew: bool = False
) -> subprocess.CompletedProcess[bytes]:
    """`python -m module arguments` in a process of its own; with `anew` by a new interpreter in any case."""
    if anew or not hasattr(os, "fork") or not same_start(environment):
        return subprocess.run(
            [sys.executable, "-m", module, *arguments],
            cwd=cwd, input=stdin, capture_output=True, check=False, env=environment,
        )  # fmt: skip
    modules = ("torch",) if "verify" in arguments[:1] else ()
    if modules in _NURSERIES and _NURSERIES[modules].start != _at_start(own_environment()):
        _NURSERIES.pop(modules).close()
    if modules not in _NURSERIES:
        _NURSERIES[modules] = Nursery(*modules)
    return _NURSERIES[modules].run(module, arguments, cwd=cwd, stdin=stdin, environment=environment)


# -- the nursery ------------------------------------------------------------------------------------------------------


def main(descriptor: str, *modules: str) -> None:
    """Import everything, and fork a child for every order until nobody is there to give one."""
    for module in (*_ours(), "flake8.main.application", *modules):
        importlib.import_module(module)
    gc.collect()
    gc.freeze()
    with socket.socket(fileno=int(descriptor)) as orders:
        while True:
            data, files, _, _ = socket.recv_fds(orders, 1, 4)
            if not data:
                return
            child = os.fork()
            if child == 0:
                orders.close()
                _obey(files)
            for file in files:
                os.close(file)
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            orders.sendall(f"{code}\n".encode())


def _obey(files: list[int]) -> NoReturn:
    """Be what is ordered in the first of the files; the others are the standard streams."""
    with os.fdopen(files[0], "rb") as stream:
        order = json.load(stream)
    _become(order["cwd"], order["environment"], files[1:])
    sys.path[0] = order["cwd"]
    sys.argv = [order["module"], *order["arguments"]]
    _end(functools.partial(runpy.run_module, order["module"], run_name="__main__", alter_sys=True))


def _ours() -> Iterable[str]:
    import ckpt_lint

    for module in pkgutil.walk_packages(ckpt_lint.__path__, "ckpt_lint."):
        if not set(module.name.split(".")[1:]) & set(LEFT_OUT):
            yield module.name


def _become(cwd: str, environment: Mapping[str, str], files: list[int]) -> None:
    """Folder, environment and streams of a new process."""
    for number, file in enumerate(files):
        os.dup2(file, number)
    os.closerange(3, 256)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    through = bool(environment.get("PYTHONUNBUFFERED"))
    stdin, stdout, stderr = (_stream(number, through) for number in range(3))
    sys.stdin = sys.__stdin__ = stdin
    sys.stdout = sys.__stdout__ = stdout
    sys.stderr = sys.__stderr__ = stderr
    if "torch" in sys.modules:
        subprocess.Popen = Forked  # type: ignore[misc]


def _stream(number: int, through: bool) -> io.TextIOWrapper:
    """One of the standard streams, as an interpreter opens it."""
    raw = io.FileIO(number, "wb" if number else "rb", closefd=False)
    buffer: Any = io.BufferedReader(raw) if not number else raw if through else io.BufferedWriter(raw)
    encoding, errors = STREAMS[number]
    return io.TextIOWrapper(buffer, encoding, errors, line_buffering=number == 2, write_through=through and number > 0)


class Forked(subprocess.Popen[Any]):
    """The child of `verify` that imports torch: forked from what has it already. Every other process is a new one."""

    def _execute_child(self, args: Any, *more: Any) -> None:  # type: ignore[override]
        worker = str(ROOT / "ckpt_lint" / "verify" / "worker.py")
        if args[:4] != [sys.executable, "-I", "-B", worker]:
            super()._execute_child(args, *more)  # type: ignore[misc]
            return
        cwd, environment = more[4:6]
        stdin, _, _, stdout, _, stderr = more[9:15]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of threads: they only listen to a child that is gone
            self.pid = os.fork()
        if self.pid == 0:
            _become(cwd, environment, [stdin, stdout, stderr])
            subprocess.Popen = Forked.__base__  # type: ignore[misc]
            sys.path[:] = [path for path in sys.path[1:] if Path(path) != ROOT]
            for module in [name for name in sys.modules if name.partition(".")[0] in ("ckpt_lint", "tests")]:
                del sys.modules[module]
            sys.dont_write_bytecode = True
            sys.argv = args[3:]
            _end(functools.partial(runpy.run_path, worker, run_name="__main__"))
        self._child_created = True
        for file in (stdin, stdout):
            os.close(file)


def _end(program: Callable[[], object]) -> NoReturn:
    """Run a program and exit as the interpreter would."""
    code = 0
    try:
        program()
    except SystemExit as error:
        code = _code(error)
    except BaseException as error:
        code = 1
        sys.excepthook(type(error), error, error.__traceback__)
    threading._shutdown()
    atexit._run_exitfuncs()
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
    os._exit(code)


def _code(error: SystemExit) -> int:
    if error.code is None or isinstance(error.code, int):
        return error.code or 0
    print(error.code, file=sys.stderr)
    return 1


if __name__ == "__main__":
    main(*sys.argv[1:])
