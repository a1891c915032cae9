"""`best = model.state_dict()` keeps references: the best weights go on training, and the last ones are restored.

The curves are the loss of the weights kept as best, epoch by epoch. The learning rate grows, so that training
diverges after the best epoch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ckpt_lint.proofs.stage import Seen, Stage

CODE = "CKP106"
BAD = """\
import torch


def train():
    torch.manual_seed(0)
    inputs, targets = torch.randn(64, 8), torch.randn(64, 1)
    model = torch.nn.Linear(8, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.2)

    def loss_of(state):
        other = torch.nn.Linear(8, 1)
        other.load_state_dict(state)
        other.eval()
        with torch.no_grad():
            return torch.nn.functional.mse_loss(other(inputs), targets).item()

    best, best_loss, curve = None, float("inf"), []
    for epoch in range(12):
        loss = torch.nn.functional.mse_loss(model(inputs), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        optimizer.param_groups[0]["lr"] *= 1.25
        current = loss_of(model.state_dict())
        if current < best_loss:
            best_loss = current
            best = model.state_dict()
        curve.append(loss_of(best))
    model.load_state_dict(best)
    return best_loss, loss_of(model.state_dict()), curve
"""


def observe(program: str, stage: Stage) -> Seen:
    """Compare the loss that was called best with the loss of the weights that were restored as best."""
    best, restored, curve = stage.call(stage.run(program).names["train"])[0]
    return stage.seen(
        f"the best loss was {best:.4f}, the weights restored as best have {restored:.4f}",
        hazard=restored > best * 1.1,
        right=restored == best,
        figures={"best loss": best, "loss of the weights restored": restored},
        series={"loss of the weights kept as best": curve},
    )
