"""CKP409."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence

from ckpt_lint import apis
from ckpt_lint.edits import replace
from ckpt_lint.facts.linked import NEAR, linked_saves
from ckpt_lint.facts.loads import Load
from ckpt_lint.facts.reads import Read
from ckpt_lint.facts.resume import ResumePath
from ckpt_lint.facts.saves import Save
from ckpt_lint.facts.states import COUNTER
from ckpt_lint.facts.view import Other, Report, View
from ckpt_lint.model import Applicability, Fix, Page, RuleInfo, Severity, Span
from ckpt_lint.source import flow
from ckpt_lint.source import tree as t

RULE = RuleInfo(
    code="CKP409",
    name="checkpoint-key-mismatch",
    severity=Severity.ERROR,
    on=True,
    fix=Applicability.UNSAFE,
    fix_shape="text-replaced",
    groups=("resume",),
    page=Page(
        summary="A resume reads a key that the checkpoint does not hold.",
        why="The save writes one key and the resume reads another: `KeyError`, on the day a run has to be resumed.",
        bad="""\
import torch

def save(model, optimizer, epoch):
    state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": epoch}
    torch.save(state, "last.pt")

def resume(model, optimizer):
    checkpoint = torch.load("last.pt", map_location="cpu", weights_only=True)
    model.load_state_dict(checkpoint["model"])
    optimizer.load_state_dict(checkpoint["optimiser"])
    return checkpoint["epoch"]
""",
        good="""\
import torch

def save(model, optimizer, epoch):
    state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": epoch}
    torch.save(state, "last.pt")

def resume(model, optimizer):
    checkpoint = torch.load("last.pt", map_location="cpu", weights_only=True)
    model.load_state_dict(checkpoint["model"])
    optimizer.load_state_dict(checkpoint["optimizer"])
    return checkpoint["epoch"]
""",
        silent=(
            "`.get(...)`, a test with `in`, a `try` that catches KeyError",
            "a save of the project that writes the key, or a matching save that may hold more than we see",
            "conversion scripts and foreign files: nothing that restores an optimizer or a counter",
            "files that do not import one another, directly or through one more, unless the path is the same constant",
        ),
        fix_safety="Unsafe: the near key is a guess.",
        sources=("https://docs.pytorch.org/tutorials/beginner/saving_loading_models.html",),
    ),
)


def check(view: View) -> Iterator[Report]:
    """Reads in resume paths of keys that no matching save writes."""
    paths = [p for p in view.facts.resumes.of(view.module) if p.states & {apis.OPTIMIZER, COUNTER}]
    seen = set()
    for path in paths:
        for load in _loads_in(view, path):
            saves = linked_saves(view.facts, load)
            if not saves or not all(_is_closed(view, save) for save in saves):
                continue
            for read in view.flow(load).reads:
                if read.module is view.module and read.node not in seen and _is_missing(view, load, read, saves):
                    seen.add(read.node)
                    yield _report(view, read, saves)


def _loads_in(view: View, path: ResumePath) -> Iterator[Load]:
    for load in view.loads:
        if (flow.function_of(load.call) or view.module.root) is path.body:
            yield load


def _is_closed(view: View, save: Save) -> bool:
    """Whether a save writes a dict of which we know every key."""
    checkpoint = view.checkpoint(save)
    return checkpoint.shape == "dict" and not checkpoint.open and bool(checkpoint.entries)


def _is_missing(view: View, load: Load, read: Read, saves: Sequence[Save]) -> bool:
    if read.safe or any(read.key in view.checkpoint(save).keys for save in saves):
        return False
    if view.module.names.bindings(read.node):  # the key is set here
        return False
    others = view.facts.matching.saves_writing(read.key, load)
    return not any(read.key in view.checkpoint(save).keys for save in others)


def _report(view: View, read: Read, saves: Sequence[Save]) -> Report:
    written = list(dict.fromkeys(key for save in saves for key in view.checkpoint(save).keys))
    near = next(iter(difflib.get_close_matches(read.key, written, 1, NEAR)), None)
    checkpoint = view.checkpoint(saves[0])
    keys = ", ".join(f"`{key}`" for key in written[:8])
    return Report(
        read.node,
        f"`{read.key}` is read here, and the save writes {keys}: KeyError when the run is resumed",
        _fix(view, read, near) if near is not None else None,
        others=(Other(checkpoint.module, checkpoint.where, "the matching save"),),
    )


def _fix(view: View, read: Read, near: str) -> Fix | None:
    node = read.node
    key = node.sub if isinstance(node, t.Subscript) else node.args[0].value if isinstance(node, t.Call) else None
    if key is None or view.code(key)[1:-1] != read.key or view.code(key)[0] not in "'\"":
        return None
    edits = replace(Span(key.start + 1, key.end - 1), near)
    return Fix(Applicability.UNSAFE, f"Read `{near}`", edits)
