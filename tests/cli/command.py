"""The command line as a user runs it: a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str


def ckpt_lint(*arguments: str, cwd: Path, stdin: bytes = b"", env: dict[str, str] | None = None) -> Ran:
    """Run `ckpt-lint` in the folder `cwd`, with no colours unless `env` asks for them."""
    environment = {key: value for key, value in os.environ.items() if key not in ("FORCE_COLOR", "NO_COLOR")}
    done = subprocess.run(
        [sys.executable, "-m", "ckpt_lint", *arguments],
        cwd=cwd,
        input=stdin,
        capture_output=True,
        check=False,
        env={**environment, "PYTHONPATH": str(Path(__file__).parents[2]), **(env or {})},
    )
    return Ran(done.returncode, done.stdout.decode(), done.stderr.decode())


def write(folder: Path, **files: str) -> None:
    """Files by name; `__` stands for a slash, and a name without a suffix is a Python file."""
    for name, text in files.items():
        path = folder / (name.replace("__", "/") + ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
