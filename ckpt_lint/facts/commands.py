"""Shell commands that a program starts: `os.system("wget ...")`, `subprocess.run(["curl", url])`."""

from __future__ import annotations

import re

from ckpt_lint.source import tree as t
from ckpt_lint.source.module import ModuleFacts

_STARTERS = (
    "os.system", "os.popen", "subprocess.run", "subprocess.call", "subprocess.check_call", "subprocess.check_output",
    "subprocess.Popen", "subprocess.getoutput",
)  # fmt: skip
_DOWNLOADER = re.compile(r"\b(wget|curl|gdown|aria2c|axel)\b")


def download_program(module: ModuleFacts, call: t.Call) -> str | None:
    """The downloading program that a call starts, "wget" for `subprocess.run(["wget", url])`; None where it starts none."""
    if not call.args or not module.names.is_a(call.func, *_STARTERS):
        return None
    parts = (part for source in _spellings(module, call.args[0].value) for part in t.walk(source))
    text = " ".join(p.value for p in parts if isinstance(p, t.Constant) and isinstance(p.value, str))
    found = _DOWNLOADER.search(text)
    return found.group() if found else None


def _spellings(module: ModuleFacts, command: t.Expr) -> list[t.Expr]:
    """A command, and what it was bound to under a name: `command = ["wget", url]` before the call."""
    bound = (b.value for b in module.names.bindings(command) if b.how == "assign")
    return [command, *(value for value in bound if value is not None)]
