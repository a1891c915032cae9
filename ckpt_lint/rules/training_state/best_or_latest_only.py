"""CKP208."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from ckpt_lint import apis
from ckpt_lint.facts.metrics import metric_guard
from ckpt_lint.facts.paths import path_facts
from ckpt_lint.facts.saves import Save
from ckpt_lint.facts.states import WEIGHTS
from ckpt_lint.facts.view import Report, View
from ckpt_lint.model import Page, RuleInfo, Severity
from ckpt_lint.source import flow
from ckpt_lint.source import tree as t
from ckpt_lint.source.module import last_name

RULE = RuleInfo(
    code="CKP208",
    name="best-or-latest-only",
    severity=Severity.WARNING,
    on=False,
    groups=("resume",),
    page=Page(
        summary="A training program keeps only the best file, or only the latest.",
        why=(
            "Where every save waits for a better metric, a run that crashes goes back to its best epoch, which may be "
            "hours old, and there may be no file at all. Where one latest file is overwritten, the best weights are "
            "gone as soon as training gets worse."
        ),
        bad="""\
import torch

def train(model, loader, epochs, evaluate):
    optimizer = torch.optim.Adam(model.parameters())
    best_acc = 0.0
    for epoch in range(epochs):
        for batch in loader:
            model(batch).mean().backward()
            optimizer.step()
        acc = evaluate(model)
        if acc > best_acc:
            best_acc = acc
            torch.save(model.state_dict(), "best.pt")
""",
        good="""\
import torch

def train(model, loader, epochs, evaluate):
    optimizer = torch.optim.Adam(model.parameters())
    best_acc = 0.0
    for epoch in range(epochs):
        for batch in loader:
            model(batch).mean().backward()
            optimizer.step()
        acc = evaluate(model)
        if acc > best_acc:
            best_acc = acc
            torch.save(model.state_dict(), "best.pt")
        state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": epoch, "best_acc": best_acc}
        torch.save(state, "last.pt")
""",
        silent=(
            "some save of the file is guarded by the metric and another is not",
            "the path of the only file has the epoch or step in it, or is not constant",
            "no metric is computed where the only file is written",
            "no optimizer is in scope: nothing is trained here",
        ),
        sources=("https://docs.pytorch.org/tutorials/beginner/saving_loading_models.html",),
    ),
)

METRIC = re.compile(
    r"(^|_)(val|valid|validation|eval|dev|test)(_|$)|(^|_)(acc\w*|f1|auc|miou|iou|bleu|psnr|fid|score|map)$"
)


def check(view: View) -> Iterator[Report]:
    """The first save of a file that keeps only the best, or only the latest."""
    saves = [save for save in view.file_saves if _saves_weights(view, save)]
    if not saves or not any(_trains(view, save) for save in saves):
        return
    guarded = [metric_guard(view.facts.world, save.module, save.call) is not None for save in saves]
    if all(guarded):
        message = "every save of this file waits for a better metric: there is nothing recent to resume from"
        yield Report(saves[0].call, message, call=saves[0].call)
    elif not any(guarded) and _one_fixed_file(view, saves) and any(_computes_a_metric(save) for save in saves):
        message = "one file is overwritten again and again, and a metric is computed: the best weights are not kept"
        yield Report(saves[0].call, message, call=saves[0].call)


def _saves_weights(view: View, save: Save) -> bool:
    checkpoint = view.checkpoint(save)
    return any(WEIGHTS in view.facts.checkpoints.states(entry) for entry in checkpoint.entries)


def _trains(view: View, save: Save) -> bool:
    return any(s.role == apis.OPTIMIZER for s in view.facts.training.scope.at(save.module, save.call))


def _one_fixed_file(view: View, saves: Sequence[Save]) -> bool:
    paths = [path_facts(view.facts.values, save.path_module, save.path) for save in saves]
    return all(path.constant for path in paths) and len({path.text for path in paths}) == 1


def _computes_a_metric(save: Save) -> bool:
    """Whether a loop around a save binds a name that says metric to what a call gives."""
    for loop in flow.loops_around(save.call):
        for node in t.walk(loop):
            if isinstance(node, t.Assign) and isinstance(node.value, t.Call):
                names = (last_name(n) for target in node.targets for n in t.walk(target))
                if any(METRIC.search(name) for name in names):
                    return True
    return False
