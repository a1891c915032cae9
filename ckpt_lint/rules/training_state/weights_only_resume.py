"""CKP209."""

from __future__ import annotations

import os
from collections.abc import Iterator

from ckpt_lint.facts.view import Other, Report, View
from ckpt_lint.model import Page, RuleInfo, Severity
from ckpt_lint.source.names import path_key

RULE = RuleInfo(
    code="CKP209",
    name="weights-only-resume",
    severity=Severity.WARNING,
    on=True,
    groups=("resume",),
    page=Page(
        summary="A program resumes training from bare weights: the optimizer's state was never saved.",
        why=(
            "Weights alone are no training checkpoint. The run goes on with a new optimizer (no momentum, no moments, "
            "step counts at 0) and a schedule from its start, so that the losses jump and differ from those of a run "
            "that was not interrupted."
        ),
        bad="""\
import torch

def train(net, loader, args):
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    if args.resume:
        net.load_state_dict(torch.load(args.weights, map_location="cpu", weights_only=True))
    for epoch in range(args.epochs):
        for batch in loader:
            net(batch).mean().backward()
            optimizer.step()
        torch.save(net.state_dict(), f"weights-{epoch}.pt")
""",
        good="""\
import torch

def train(net, loader, args):
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    start = 0
    if args.resume:
        checkpoint = torch.load(args.weights, map_location="cpu", weights_only=True)
        net.load_state_dict(checkpoint["net"])
        optimizer.load_state_dict(checkpoint["optimizer"])
        start = checkpoint["epoch"] + 1
    for epoch in range(start, args.epochs):
        for batch in loader:
            net(batch).mean().backward()
            optimizer.step()
        state = {"net": net.state_dict(), "optimizer": optimizer.state_dict(), "epoch": epoch}
        torch.save(state, f"training-{epoch}.pt")
""",
        silent=(
            "the file does not save the weights of that module, or saves optimizer state too (in whatever file)",
            "nothing trains that object afterwards: no optimizer over its parameters steps once it is restored",
            "no option on the way is called resume or continue, and no progress counter is taken over, "
            "not from the name either",
            "a helper restores what it is given, and no file that calls it says all this of what it hands over",
            "a stage of fine-tuning: pretrained, teacher, backbone or warm-start weights",
        ),
        sources=("https://docs.pytorch.org/tutorials/beginner/saving_loading_models.html",),
    ),
)


def check(view: View) -> Iterator[Report]:
    """Loads of bare weights that training goes on from."""
    for found in view.facts.weights_resumes.of(view.module):
        name = path_key(found.trained)
        file = "this file" if found.save.module is view.module else f"`{os.path.basename(found.save.module.path)}`"
        message = (
            f"training resumes from the bare weights of `{name}`: no save of {file} holds the optimizer's state, so "
            "its momentum, its step counts and the schedule start afresh; save and restore a training checkpoint"
        )
        others = (
            Other(found.save.module, found.save.call, "only weights are saved here"),
            Other(found.place, found.optimizer, f"the optimizer over the parameters of `{name}`"),
        )
        yield Report(found.load.call, message, others=others, call=found.load.call)
