"""How an argument of a load can be given where it stands: under which name, and by which edit."""

from __future__ import annotations

from ckpt_lint.edits import add_keyword, replace
from ckpt_lint.facts.loads import Load
from ckpt_lint.model import Edit


def argument_name(load: Load, name: str) -> str | None:
    """What a call has to name an argument: a load wrapper may call its parameter something else; None if unknown."""
    if load.inner is None or load.wrapper is None:
        return name
    param = load.inherited.get(name)
    if param is not None:
        return param.name
    return name if name in load.inner.forwards and name not in load.inner.given else None


def set_argument(text: str, load: Load, name: str, value: str) -> tuple[Edit, ...]:
    """Edits that give an argument at the load's call: a None that stands there is replaced; () where none can.

    The keywords of a call that hands the loader over are not always the loader's, and a `**kwargs` may hold the name.
    What a `pickle_module` makes of an argument is not known.
    """
    if load.open or load.has("pickle_module"):
        return ()
    written = load.given.get(name)
    if written is not None and any(arg.value is written for arg in load.call.args):
        return replace(written.span, value) if load.home(name) is load.module else ()
    if load.handed_over or written is not None and name not in load.inherited:
        return ()
    keyword = argument_name(load, name)
    return add_keyword(text, load.call.span, f"{keyword}={value}") if keyword else ()
