"""CKP410."""

from __future__ import annotations

from collections.abc import Iterator

from ckpt_lint.facts.handlers import only_tells, restores_in
from ckpt_lint.facts.view import Other, Report, View
from ckpt_lint.model import Page, RuleInfo, Severity
from ckpt_lint.source import flow
from ckpt_lint.source import tree as t
from ckpt_lint.source.module import last_name

BROAD = frozenset({"Exception", "BaseException", "RuntimeError", "KeyError", "ValueError"})
"""What a checkpoint that does not fit raises, and what catches that."""

RULE = RuleInfo(
    code="CKP410",
    name="swallowed-load-error",
    severity=Severity.ERROR,
    on=True,
    groups=("resume",),
    page=Page(
        summary="An error of a load or restore is caught, and the program goes on.",
        why=(
            "A restore that raises has overwritten the layers that did fit: the model is half restored. Where the file "
            "could not be read at all, training starts from scratch, and the next save overwrites the checkpoint."
        ),
        bad="""\
import torch

def resume(model, path):
    try:
        model.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    except Exception as error:
        print(f"could not load: {error}")
    return model
""",
        good="""\
import torch

def resume(model, path):
    model.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    return model
""",
        silent=(
            "the handler raises, returns, leaves the loop, exits, or does anything but pass, log, make a folder and set "
            "numbers back",
            "the handler tries another load",
            "it catches something narrow, such as `FileNotFoundError`",
            "the `try` leaves by itself when the load went well (`return`, `break`): what follows is the other way",
            "training stands in the `try`, too, or it ends the program: nothing goes on",
        ),
        sources=("https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html#torch.nn.Module.load_state_dict",),
    ),
)


def check(view: View) -> Iterator[Report]:
    """`try` statements around a restore whose handler lets the program go on."""
    for node in view.module.nodes:
        if not isinstance(node, t.Try) or not node.handlers:
            continue
        handler = next((h for h in node.handlers if _is_broad(h) and only_tells(view, h.body, counters=True)), None)
        if handler is None or flow.leaves(node.orelse or node.body):
            continue
        call = restores_in(view, node.body)
        if call is not None and not _handled_inside(node, call) and not _is_the_run(node, call):
            yield Report(
                node,
                f"an error of `{view.code(call.func)}` is caught, and the program goes on with what was not, or half, "
                "restored. Let it raise, or catch what is known to be harmless (`FileNotFoundError`)",
                others=(Other(view.module, call, "the restore"), Other(view.module, handler, "the handler")),
            )


def _is_broad(handler: t.Handler) -> bool:
    if handler.type is None:
        return True
    kinds = handler.type.items if isinstance(handler.type, t.Sequence) else (handler.type,)
    return any(last_name(kind) in BROAD for kind in kinds)


def _handled_inside(node: t.Try, call: t.Call) -> bool:
    """Whether an inner `try` catches first: it is judged for itself."""
    for parent in t.ancestors(call):
        if parent is node:
            return False
        if isinstance(parent, t.Try) and parent.handlers and any(s.start <= call.start < s.end for s in parent.body):
            return any(_is_broad(h) for h in parent.handlers)
    return False


def _is_the_run(node: t.Try, call: t.Call) -> bool:
    """Whether the training itself stands in the `try`, or all that the file goes on to do."""
    if any(isinstance(n, t.Attribute) and n.attr == "backward" for s in node.body for n in t.walk(s)):
        return True
    block = flow.block_of(node)
    holder = node.parent if isinstance(node.parent, (t.If, t.With)) else node
    at_the_end = bool(block) and block[-1] is node
    if not at_the_end or not isinstance(holder.parent, t.Module) or holder.parent.body[-1] is not holder:
        return False
    return node.body[-1].start > call.start
