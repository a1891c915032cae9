"""One file that every epoch overwrites: when training gets worse, the best weights are gone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from ckpt_lint.proofs.stage import Seen, Stage

CODE = "CKP208"
BAD = """\
import torch

torch.manual_seed(0)
inputs, targets = torch.randn(64, 8), torch.randn(64, 1)
model = torch.nn.Linear(8, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.2)
losses = []
for epoch in range(12):
    loss = torch.nn.functional.mse_loss(model(inputs), targets)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    optimizer.param_groups[0]["lr"] *= 1.25
    with torch.no_grad():
        val_loss = torch.nn.functional.mse_loss(model(inputs), targets).item()
    print(f"epoch {epoch}: {val_loss}")
    losses.append(val_loss)
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": epoch}, "last.pt")
"""

GOOD = """\
import torch

torch.manual_seed(0)
inputs, targets = torch.randn(64, 8), torch.randn(64, 1)
model = torch.nn.Linear(8, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.2)
losses = []
for epoch in range(12):
    loss = torch.nn.functional.mse_loss(model(inputs), targets)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    optimizer.param_groups[0]["lr"] *= 1.25
    with torch.no_grad():
        val_loss = torch.nn.functional.mse_loss(model(inputs), targets).item()
    print(f"epoch {epoch}: {val_loss}")
    losses.append(val_loss)
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": epoch}, "last.pt")
    if val_loss == min(losses):
        torch.save(model.state_dict(), "best.pt")
"""


def observe(program: str, stage: Stage) -> Seen:
    """Evaluate every file that the run left, and compare with the best epoch it had."""
    names = stage.run(program).names
    found = []
    for path in sorted(Path().glob("*.pt")):
        state = torch.load(path, map_location="cpu", weights_only=True)
        model = torch.nn.Linear(8, 1)
        model.load_state_dict(state.get("model", state))
        with torch.no_grad():
            found.append(torch.nn.functional.mse_loss(model(names["inputs"]), names["targets"]).item())
    best, kept = min(names["losses"]), min(found)
    return stage.seen(
        f"the best epoch had a loss of {best:.4f}, the best file on disk has {kept:.4f}",
        hazard=kept > best * 1.1,
        right=kept == best,
        figures={"best loss of the run": best, "best loss on disk": kept},
        series={"loss": names["losses"]},
    )
