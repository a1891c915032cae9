"""CKP211."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ckpt_lint import apis
from ckpt_lint.facts.view import Report, View
from ckpt_lint.model import Page, RuleInfo, Severity
from ckpt_lint.rules.training_state.absent import place_of

RULE = RuleInfo(
    code="CKP211",
    name="training-state-in-export",
    severity=Severity.WARNING,
    on=False,
    artifact=True,
    page=Page(
        summary="A file for others carries the optimizer's state.",
        why=(
            "Adam keeps two numbers for each weight: two thirds of such a file are of no use to anybody who only runs "
            "the model. They are downloaded, stored and read into memory all the same."
        ),
        bad="""\
import torch

def finish(model, optimizer: torch.optim.Optimizer, epoch):
    state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": epoch}
    torch.save(state, "export/model.pt")
""",
        good="""\
import torch

def finish(model, optimizer: torch.optim.Optimizer, epoch):
    state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": epoch}
    torch.save(state, "last.pt")
    torch.save(model.state_dict(), "export/model.pt")
""",
        silent=(
            "the path does not say best, final, export or deploy, or says so for some callers only",
            "the optimizer was left out on purpose (`None`)",
        ),
        sources=("https://docs.pytorch.org/tutorials/beginner/saving_loading_models.html",),
    ),
)

WORD = re.compile(r"best|final|export|deploy", re.IGNORECASE)


def check(view: View) -> Iterator[Report]:
    """Training checkpoints under a name for export."""
    for checkpoint in view.facts.training.of(view.module):
        save = checkpoint.save
        said = [WORD.search(words) for words in view.facts.training.path_words(save)]
        first = said[0]
        if apis.OPTIMIZER in checkpoint.written and first is not None and all(said):
            message = (
                f"the path says `{first.group().lower()}`, but the file carries the optimizer's state, two thirds "
                "of its bytes where that is Adam: save the weights alone there"
            )
            yield Report(place_of(view, checkpoint), message, call=save.call)
