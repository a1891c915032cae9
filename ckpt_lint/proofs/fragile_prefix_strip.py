"""`lstrip("module.")` strips letters, not a prefix: `module.encoder` becomes `ncoder`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from ckpt_lint.proofs.stage import Seen, Stage

CODE = "CKP404"
BAD = """\
import torch

model = torch.nn.ModuleDict({"encoder": torch.nn.Linear(4, 4), "mlp": torch.nn.Linear(4, 2)})
state = torch.load("weights.pt", map_location="cpu", weights_only=True)
state = {key.lstrip("module."): value for key, value in state.items()}
model.load_state_dict(state)
"""


def observe(program: str, stage: Stage) -> Seen:
    """Restore weights that were saved from a DataParallel model."""
    saved = torch.nn.ModuleDict({"encoder": torch.nn.Linear(4, 4), "mlp": torch.nn.Linear(4, 2)})
    torch.save(torch.nn.DataParallel(saved).state_dict(), "weights.pt")
    ran = stage.run(program, expect=(RuntimeError,))
    restored = ran.names["model"].state_dict()
    return stage.seen(
        f"keys: {', '.join(sorted(ran.names['state']))}" + (f"; {ran.said}" if ran.error else ""),
        hazard="Missing key(s)" in ran.said and "ncoder.weight" in ran.names["state"],
        right=ran.error is None and all(torch.equal(restored[key], value) for key, value in saved.state_dict().items()),
    )
