"""The command line: the only place that writes to the terminal."""

from __future__ import annotations

import atexit
import gc
import os
import sys
from collections.abc import Sequence
from types import TracebackType

from ckpt_lint.cli.arguments import parse
from ckpt_lint.config import ConfigError

USAGE_ERROR = 2
UNCHECKED = 3
INTERRUPTED = 130
BROKEN_PIPE = 141


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit code is 0 clean, 1 findings, 2 usage or configuration, 3 something not checked."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    if argv is None:
        sys.excepthook = _crashed
    arguments = parse(sys.argv[1:] if argv is None else argv)
    if argv is None and getattr(arguments, "watch", True) is False:
        _collect_nothing()
    try:
        code: int = arguments.command(arguments)
        sys.stdout.flush()
    except ConfigError as error:
        from ckpt_lint.report.look import printable

        print(f"ckpt-lint: error: {printable(str(error))}", file=sys.stderr)
        return USAGE_ERROR
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except KeyboardInterrupt:
        return INTERRUPTED
    return code


def _collect_nothing() -> None:
    """Of a process that ends with its one check the system takes all memory: searching it for garbage is lost time."""
    gc.disable()
    atexit.register(gc.freeze)


def _crashed(kind: type[BaseException], value: BaseException, trace: TracebackType | None) -> None:
    """Python would exit with 1, which stands for findings: a run that broke off has not checked everything."""
    sys.__excepthook__(kind, value, trace)
    sys.stdout.flush()
    os._exit(UNCHECKED)


__all__ = ["main"]
