"""What other programs may call: `check_source` and `fix_source`, and the values that they give.

Nothing here prints or writes to a project; the fact cache is left alone. The names that `ckpt_lint` itself offers are
these, and they keep their meaning within a major version.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from ckpt_lint.config import ConfigError, Configs, Layer
from ckpt_lint.config.options import check_options
from ckpt_lint.model import Applicability, Outcome, Problem
from ckpt_lint.rules import ALL
from ckpt_lint.run import FileResult, Mode, Worker

__all__ = ["ConfigError", "check_source", "fix_source"]

_ORIGIN = "the call"


def check_source(
    text: str,
    path: str | None = None,
    *,
    select: Sequence[str] | None = None,
    ignore: Sequence[str] = (),
    torch_version: str | None = None,
    isolated: bool = False,
) -> Outcome:
    """What the rules find in `text`, the code of a Python file or, where `path` ends in `.ipynb`, a notebook's JSON.

    `path` need not exist; it says which configuration and which project hold, and without it none does, so that the
    rules that ask for the project's other files are silent. `select`, `ignore` and `torch_version` are the options of
    the same names, and `isolated` reads no configuration. Spans in the outcome count characters of `text`, or, in a
    notebook, of its code cells joined by newlines. Whatever is wrong with `text` is a problem of the outcome. Raises
    ConfigError for a configuration or a selector that cannot be used.
    """
    worker = _worker(Mode(), select=select, ignore=ignore, torch_version=torch_version, isolated=isolated or path is None)
    return _result(worker, text, path).outcome


def fix_source(
    text: str,
    path: str | None = None,
    *,
    unsafe: bool = False,
    select: Sequence[str] | None = None,
    ignore: Sequence[str] = (),
    torch_version: str | None = None,
    isolated: bool = False,
) -> tuple[str, Outcome]:
    """The text with the fixes in it, and what is found in that: safe ones, with `unsafe` the unsafe ones, too.

    The other arguments are those of `check_source`. A text that cannot be fixed comes back as it is.
    """
    wanted = {Applicability.SAFE, *([Applicability.UNSAFE] if unsafe else [])}
    mode = Mode(frozenset(wanted))
    worker = _worker(mode, select=select, ignore=ignore, torch_version=torch_version, isolated=isolated or path is None)
    result = _result(worker, text, path)
    if result.before is None or result.source is None:
        return text, result.outcome
    if not result.source.is_notebook:
        return result.source.text, result.outcome
    from ckpt_lint.source.encode import encode

    data = encode(result.source)
    return text if isinstance(data, Problem) else data.decode(), result.outcome


def _worker(
    mode: Mode, *, select: Sequence[str] | None, ignore: Sequence[str], torch_version: str | None, isolated: bool
) -> Worker:
    options: dict[str, Any] = {"ignore": list(ignore)}
    if select is not None:
        options["select"] = list(select)
    if torch_version is not None:
        options["torch-version"] = torch_version
    check_options(options, _ORIGIN)
    return Worker(Configs(ALL, [Layer(_ORIGIN, os.getcwd(), options)], isolated=isolated), mode)


def _result(worker: Worker, text: str, path: str | None) -> FileResult:
    named = path is not None
    settings = worker.configs.settings_for(path or "_.py")
    if path is not None and path.lower().endswith(".ipynb"):
        return worker.check_bytes(path, text.encode("utf-8", "surrogatepass"), settings)
    return worker.check_text(path or "-", text, settings, named=named)
