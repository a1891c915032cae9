"""CKP210."""

from __future__ import annotations

from collections.abc import Iterator

from ckpt_lint.edits import add_dict_entry
from ckpt_lint.facts.best_values import LostBest
from ckpt_lint.facts.view import Other, Report, View
from ckpt_lint.model import Applicability, Fix, Page, RuleInfo, Severity
from ckpt_lint.rules.training_state.absent import is_dict
from ckpt_lint.source import flow
from ckpt_lint.source import tree as t
from ckpt_lint.source.names import path_key

RULE = RuleInfo(
    code="CKP210",
    name="missing-best-metric",
    severity=Severity.WARNING,
    on=True,
    fix=Applicability.UNSAFE,
    fix_shape="entry-added",
    groups=("resume",),
    page=Page(
        summary="The best metric guards a save, but a resumed run does not know it.",
        why=(
            "`if acc > best_acc:` keeps the best weights only as long as `best_acc` is known. A run that resumes "
            "without it starts from 0 (or infinity) again, so that its first evaluation overwrites the best file with "
            "whatever weights it has."
        ),
        bad="""\
import torch

def train(model, optimizer, epochs, evaluate, resume=None):
    start, best_acc = 0, 0.0
    if resume is not None:
        checkpoint = torch.load(resume, map_location="cpu", weights_only=True)
        model.load_state_dict(checkpoint["model"])
        optimizer.load_state_dict(checkpoint["optimizer"])
        start = checkpoint["epoch"] + 1
    for epoch in range(start, epochs):
        optimizer.step()
        acc = evaluate(model)
        if acc > best_acc:
            best_acc = acc
            torch.save(model.state_dict(), "best.pt")
        state = {
            "model": model.state_dict(),
            "optimizer": optimizer.state_dict(),
            "epoch": epoch,
        }
        torch.save(state, "last.pt")
""",
        good="""\
import torch

def train(model, optimizer, epochs, evaluate, resume=None):
    start, best_acc = 0, 0.0
    if resume is not None:
        checkpoint = torch.load(resume, map_location="cpu", weights_only=True)
        model.load_state_dict(checkpoint["model"])
        optimizer.load_state_dict(checkpoint["optimizer"])
        start = checkpoint["epoch"] + 1
    for epoch in range(start, epochs):
        optimizer.step()
        acc = evaluate(model)
        if acc > best_acc:
            best_acc = acc
            torch.save(model.state_dict(), "best.pt")
        state = {
            "model": model.state_dict(),
            "optimizer": optimizer.state_dict(),
            "epoch": epoch,
            "best_acc": best_acc,
        }
        torch.save(state, "last.pt")
""",
        silent=(
            "nothing in the program resumes training, or it saves no training checkpoint",
            "the metric is saved, by name or by value, or the value that it is compared with is",
            "the metric is restored, or computed again: it is bound to anything but a first value and the new best one",
            "a checkpoint of the program cannot be read completely",
        ),
        fix_safety=(
            "Unsafe: the fix adds the entry only; the program that resumes still has to take it over "
            '(`best_acc = checkpoint["best_acc"]`). No fix where the dict cannot name the metric.'
        ),
        sources=("https://docs.pytorch.org/tutorials/beginner/saving_loading_models.html",),
    ),
)


def check(view: View) -> Iterator[Report]:
    """Guarded saves whose metric a resumed run does not know."""
    for lost in view.facts.best_values.lost(view.module):
        best = lost.guard.best
        assert best is not None
        message = (
            f"`{path_key(best)}` guards this save and is neither saved nor restored: after a resume ({lost.path.name}) "
            f"it starts afresh, and the first evaluation overwrites the best file"
        )
        others = (
            Other(lost.path.module, lost.path.restores[0].call, "training resumes here")
            if lost.path.restores
            else Other(lost.path.module, lost.path.counters[0].node, "training resumes here")
            if lost.path.counters
            else None,
            Other(lost.checkpoint.main.module, lost.checkpoint.main.where, f"no entry for `{path_key(best)}` here"),
        )
        yield Report(lost.node, message, _fix(view, lost), others=tuple(o for o in others if o), call=lost.node)


def _fix(view: View, lost: LostBest) -> Fix | None:
    """The entry, where the dict stands in the same function (or class, for an attribute) as the metric."""
    best, main = lost.guard.best, lost.checkpoint.main
    literal = main.literal
    if best is None or literal is None or not main.module is view.module is lost.guard.module:
        return None
    if isinstance(best, t.Attribute):
        same = flow.class_of(best) is flow.class_of(literal) is not None
    else:
        same = flow.body_of(best) is flow.body_of(literal)
    if not same or not is_dict(view, literal):
        return None
    key = path_key(best).rpartition(".")[2]
    edits = add_dict_entry(view.text, literal.span, key, path_key(best))
    return Fix(Applicability.UNSAFE, f"Save `{path_key(best)}`", edits)
