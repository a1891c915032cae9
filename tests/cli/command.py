"""The command line as a user runs it: a process of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.cli.nursery import own_environment, run


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str


def ckpt_lint(
    *arguments: str, cwd: Path, stdin: bytes = b"", env: Mapping[str, str] | None = None, anew: bool = False
) -> Ran:
    """Run `ckpt-lint` in the folder `cwd`, with no colours unless `env` asks for them; `anew` by a new interpreter."""
    environment = {key: value for key, value in own_environment().items() if key not in ("FORCE_COLOR", "NO_COLOR")}
    environment |= env or {}
    done = run("ckpt_lint", *arguments, cwd=cwd, stdin=stdin, environment=environment, anew=anew)
    return Ran(done.returncode, done.stdout.decode(), done.stderr.decode())


def write(folder: Path, **files: str) -> None:
    """Files by name; `__` stands for a slash, and a name without a suffix is a Python file."""
    for name, text in files.items():
        path = folder / (name.replace("__", "/") + ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
