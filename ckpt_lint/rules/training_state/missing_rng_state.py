"""CKP205."""

from __future__ import annotations

from collections.abc import Iterator

from ckpt_lint import apis
from ckpt_lint.facts.states import RNG
from ckpt_lint.facts.view import Report, View
from ckpt_lint.model import Page, RuleInfo, Severity
from ckpt_lint.rules.training_state.absent import lacking, place_of

RULE = RuleInfo(
    code="CKP205",
    name="missing-rng-state",
    severity=Severity.WARNING,
    on=False,
    groups=("resume",),
    artifact=True,
    page=Page(
        summary="A training checkpoint holds no state of the random number generators.",
        why=(
            "Dropout, augmentation and shuffling go on from another place in the random sequence, so that a resumed "
            "run is not the run that was interrupted (losses differed by 0.25 to 0.6 in a small network that was "
            "otherwise restored completely). A seed at the start does not help: it gives the resumed part the random "
            "numbers of the first epochs again. What counts is `torch.get_rng_state()`, "
            "`torch.cuda.get_rng_state_all()`, `random.getstate()` and `numpy.random.get_state()`; the workers of a "
            "`DataLoader` and its sampler have their own."
        ),
        bad="""\
import torch

def train(model, loader, epochs):
    optimizer = torch.optim.Adam(model.parameters())
    for epoch in range(epochs):
        for batch in loader:
            model(batch).mean().backward()
            optimizer.step()
        state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": epoch}
        torch.save(state, "last.pt")
""",
        good="""\
import torch

def train(model, loader, epochs):
    optimizer = torch.optim.Adam(model.parameters())
    for epoch in range(epochs):
        for batch in loader:
            model(batch).mean().backward()
            optimizer.step()
        state = {
            "model": model.state_dict(),
            "optimizer": optimizer.state_dict(),
            "epoch": epoch,
            "rng": torch.get_rng_state(),
        }
        torch.save(state, "last.pt")
""",
        silent=(
            "no optimizer state is saved: nothing resumes from it exactly",
            "an RNG state is saved, by key or by value, in this or in another training checkpoint of the file",
            "a part of the dict cannot be read",
        ),
        sources=("https://docs.pytorch.org/docs/stable/notes/randomness.html",),
    ),
)


def check(view: View) -> Iterator[Report]:
    """Training checkpoints with optimizer state and without an RNG state."""
    for checkpoint in lacking(view, RNG):
        if apis.OPTIMIZER in checkpoint.written:
            message = (
                "this training checkpoint holds no RNG state: a resumed run draws other random numbers than the run "
                "that was interrupted; save `torch.get_rng_state()` and those of CUDA, `random` and NumPy"
            )
            yield Report(place_of(view, checkpoint), message, call=checkpoint.save.call)
